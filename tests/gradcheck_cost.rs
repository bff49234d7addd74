//! What the checker does for its answers, to the last call: verdicts, calls of f, backward passes, bounds,
//! and what could have been seen.
//!
//! tests/data/gradcheck_cost.txt holds it. Where a change is meant,
//! `WRITE=1 cargo test --release --test gradcheck_cost` writes it anew, and the difference is to be read:
//! more calls, or a blunter bound, is a loss. The functions are made of +, -, *, / and square roots, of few
//! elements, so that the numbers are the same on every machine of one kind: candle's kernels for other
//! processors may fuse a product and a sum.

#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

use std::fmt::Write;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_sine::gradcheck::{
    self, Mode, ModelReport, Options, ProbeReport, Report, Verdict, gradcheck, numeric,
};

const CPU: &Device = &Device::Cpu;

type F = fn(&[Tensor]) -> Result<Tensor>;
type Real = fn(f64) -> f64;

/// A right function, or one that is wrong in one way.
const FUNCTIONS: &[(&str, F)] = &[
    ("cube", |t| &t[0] * t[0].sqr()?),
    ("reciprocal", |t| (&t[0] * 3.)?.recip()),
    ("root", |t| t[0].sqr()?.affine(1., 1.)?.sqrt()),
    ("kink", |t| t[0].abs()),
    ("constant", |t| t[0].zeros_like()),
    ("large constant", |t| t[0].zeros_like()? + 1e16),
    ("one output", |t| t[0].sqr()?.get(0)),
    ("rounded inside", |t| {
        let x = t[0].to_dtype(DType::BF16)?;
        x.to_dtype(t[0].dtype())?.sqr()
    }),
    ("in f32", |t| {
        let x = t[0].to_dtype(DType::F32)?;
        (&x * x.sqr()?)?.to_dtype(t[0].dtype())
    }),
    ("doubled", |t| {
        let y = t[0].sqr()?;
        &y + (&y - y.detach())?
    }),
    ("off by a thousandth", |t| {
        let y = t[0].sqr()?;
        &y + ((&y - y.detach())? * 1e-3)?
    }),
    ("cut", |t| t[0].detach().sqr()),
    ("cut in one entry", |t| {
        let n = t[0].elem_count();
        let first = t[0].narrow(0, 0, 1)?.detach();
        Tensor::cat(&[first, t[0].narrow(0, 1, n - 1)?], 0)?.sqr()
    }),
    ("difference", |t| t[0].sqr()?.affine(1., 1e6)? - 1e6),
];

/// Around 1, of one size each, of many sizes, near 0, and with an element at a kink.
fn inputs() -> Vec<(&'static str, Vec<f64>)> {
    let ramp = |k: i32| 0.5 + f64::from(k) / 64.;
    vec![
        ("few", vec![0.75, -1.25, 2.5]),
        ("large", vec![7.5e5, -1.25e6, 2.5e6]),
        ("small", vec![7.5e-7, -1.25e-6, 2.5e-6]),
        ("mixed", vec![3.0e-9, -1.25, 2.5e6]),
        ("with 0", vec![0., -1.25, 2.5]),
        ("many", (0..70).map(ramp).collect()),
    ]
}

fn line(text: &mut String, name: &str, report: &Report) {
    let input = &report.inputs[0];
    let bad = |p: &&ProbeReport| p.outcome.verdict().is_some_and(|v| v != Verdict::Pass);
    let failed = report.probes.iter().filter(bad);
    let failed: Vec<&str> = failed.map(|p| p.probe.name()).collect();
    write!(
        text,
        "{name}: {} {}/{} e{} b{} o{}",
        input.verdict,
        input.certified,
        input.entries,
        report.evaluations,
        report.backwards,
        report.oracle.as_str(),
    )
    .unwrap();
    if let Some(worst) = &input.worst {
        write!(
            text,
            " at {:?},{:?} bound {:.1e}",
            worst.output, worst.input, worst.bound
        )
        .unwrap();
    }
    for (what, seen) in [
        ("sees", input.smallest_visible),
        ("resolves", input.resolution),
    ] {
        if let Some(seen) = seen {
            write!(text, " {what} {seen:.1e}").unwrap();
        }
    }
    let notes = input.notes.len() + report.notes.len();
    writeln!(text, " notes {notes} failed {failed:?}").unwrap();
}

fn functions(text: &mut String) -> Result<()> {
    for (at, values) in inputs() {
        for (name, f) in FUNCTIONS {
            for (dtype, mode, widen) in [
                (DType::F64, Mode::Full, true),
                (DType::F64, Mode::Fast, true),
                (DType::F32, Mode::Full, true),
                (DType::F32, Mode::Full, false),
                (DType::F32, Mode::Fast, true),
            ] {
                let x = Tensor::new(&values[..], CPU)?.to_dtype(dtype)?;
                let options = Options::default().mode(mode).widen(widen);
                let mode = if mode == Mode::Fast { "fast" } else { "full" };
                let name = format!(
                    "{name}, {at}, {} {mode}{}",
                    dtype.as_str(),
                    if widen { "" } else { " alone" }
                );
                line(text, &name, &gradcheck(f, &[x], &options)?);
            }
        }
    }
    Ok(())
}

fn derivatives(text: &mut String) {
    let all: [(&str, Real); 7] = [
        ("x^5", |x| x * x * x * x * x),
        ("1/x", |x| 1. / x),
        ("sqrt", f64::sqrt),
        ("|x|", f64::abs),
        ("1/(1 + 25 x^2)", |x| 1. / (1. + 25. * x * x)),
        ("f32", |x| f64::from((x * x) as f32)),
        ("1e8 + x", |x| 1e8 + x),
    ];
    for (name, f) in all {
        for x in [1., 0.0625, 3.7, 1e-9, 4.2e7, 0.] {
            let d = numeric::derivative(f, x);
            writeln!(
                text,
                "{name} at {x:e}: bound {:.1e} e{}",
                d.bound, d.evaluations
            )
            .unwrap();
        }
    }
}

/// w of four numbers and b of two, in a loss of few additions.
fn model(fault: &str, dtype: DType, scale: f64) -> Result<ModelReport> {
    let var = |v: &[f64]| Var::from_tensor(&Tensor::new(v, CPU)?.to_dtype(dtype)?);
    let (w, b) = (var(&[0.5, -0.75, 1.25, 2.])?, var(&[0.25, -0.5])?);
    let x = Tensor::new(&[1f64, 2.5, -0.5, 0.75], CPU)?.to_dtype(dtype)?;
    let named = [("w".to_string(), w.clone()), ("b".to_string(), b.clone())];
    let loss = || {
        let (w, b) = (w.as_tensor(), b.as_tensor());
        let w = match fault {
            "doubled" => (w + (w - w.detach())?)?,
            "one entry" => {
                let first = w.narrow(0, 2, 1)?;
                let extra = (&first - first.detach())?.broadcast_as(4)?;
                (w + (extra * 0.5)?)?
            }
            _ => w.clone(),
        };
        let b = match fault {
            "cut" => b.detach(),
            // So small that it moves nothing; and as small a gradient of what does.
            "still" => (b * 1e-30)?,
            "tiny" => {
                let tiny = (b * 1e-30)?;
                (b.detach() + (&tiny - tiny.detach())?)?
            }
            "unread entry" => Tensor::cat(&[b.narrow(0, 0, 1)?, b.narrow(0, 0, 1)?], 0)?,
            "zero entry" => Tensor::cat(&[b.narrow(0, 0, 1)?, b.narrow(0, 1, 1)?.detach()], 0)?,
            _ => b.clone(),
        };
        let h = gradcheck::mark("h", &(w * &x)?).relu()?;
        let (left, right) = (h.narrow(0, 0, 2)?, h.narrow(0, 2, 2)?);
        let y = ((left + right)? + b)?.sqr()?;
        let y = (y.get(0)? + y.get(1)?)?;
        let y = match fault {
            "in bf16" => y.to_dtype(DType::BF16)?.to_dtype(dtype)?,
            _ => y,
        };
        y.affine(scale, 0.)
    };
    gradcheck::vars(&named, loss, &Options::default())
}

fn models(text: &mut String) -> Result<()> {
    let faults = [
        "none",
        "doubled",
        "one entry",
        "cut",
        "unread entry",
        "zero entry",
        "in bf16",
        "still",
        "tiny",
    ];
    for fault in faults {
        for dtype in [DType::F64, DType::F32] {
            for scale in [1., 1e-6] {
                let report = model(fault, dtype, scale)?;
                write!(
                    text,
                    "{fault}, {} times {scale:e}: p{} f{}",
                    dtype.as_str(),
                    report.passes,
                    report.forwards
                )
                .unwrap();
                for p in &report.parameters {
                    write!(text, "; {} {}", p.name, p.verdict).unwrap();
                    if let Some(r) = p.resolution {
                        write!(text, " {r:.1e}").unwrap();
                    }
                    if let Some(w) = p.worst {
                        write!(
                            text,
                            " apart {:.1e} error {:.1e}",
                            w.difference - w.integral,
                            w.error
                        )
                        .unwrap();
                    }
                    write!(
                        text,
                        " {:?} {:?} {} {}",
                        p.worst_entry,
                        p.severed_rows,
                        p.severed_elements,
                        p.notes.len()
                    )
                    .unwrap();
                }
                writeln!(
                    text,
                    " cuts {} notes {}",
                    report.cuts.len(),
                    report.notes.len()
                )
                .unwrap();
            }
        }
    }
    Ok(())
}

#[test]
fn the_checker_does_what_it_did() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/gradcheck_cost.txt");
    let mut text = String::new();
    derivatives(&mut text);
    functions(&mut text)?;
    models(&mut text)?;
    if std::env::var_os("WRITE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let held = std::fs::read_to_string(path).unwrap();
    let differ: Vec<String> = (held.lines().zip(text.lines()))
        .filter(|(held, now)| held != now)
        .map(|(held, now)| format!("held {held}\nnow  {now}"))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert_eq!(held.lines().count(), text.lines().count());
    Ok(())
}
