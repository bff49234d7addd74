//! Ten million parameters: time and memory.
//!
//! `cargo test --release --test gradcheck_models_large -- --ignored --nocapture`

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Module, VarBuilder, VarMap, linear};
use candle_sine::gradcheck::{self, Options};

const N: usize = 2236;

/// The largest resident size so far, in bytes; None where the system does not say.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(1024. * kilobytes)
}

#[test]
#[ignore = "takes seconds, and wants a quiet machine"]
fn ten_million_parameters() -> Result<()> {
    let x = Tensor::randn(0f32, 1., (16, N), &Device::Cpu)?;
    let varmap = VarMap::new();
    let f = |vb: VarBuilder| {
        let h = linear(N, N, vb.pp("a"))?.forward(&x)?.relu()?;
        let h = linear(N, N, vb.pp("b"))?.forward(&h)?.relu()?;
        linear(N, 1, vb.pp("c"))?.forward(&h)?.sqr()?.mean_all()
    };
    let start = Instant::now();
    f(VarBuilder::from_varmap(&varmap, DType::F32, &Device::Cpu))?.backward()?;
    let (once, before) = (start.elapsed(), peak());
    let start = Instant::now();
    let report = gradcheck::model(&varmap, f, &Options::default())?;
    let took = start.elapsed();
    report.assert_pass();
    let bytes: usize = varmap.all_vars().iter().map(|v| 4 * v.elem_count()).sum();
    let times = |peak: Option<f64>| peak.map_or(f64::NAN, |p| p / bytes as f64);
    println!(
        "{} bytes of parameters; one backward {once:?}, peak {:.1} times; check {took:?}, {} passes, \
         peak {:.1} times\n{report}",
        bytes,
        times(before),
        report.passes,
        times(peak()),
    );
    assert!(report.passes <= 60 && took.as_secs() < 10, "{report}");
    assert!(peak().is_none_or(|_| times(peak()) < 6.));
    Ok(())
}
