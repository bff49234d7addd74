//! Every rung on a GPU against the CPU. Only where built with `cuda` or `metal`:
//!
//! `cargo test --release --features cuda --test device`
//!
//! Without a card these tests fail: a pass means that they ran on one.

#![cfg(any(feature = "cuda", feature = "metal"))]

use candle_core::{DType, Device, Result, Tensor};
use candle_sine::gradcheck::{self, gradcheck};
use candle_sine::sine::gradient::Method;
use candle_sine::sine::gradient::fused::squared_error;
use candle_sine::sine::train::{self, Epoch, History, Options};
use candle_sine::sine::{Data, Weights, weights};
use std::ops::ControlFlow;

const CPU: &Device = &Device::Cpu;

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
    Weights::new(weights::POST.map(f64::from), dtype, device)
}

fn run(method: Method, points: usize, dtype: DType, device: &Device) -> Result<History> {
    let mut gradient = method.over(&data(points, dtype, device)?)?;
    let options = Options {
        learning_rate: 1e-3 / points as f64,
        ..Options::default()
    };
    let go_on = &mut |_: &Epoch| Ok(ControlFlow::Continue(()));
    train::train(gradient.as_mut(), start(dtype, device)?, &options, go_on)
}

/// Along 1000 epochs: f64 within 1e-11 of the CPU's losses, f32 within 1e-5, as the sums of either
/// device are of the exact ones.
#[test]
fn every_rung_makes_the_trajectory_of_the_cpu() -> Result<()> {
    let gpu = gpu()?;
    for &dtype in dtypes() {
        let bound = if dtype == DType::F32 { 1e-5 } else { 1e-11 };
        for &method in Method::ALL {
            for points in [2, 1000, 4099] {
                let there = run(method, points, dtype, &gpu)?;
                let here = run(method, points, dtype, CPU)?;
                assert_eq!(there.losses.len(), 1000);
                for (a, b) in there.losses.iter().zip(&here.losses) {
                    let apart = (a - b).abs() / b.abs().max(1e-6);
                    assert!(apart < bound, "{method:?} {dtype:?} {points}: {a} {b}");
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
                let options = gradcheck::Options::default().widen(cfg!(feature = "cuda"));
                let f = |t: &[Tensor]| squared_error(&t[0], &t[1], &t[2]);
                gradcheck(f, &inputs, &options)?.assert_pass();
            }
        }
    }
    Ok(())
}

/// A pass adds in one order: the same bits every time.
#[test]
fn the_same_numbers_come_out_again() -> Result<()> {
    let gpu = gpu()?;
    let once = run(Method::Fused, 100_003, DType::F32, &gpu)?;
    let again = run(Method::Fused, 100_003, DType::F32, &gpu)?;
    assert_eq!(once.losses, again.losses);
    Ok(())
}
