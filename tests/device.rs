//! Every way to the gradient on a GPU, beside the CPU. Only where built with `cuda` or `metal`:
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

use candle_core::{DType, Device, Result};
use candle_nn::{VarBuilder, VarMap};
use candle_sine::gradcheck::{self, ModelReport, Options as Checks, Verdict};
use candle_sine::sine::{Data, Method, post};
use gpt::{Fault, Gpt, Kind};
use numbers::CPU;

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

fn run(method: Method, points: usize, dtype: DType, device: &Device) -> Result<Vec<f64>> {
    let data = data(points, dtype, device)?;
    let mut descent = method.begin(&data, post::WEIGHTS, 1e-3 / points as f64)?;
    (0..1000).map(|_| descent.epoch()).collect()
}

/// Along 1000 epochs, f64 within 1e-11 of the CPU's losses and f32 within 1e-4, and what the rounding
/// of an error makes of its square where descent leaves little of it: an error is a difference of
/// terms as large as the first error, and is off by some units in the last place of those.
#[test]
fn every_way_makes_the_trajectory_of_the_cpu() -> Result<()> {
    let gpu = gpu()?;
    for &dtype in dtypes() {
        let (bound, ulps) = match dtype {
            DType::F32 => (1e-4, 1e-6),
            _ => (1e-11, 1e-14),
        };
        for &method in Method::ALL {
            for points in [2, 1000, 4099] {
                let there = run(method, points, dtype, &gpu)?;
                let here = run(method, points, dtype, CPU)?;
                let off = ulps * here[0].sqrt();
                for (a, b) in there.iter().zip(&here) {
                    let allowed = bound * b + 4. * off * b.sqrt() + off * off;
                    assert!((a - b).abs() <= allowed, "{method:?} {points}: {a} {b}");
                }
            }
        }
    }
    Ok(())
}

/// The loss and the gradient of ten million points, beside the CPU's: a sum in two steps on the card.
#[test]
fn many_points_add_up() -> Result<()> {
    let gpu = gpu()?;
    let numbers = |dtype, device: &Device| -> Result<Vec<f64>> {
        let data = data(10_000_001, dtype, device)?;
        let mut manual = Method::Manual.begin(&data, post::WEIGHTS, 0.)?;
        let loss = manual.epoch()?;
        Ok([vec![loss], manual.gradient()?.to_vec()].concat())
    };
    for &dtype in dtypes() {
        let (there, here) = (numbers(dtype, &gpu)?, numbers(dtype, CPU)?);
        for (a, b) in there.iter().zip(&here) {
            assert!((a / b - 1.).abs() < 1e-5, "{dtype:?}: {there:?} {here:?}");
        }
    }
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
