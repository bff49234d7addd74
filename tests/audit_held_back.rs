//! A sweep that shares nothing with the audit's: random points, random upstream gradients, formulas of
//! its own in f64. What is grossly wrong here has a row there, and each row there is wrong here.
#![cfg(feature = "cli")]

#[path = "audit/held_back.rs"]
mod held_back;
#[path = "audit/one_thread.rs"]
mod one_thread;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_sine::audit::catalog;
use candle_sine::audit::known::{Standing, record, standing};
use candle_sine::audit::range::format::Format;
use candle_sine::audit::range::{lines, sweep};
use candle_sine::audit::report::excused;
use candle_sine::audit::run::{Row, in_parallel};
use held_back::{FUNCTIONS, Function, Numbers};
use std::sync::OnceLock;

fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    one_thread::one_thread_an_op();
    ROWS.get_or_init(|| {
        let cases = catalog::all();
        let found = sweep(&lines(&cases), &Device::Cpu, None);
        let rows = found.into_iter().map(|(_, f)| f.row).collect();
        excused(rows, record().expect("the record"))
    })
}

/// Largest, smallest and half the distance from 1 to the next.
fn limits(dtype: DType) -> (f64, f64, f64) {
    match dtype {
        DType::F16 => (65504., 2f64.powi(-24), 2f64.powi(-11)),
        DType::BF16 => (3.3895e38, 2f64.powi(-133), 2f64.powi(-8)),
        _ => (f64::from(f32::MAX), 2f64.powi(-149), 2f64.powi(-24)),
    }
}

/// candle's value and gradients of one tensor of samples, all widened: inputs, value, gradients.
struct Seen {
    inputs: Vec<Vec<f64>>,
    value: Vec<f64>,
    gradients: Vec<Vec<f64>>,
}

fn flat(t: &Tensor) -> Result<Vec<f64>> {
    t.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

fn candle(f: &Function, inputs: &[Vec<f64>], upstream: &[f64], dtype: DType) -> Result<Seen> {
    let mut vars = vec![];
    for x in inputs {
        let t = Tensor::from_vec(x.clone(), x.len(), &Device::Cpu)?;
        vars.push(Var::from_tensor(&t.to_dtype(dtype)?)?);
    }
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = (f.call)(&tensors)?;
    let seed = Tensor::from_vec(upstream.to_vec(), upstream.len(), &Device::Cpu)?;
    let store = (&y * seed.to_dtype(dtype)?)?.sum_all()?.backward()?;
    let of = |v: &Var| store.get(v).map_or(Ok(vec![0.; inputs[0].len()]), flat);
    Ok(Seen {
        inputs: tensors.iter().map(flat).collect::<Result<_>>()?,
        value: flat(&y)?,
        gradients: vars.iter().map(of).collect::<Result<_>>()?,
    })
}

/// A gross fault: which input's gradient (none: the value), on which side, at which magnitude.
#[derive(Clone, Copy, Debug)]
struct Fault {
    input: Option<usize>,
    negative: bool,
    at: f64,
    upstream: f64,
    found: f64,
    expected: f64,
}

/// How far off is gross: a share of the number, and so much.
type Allowed = (f64, f64);

/// So many of the type's smallest numbers; or, where the processor keeps no subnormals, all of those.
fn smallest(steps: f64, dtype: DType) -> f64 {
    let kept = Format::of(dtype).on(&Device::Cpu).kept;
    (steps * limits(dtype).1).max(kept)
}

fn gross(found: f64, expected: f64, dtype: DType, scale: f64, (share, least): Allowed) -> bool {
    let (largest, _, unit) = limits(dtype);
    if expected.is_nan() || expected.abs() > largest * (1. - 4. * unit) {
        return false;
    }
    let off = (found - expected).abs();
    !found.is_finite() || off > share * expected.abs() + least * scale.abs().max(1.)
}

fn faults(
    f: &Function,
    inputs: &[Vec<f64>],
    upstream: &[f64],
    dtype: DType,
    allowed: Allowed,
) -> Vec<Fault> {
    let Ok(seen) = candle(f, inputs, upstream, dtype) else {
        return vec![];
    };
    let (largest, _, unit) = limits(dtype);
    let mut found = vec![];
    for k in 0..upstream.len() {
        let at: Vec<f64> = seen.inputs.iter().map(|x| x[k]).collect();
        let (value, slopes) = (f.truth)(&at);
        if at.iter().any(|x| !x.is_finite()) || value.abs() > largest * (1. - 4. * unit) {
            continue;
        }
        let mut note = |input: Option<usize>, own: f64, found_: f64, expected: f64, scale: f64| {
            if gross(found_, expected, dtype, scale, allowed) {
                found.push(Fault {
                    input,
                    negative: own.is_sign_negative(),
                    at: own.abs(),
                    upstream: scale,
                    found: found_,
                    expected,
                });
            }
        };
        note(None, at[0], seen.value[k], value, 1.);
        // As the type has it.
        let g = upstream[k];
        for (input, slope) in slopes.iter().enumerate() {
            note(
                Some(input),
                at[input],
                seen.gradients[input][k],
                slope * g,
                g,
            );
        }
    }
    found
}

/// Whether a row of the audit says so: in the same part, on the same side, in its stretch.
fn says(row: &Row, f: &Function, dtype: DType, fault: &Fault) -> bool {
    let of = |name: &str| {
        row.at
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.as_str())
    };
    let side = if fault.negative {
        "negative"
    } else {
        "positive"
    };
    let name = f.inputs[fault.input.unwrap_or(0)];
    let part = (of("upstream") == Some("value")) == fault.input.is_none();
    // Of one number, also where it is, if the audit has that upstream gradient: a fault that comes and
    // goes may begin a little before.
    let stretch = row.from.map(|x| x / 1.25)..=row.to.map(|x| x * 1.25);
    let swept = [1. / 1024., 1., 1024.].contains(&fault.upstream.abs());
    let here = f.inputs.len() > 1 || !swept || stretch.contains(&Some(fault.at));
    is_of(row, f, dtype) && row.input == name && of("side") == Some(side) && part && here
}

fn is_of(row: &Row, f: &Function, dtype: DType) -> bool {
    row.path == f.path
        && row.dtype == dtype.as_str()
        && row.case.starts_with(f.case)
        && row.probe.starts_with("range")
        && !row.verdict.is_clean()
}

const TYPES: [DType; 3] = [DType::F16, DType::BF16, DType::F32];

/// Random points of the whole range: log-uniform magnitudes, both signs, upstream from 2^-10 to 2^10.
fn points(
    f: &Function,
    dtype: DType,
    numbers: &mut Numbers,
    n: usize,
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let (largest, smallest, _) = limits(dtype);
    let (low, high) = (smallest.log2(), largest.log2());
    let inputs = f.inputs.iter().map(|_| {
        (0..n)
            .map(|i| match i % 3 {
                0 => numbers.log_uniform(-8., high.min(9.)),
                _ => numbers.log_uniform(low, high),
            })
            .collect()
    });
    let inputs = inputs.collect();
    (
        inputs,
        (0..n).map(|_| numbers.power_of_two(-10, 10)).collect(),
    )
}

#[test]
fn no_gross_fault_is_missing() {
    let jobs: Vec<(&Function, DType)> = FUNCTIONS
        .iter()
        .flat_map(|f| TYPES.map(|d| (f, d)))
        .collect();
    assert!(FUNCTIONS.len() >= 36, "{}", FUNCTIONS.len());
    let missing = in_parallel(&jobs, &Device::Cpu, |(f, dtype)| {
        let mut numbers = Numbers::seeded(f.path, *dtype as u64);
        let (inputs, upstream) = points(f, *dtype, &mut numbers, 20_000);
        let all = faults(f, &inputs, &upstream, *dtype, (0.15, smallest(8., *dtype)));
        let lacks = |x: &Fault| !rows().iter().any(|r| says(r, f, *dtype, x));
        let mut lacking = all.into_iter().filter(lacks);
        lacking.next().map(|x| {
            let (what, more) = (dtype.as_str(), lacking.count());
            format!(
                "{} {} {what}, input {:?} at {:e}: {}, should be {}; {more} more",
                f.path, f.case, x.input, x.at, x.found, x.expected,
            )
        })
    });
    let missing: Vec<String> = missing.into_iter().flatten().collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The number of the other input, of a function of two, that a row notes: "at self 2e0, rhs 3e0".
fn beside(row: &Row, f: &Function, own: usize) -> Option<f64> {
    let other = f
        .inputs
        .get(1 - own.min(1))
        .filter(|_| f.inputs.len() == 2)?;
    let note = row.note.as_ref()?.split(';').next()?;
    let mut words = note.split([' ', ',']).filter(|w| !w.is_empty());
    words.find(|w| w == other)?;
    words.next()?.parse().ok()
}

/// Every row that accuses one of these functions is borne out by a random point of its stretch.
#[test]
fn no_function_is_accused_falsely() {
    let accused: Vec<(&Function, DType, &Row)> = FUNCTIONS
        .iter()
        .flat_map(|f| TYPES.map(|d| (f, d)))
        .flat_map(|(f, d)| {
            rows()
                .iter()
                .filter(move |r| is_of(r, f, d))
                .map(move |r| (f, d, r))
        })
        .collect();
    assert!(accused.len() > 200, "{}", accused.len());
    let false_ = in_parallel(&accused, &Device::Cpu, |(f, dtype, row)| {
        assert!(matches!(
            standing(row, record().expect("the record")),
            Standing::Known(..)
        ));
        let mut numbers = Numbers::seeded(&row.case, row.from.unwrap_or(0.).to_bits());
        let own = f.inputs.iter().position(|n| *n == row.input).unwrap_or(0);
        let (mut inputs, mut upstream) = points(f, *dtype, &mut numbers, 40_000);
        let of = |name: &str| {
            row.at
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.as_str())
        };
        let sign = if of("side") == Some("negative") {
            -1.
        } else {
            1.
        };
        let (from, to) = (row.from.unwrap_or(1.).log2(), row.to.unwrap_or(1.).log2());
        inputs[own]
            .iter_mut()
            .for_each(|x| *x = sign * numbers.log_uniform(from, to).abs());
        if let Some(other) = beside(row, f, own) {
            // Half of the points near the other number at which the row shows its fault.
            for x in inputs[1 - own].iter_mut().step_by(2) {
                *x = other * (0.02 * numbers.power_of_two(-6, 0)).exp2();
            }
        }
        let power = of("upstream")
            .and_then(|u| u.strip_prefix("2^"))
            .and_then(|p| p.parse().ok());
        upstream.fill(2f64.powi(power.unwrap_or(0)));
        let all = faults(f, &inputs, &upstream, *dtype, (0.09, 3. * limits(*dtype).1));
        let borne = all.iter().any(|x| says(row, f, *dtype, x));
        (!borne).then(|| {
            format!(
                "{} {} {} {:?} to {:?}",
                row.path, row.case, row.dtype, row.from, row.to
            )
        })
    });
    let false_: Vec<String> = false_.into_iter().flatten().collect();
    assert!(false_.is_empty(), "{false_:#?}");
}
