//! Every rung on a GPU against the CPU. Only where built with `cuda` or `metal`:
//!
//! `cargo test --release --features cuda --test device`
//!
//! Without a card these tests fail: a pass means that they ran on one.

#![cfg(any(feature = "cuda", feature = "metal"))]
#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

#[path = "common/gpt.rs"]
mod gpt;
#[path = "common/numbers.rs"]
mod numbers;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use candle_sine::gradcheck::{self, ModelReport, Options as Checks, Verdict, gradcheck};
use candle_sine::sine::gradient::Method;
use candle_sine::sine::gradient::fused::squared_error;
use candle_sine::sine::train::{self, History, Options, Pause};
use candle_sine::sine::{Data, Weights, post};
use gpt::{Fault, Gpt, Kind};
use numbers::CPU;
use std::ops::ControlFlow;
use std::time::Duration;

fn gpu() -> Result<Device> {
    if cfg!(feature = "cuda") {
        Device::new_cuda(0)
    } else {
        Device::new_metal(0)
    }
}

/// Metal has no f64.
fn dtypes() -> &'static [DType] {
    match cfg!(feature = "cuda") {
        true => &[DType::F32, DType::F64],
        false => &[DType::F32],
    }
}

/// The same numbers on both: a GPU's sine may differ in the last bit.
fn data(points: usize, dtype: DType, device: &Device) -> Result<Data> {
    let Data { x, y } = Data::new(points, dtype, CPU)?;
    let (x, y) = (x.to_device(device)?, y.to_device(device)?);
    Ok(Data { x, y })
}

fn start(dtype: DType, device: &Device) -> Result<Weights> {
    Weights::new(post::WEIGHTS.map(f64::from), dtype, device)
}

/// A patience of zero makes each epoch a row of its own, a longer one many epochs a row.
fn run(problem: (Method, usize, DType), device: &Device, patience: u64) -> Result<History> {
    let (method, points, dtype) = problem;
    let (data, start) = (data(points, dtype, device)?, start(dtype, device)?);
    let mut descent = method.descent(&data, &start)?;
    let options = Options {
        learning_rate: 1e-3 / points as f64,
        patience: Duration::from_millis(patience),
        ..Options::default()
    };
    let go_on = &mut |_: &Pause| Ok(ControlFlow::Continue(()));
    train::train(descent.as_mut(), &options, go_on)
}

/// Along 1000 epochs, f64 within 1e-11 of the CPU's losses and f32 within 1e-4, and what the rounding
/// of an error makes of its square where descent leaves little of it: an error is a difference of
/// terms as large as the first error, and is off by some units in the last place of those.
#[test]
fn every_rung_makes_the_trajectory_of_the_cpu() -> Result<()> {
    let gpu = gpu()?;
    for &dtype in dtypes() {
        let (bound, ulps) = match dtype {
            DType::F32 => (1e-4, 1e-6),
            _ => (1e-11, 1e-14),
        };
        for &method in Method::ALL {
            for (points, patience) in [(2, 0), (1000, 0), (1000, 50), (4099, 50)] {
                let problem = (method, points, dtype);
                let there = run(problem, &gpu, patience)?;
                let here = run(problem, CPU, patience)?;
                assert_eq!(there.losses.len(), 1000);
                let off = ulps * here.losses[0].sqrt();
                for (a, b) in there.losses.iter().zip(&here.losses) {
                    let allowed = bound * b + 4. * off * b.sqrt() + off * off;
                    assert!((a - b).abs() <= allowed, "{problem:?} {patience}: {a} {b}");
                }
            }
        }
    }
    Ok(())
}

/// The loss and the gradient of ten million points, beside the CPU's in f64.
#[test]
fn many_points_add_up() -> Result<()> {
    let gpu = gpu()?;
    let numbers = |dtype, device: &Device| -> Result<Vec<f64>> {
        let mut fused = Method::Fused.over(&data(10_000_001, dtype, device)?)?;
        let step = fused.loss_and_grad(&start(dtype, device)?)?;
        let mut all = step.grad.stack()?.to_dtype(DType::F64)?.to_vec1()?;
        all.push(step.loss.to_dtype(DType::F64)?.to_scalar()?);
        Ok(all)
    };
    for &dtype in dtypes() {
        // f32 data are not the f64 ones, so the CPU is given them too.
        let (there, here) = (numbers(dtype, &gpu)?, numbers(dtype, CPU)?);
        for (a, b) in there.iter().zip(&here) {
            assert!((a / b - 1.).abs() < 1e-6, "{dtype:?}: {there:?} {here:?}");
        }
    }
    Ok(())
}

/// As they come, cut out of the middle, spread out, and repeated.
fn layouts(t: &Tensor) -> Result<Vec<Tensor>> {
    let n = t.elem_count();
    let between = Tensor::stack(&[&t.neg()?, t, &t.exp()?], 1)?;
    let padded = Tensor::cat(&[&t.neg()?, t, t], 0)?;
    Ok(vec![
        t.clone(),
        padded.narrow(0, n, n)?,
        between.narrow(1, 1, 1)?.squeeze(1)?,
        t.get(0)?.reshape(1)?.expand(n)?,
    ])
}

/// The kernel reads every layout itself; gradcheck's variables are contiguous but for its probes.
#[test]
fn layouts_do_not_matter() -> Result<()> {
    let gpu = gpu()?;
    for &dtype in dtypes() {
        let Data { x, y } = data(1_000_003, dtype, &gpu)?;
        let packed = |t: &Tensor| t.force_contiguous()?.to_device(CPU);
        for (x, y) in layouts(&x)?.iter().zip(layouts(&y)?.iter().rev()) {
            for weights in 0..4 {
                let there = loss_and_grad(weights, x, y)?;
                let here = loss_and_grad(weights, &packed(x)?, &packed(y)?)?;
                let largest = here.iter().fold(0f64, |m, v| m.max(v.abs()));
                for (a, b) in there.iter().zip(&here) {
                    assert!((a - b).abs() <= 1e-6 * largest, "{there:?} {here:?}");
                }
            }
        }
    }
    Ok(())
}

/// The loss and its gradient by the weights, which are given in one of the layouts.
fn loss_and_grad(layout: usize, x: &Tensor, y: &Tensor) -> Result<Vec<f64>> {
    let weights = start(x.dtype(), x.device())?.stack()?;
    let weights = Var::from_tensor(&weights)?;
    let loss = squared_error(&layouts(&weights)?[layout], x, y)?;
    let grads = loss.backward()?;
    let grad = grads
        .get(&weights)
        .map(|g| g.to_dtype(DType::F64)?.to_vec1());
    let mut all: Vec<f64> = grad.transpose()?.unwrap_or_default();
    assert_eq!(all.len(), 4);
    all.push(loss.to_dtype(DType::F64)?.to_scalar()?);
    Ok(all)
}

#[test]
fn gradcheck_passes_the_fused_op() -> Result<()> {
    let gpu = gpu()?;
    for &dtype in dtypes() {
        let tensor = |v: &[f64]| Tensor::new(v, CPU)?.to_dtype(dtype)?.to_device(&gpu);
        let w = tensor(&[0.25, -0.5, -1.75, 0.75])?;
        let x = tensor(&[-3., -1.5, -0.25, 0.5, 1.25, 2., 2.75, 3., 0.125, 1., -2.])?;
        let y = x.sin()?;
        for w in layouts(&w)? {
            for (x, y) in layouts(&x)?.iter().zip(layouts(&y)?.iter().rev()) {
                let inputs = [w.clone(), x.clone(), y.clone()];
                // Metal has no f64 to take the numeric derivative in.
                let options = Checks::default().widen(cfg!(feature = "cuda"));
                let f = |t: &[Tensor]| squared_error(&t[0], &t[1], &t[2]);
                gradcheck(f, &inputs, &options)?.assert_pass();
            }
        }
    }
    Ok(())
}

/// A pass adds in one order: the same bits every time, and for as many epochs at a time as may be.
#[test]
fn the_same_numbers_come_out_again() -> Result<()> {
    let gpu = gpu()?;
    let problem = (Method::Fused, 100_003, DType::F32);
    let once = run(problem, &gpu, 50)?;
    let again = run(problem, &gpu, 0)?;
    assert_eq!(once.losses, again.losses);
    Ok(())
}

fn check_gpt(kind: Kind, dtype: DType, device: &Device) -> Result<ModelReport> {
    let varmap = VarMap::new();
    Gpt::new(kind, 8, VarBuilder::from_varmap(&varmap, dtype, device))?;
    numbers::fill(&varmap, 0)?;
    let f = |vb: VarBuilder| Gpt::new(kind, 8, vb)?.loss();
    gradcheck::model(&varmap, f, &Checks::default())
}

/// A whole model: a right one passes, and of a wrong one the parameter is named, as on the CPU. In
/// bf16 a right parameter may be left open, but is not accused.
#[test]
fn a_gpt_on_the_card_is_told_right_from_wrong() -> Result<()> {
    let gpu = gpu()?;
    let weight = "blocks.1.mlp.c_fc.weight";
    for dtype in [DType::F32, DType::BF16] {
        for (fault, verdict) in [
            (Fault::None, Verdict::Pass),
            (Fault::Cut, Verdict::Severed),
            (Fault::Times(2.), Verdict::Wrong),
        ] {
            let kind = Kind {
                fault,
                ..Kind::default()
            };
            let report = check_gpt(kind, dtype, &gpu)?;
            for parameter in &report.parameters {
                let found = parameter.verdict;
                match parameter.name == weight {
                    true => assert_eq!(found, verdict, "{dtype:?} {report}"),
                    false if dtype == DType::BF16 => assert!(!found.is_defect(), "{report}"),
                    false => assert_eq!(found, Verdict::Pass, "{report}"),
                }
            }
        }
    }
    Ok(())
}

/// candle's LayerNorm and softmax_last_dim have no backward on the card either.
#[test]
fn a_gpt_as_users_write_it_is_severed() -> Result<()> {
    let kind = Kind {
        norm: true,
        softmax: [true; 2],
        ..Kind::default()
    };
    let report = check_gpt(kind, DType::F32, &gpu()?)?;
    assert_eq!(report.with(Verdict::Severed).count(), 28, "{report}");
    assert_eq!(report.with(Verdict::Pass).count(), 1, "{report}");
    Ok(())
}
