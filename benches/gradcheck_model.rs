//! Checks a GPT of two blocks (100,000 parameters) by name, in f64 and f32, right and with faults.
//!
//! `cargo bench --bench gradcheck_model` prints a line of JSON, for
//! scripts/gradcheck_model_vs_pytorch.py.

#![allow(clippy::unwrap_used)] // a benchmark that cannot run should stop

#[path = "../tests/common/gpt.rs"]
mod gpt;
#[path = "../tests/common/numbers.rs"]
mod numbers;

use std::time::Instant;

use candle_core::{DType, Result};
use candle_nn::{VarBuilder, VarMap};
use candle_sine::gradcheck::{self, ModelReport, Options};
use gpt::{Fault, Gpt, Kind};

const N: usize = 64;

fn check(dtype: DType, fault: Fault) -> Result<ModelReport> {
    let varmap = VarMap::new();
    let kind = Kind {
        fault,
        ..Kind::default()
    };
    Gpt::new(
        kind,
        N,
        VarBuilder::from_varmap(&varmap, dtype, numbers::CPU),
    )?;
    numbers::fill(&varmap, 0)?;
    let f = |vb: VarBuilder| Gpt::new(kind, N, vb)?.loss();
    gradcheck::model(&varmap, f, &Options::default())
}

/// The median of three, after one to warm up.
fn seconds(dtype: DType) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..4 {
        let start = Instant::now();
        check(dtype, Fault::None)?.assert_pass();
        times.push(start.elapsed().as_secs_f64());
    }
    times.remove(0);
    times.sort_by(f64::total_cmp);
    Ok(times[1])
}

fn main() -> Result<()> {
    let right = check(DType::F64, Fault::None)?;
    let numbers: usize = (right.parameters.iter())
        .map(|p| p.shape.iter().product::<usize>())
        .sum();
    let faults = [
        ("cut", Fault::Cut),
        ("doubled", Fault::Times(2.)),
        ("scaled by 1.01", Fault::Times(1.01)),
        ("scaled by 1.001", Fault::Times(1.001)),
    ];
    let mut said = Vec::new();
    for (name, fault) in faults {
        for dtype in [DType::F64, DType::F32] {
            let report = check(dtype, fault)?;
            let p = report.parameter("blocks.1.mlp.c_fc.weight").unwrap();
            said.push(format!(
                r#"{{"fault":"{name}","dtype":"{}","verdict":"{}","of":"{}"}}"#,
                dtype.as_str(),
                report.verdict(),
                p.verdict
            ));
        }
    }
    println!(
        r#"{{"numbers":{numbers},"loss":{:.17},"passes":{},"f64":{:.6},"f32":{:.6},"faults":[{}]}}"#,
        right.loss,
        right.passes,
        seconds(DType::F64)?,
        seconds(DType::F32)?,
        said.join(",")
    );
    Ok(())
}
