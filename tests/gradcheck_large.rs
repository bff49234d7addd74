//! Inputs of many elements, whose columns share a first step, and several inputs, which fast mode
//! projects together: neither may hide what one column or one input alone would show.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};
use candle_sine::gradcheck::{Mode, Options, Report, Verdict, gradcheck};

const N: usize = 128;

/// 128 values of both signs (or of one), their sizes spread over six decades.
fn spread(signed: bool) -> Result<Tensor> {
    let value = |k: usize| {
        let size = 10f64.powf(-4. + 6. * (k * 37 % N) as f64 / N as f64);
        if signed && k.is_multiple_of(3) {
            -size
        } else {
            size
        }
    };
    Tensor::from_iter((0..N).map(value), &Device::Cpu)
}

/// The identity, but for one element of its gradient, which is off by `error` of itself.
struct OneEntry {
    at: usize,
    error: f64,
}

impl CustomOp1 for OneEntry {
    fn name(&self) -> &'static str {
        "one entry"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F64(v), Some((from, to))) => {
                let copy = CpuStorage::F64(v[from..to].to_vec());
                Ok((copy, layout.shape().clone()))
            }
            _ => bail!("contiguous f64 only"),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut g = grad.flatten_all()?.to_vec1::<f64>()?;
        g[self.at] *= 1. + self.error;
        Ok(Some(Tensor::from_vec(g, grad.shape(), grad.device())?))
    }
}

type Function = fn(&Tensor) -> Result<Tensor>;

/// Elementwise functions, each with whether it is defined left of zero.
const FUNCTIONS: &[(&str, Function, bool)] = &[
    ("1/x", Tensor::recip, true),
    ("log", Tensor::log, false),
    ("sqrt", Tensor::sqrt, false),
    ("abs", Tensor::abs, true),
    ("relu", Tensor::relu, true),
    ("tanh(x/100)", |x| (x / 100.)?.tanh(), true),
    ("sin(9x)", |x| (x * 9.)?.sin(), true),
    (
        "x² + sum",
        |x| x.sqr()?.broadcast_add(&x.sin()?.sum_all()?),
        true,
    ),
    ("x³ (x - 1)", |x| x.powf(3.)? * (x - 1.)?, true),
];

fn full(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Result<Report> {
    let options = Options::default().mode(Mode::Full).probes(false);
    gradcheck(f, inputs, &options)
}

#[test]
fn correct_functions_of_many_elements_pass() -> Result<()> {
    for &(name, f, signed) in FUNCTIONS {
        let report = full(|t| f(&t[0]), &[spread(signed)?])?;
        assert!(!report.verdict().is_defect(), "{name}: {report}");
        let sure = report.inputs[0].certified * 1000 >= report.inputs[0].entries * 999;
        assert!(sure, "{name}: {report}");
    }
    Ok(())
}

#[test]
fn one_entry_among_many_is_found() -> Result<()> {
    for &(name, f, signed) in FUNCTIONS {
        for at in [0, 1, 17, 64, 90, 127] {
            let faulty = |t: &[Tensor]| f(&t[0].apply_op1(OneEntry { at, error: 1e-5 })?);
            let report = full(faulty, &[spread(signed)?])?;
            let worst = report.inputs[0].worst.as_ref();
            // relu has no gradient to be off left of zero.
            let flat = name == "relu" && spread(signed)?.get(at)?.to_scalar::<f64>()? < 0.;
            assert_eq!(report.is_pass(), flat, "{name} {at}: {report}");
            assert!(
                flat || worst.is_some_and(|w| w.input == [at]),
                "{name} {at}: {report}"
            );
        }
    }
    Ok(())
}

fn inputs(scales: [f64; 3]) -> Result<Vec<Tensor>> {
    let part = |(k, scale): (usize, f64)| {
        let wave = (0..48).map(|i| scale * (1.3 * i as f64 + k as f64 + 0.2).sin());
        Tensor::from_iter(wave, &Device::Cpu)
    };
    scales.into_iter().enumerate().map(part).collect()
}

/// Terms of one size, whatever the scales of the inputs.
fn mixed(t: &[Tensor], scales: [f64; 3]) -> Result<Tensor> {
    let [a, b, c] = [0, 1, 2].map(|k| &t[k] / scales[k]);
    let (a, b, c) = (a?, b?, c?);
    (a.sin()? * b.exp()?)? + c.powf(3.)?
}

fn fast(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Result<Report> {
    let options = Options::default().mode(Mode::Fast).probes(false);
    gradcheck(f, inputs, &options)
}

const SCALES: [[f64; 3]; 3] = [[1., 1., 1.], [1e-6, 1., 1e6], [1e8, 1e-8, 1.]];

#[test]
fn inputs_are_projected_together() -> Result<()> {
    for scales in SCALES {
        let inputs = inputs(scales)?;
        let report = fast(|t| mixed(t, scales), &inputs)?;
        assert!(report.is_pass(), "{report}");
        let alone: usize = report.inputs.iter().map(|i| i.evaluations).sum();
        assert_eq!(alone, 0, "{report}");
        for (input, scale) in report.inputs.iter().zip(scales) {
            let visible = input.smallest_visible.unwrap_or(f64::INFINITY);
            assert!(visible * scale < 1e-6, "{scale}: {report}");
        }
    }
    Ok(())
}

#[test]
fn a_projection_names_the_input_and_the_entry() -> Result<()> {
    for scales in SCALES {
        for (k, at) in [(0, 3), (1, 47), (2, 20)] {
            let faulty = |t: &[Tensor]| {
                let mut t = t.to_vec();
                t[k] = t[k].apply_op1(OneEntry { at, error: 1e-5 })?;
                mixed(&t, scales)
            };
            let report = fast(faulty, &inputs(scales)?)?;
            for (i, input) in report.inputs.iter().enumerate() {
                // At a gradient of 1e-8 this is within atol: not wrong then, but no pass either.
                let passes = input.verdict == Verdict::Pass;
                assert_eq!(passes, i != k, "{scales:?} {k}: {report}");
            }
            let worst = report.inputs[k].worst.as_ref();
            assert!(
                worst.is_some_and(|w| w.input == [at]),
                "{scales:?} {k}: {report}"
            );
        }
    }
    Ok(())
}

#[test]
fn an_input_without_gradient_is_not_projected_with_others() -> Result<()> {
    let scales = [1.; 3];
    let cut = |t: &[Tensor]| mixed(&[t[0].clone(), t[1].detach(), t[2].clone()], scales);
    let report = fast(cut, &inputs(scales)?)?;
    let verdicts: Vec<_> = report.inputs.iter().map(|i| i.verdict).collect();
    let expected = [Verdict::Pass, Verdict::Severed, Verdict::Pass];
    assert_eq!(verdicts, expected, "{report}");
    let ignored = |t: &[Tensor]| t[0].sin()? + t[2].cos()?;
    let report = fast(ignored, &inputs(scales)?)?;
    assert!(report.is_pass(), "{report}");
    assert!(report.inputs[1].notes[0].contains("ignores"), "{report}");
    Ok(())
}

#[test]
fn every_round_is_a_projection_more() -> Result<()> {
    let x = inputs([1.; 3])?;
    let evaluations = |rounds: usize| -> Result<usize> {
        let options = Options::default().mode(Mode::Fast).probes(false);
        let f = |t: &[Tensor]| mixed(t, [1.; 3]);
        let report = gradcheck(f, &x, &options.rounds(rounds))?;
        assert!(report.is_pass(), "{report}");
        Ok(report.evaluations)
    };
    let (one, eight) = (evaluations(1)?, evaluations(8)?);
    assert!(eight > one, "{one} {eight}");
    Ok(())
}
