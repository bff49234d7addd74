//! Times the check of an MLP (Linear 64x64 + tanh, twice, batch 8, f64) and that of a GPT of 100,000 numbers by
//! name, and says what each finds of a fault: `cargo bench --bench gradcheck` prints it as JSON. With
//! `-- FILE.safetensors` it also writes their values there, for scripts/bench_vs_pytorch.py.

#![allow(clippy::unwrap_used)] // a benchmark that cannot run should stop

#[path = "../tests/common/gpt.rs"]
mod gpt;
#[path = "../tests/common/numbers.rs"]
mod numbers;

use std::collections::HashMap;
use std::time::Instant;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use candle_nn::{VarBuilder, VarMap};
use candle_sine::gradcheck::{self, Gradcheck, Mode, ModelReport, Options, Report};
use gpt::{Fault, Gpt, Kind};
use numbers::CPU;
use serde_json::json;

const WIDTH: usize = 64;
const BATCH: usize = 8;
const GPT_WIDTH: usize = 64;

/// W1, b1, W2, b2; and x, which is not checked. Their elements are sin(φ k) of some scale.
fn mlp_inputs() -> Result<Vec<Tensor>> {
    let of = |dims: &[usize], from: usize, scale: f64| {
        let k = from..from + dims.iter().product::<usize>();
        let values = k.map(|k| scale * (0.618_033_988_75 * k as f64 + 0.1).sin());
        Tensor::from_vec(values.collect(), dims, CPU)
    };
    Ok(vec![
        of(&[WIDTH, WIDTH], 0, 0.125)?,
        of(&[WIDTH], 5000, 0.125)?,
        of(&[WIDTH, WIDTH], 10_000, 0.125)?,
        of(&[WIDTH], 15_000, 0.125)?,
        of(&[BATCH, WIDTH], 20_000, 1.)?,
    ])
}

fn mlp(t: &[Tensor]) -> Result<Tensor> {
    let hidden = t[4].matmul(&t[0].t()?)?.broadcast_add(&t[1])?.tanh()?;
    hidden.matmul(&t[2].t()?)?.broadcast_add(&t[3])?.tanh()
}

/// The same MLP, with one entry of its Jacobian off by 1e-6 of its value: d y[4, 44] / d b2[44].
fn faulty_mlp(t: &[Tensor]) -> Result<Tensor> {
    let hidden = t[4].matmul(&t[0].t()?)?.broadcast_add(&t[1])?.tanh()?;
    let bias = t[3].broadcast_as((BATCH, WIDTH))?.contiguous()?;
    (hidden.matmul(&t[2].t()?)? + bias.apply_op1(OneEntry)?)?.tanh()
}

/// The identity, with element [4, 44] of its gradient off by a millionth.
struct OneEntry;

impl CustomOp1 for OneEntry {
    fn name(&self) -> &'static str {
        "one entry"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F64(v), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            bail!("contiguous f64 only")
        };
        let values = v[start..end].to_vec();
        Ok((CpuStorage::F64(values), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut g = grad.flatten_all()?.to_vec1::<f64>()?;
        g[4 * WIDTH + 44] *= 1. + 1e-6;
        Ok(Some(Tensor::from_vec(g, grad.shape(), grad.device())?))
    }
}

fn check_mlp(f: fn(&[Tensor]) -> Result<Tensor>, mode: Mode, probes: bool) -> Result<Report> {
    let options = Options::default().mode(mode).inputs(0..4).probes(probes);
    Gradcheck::of(f).options(options).par_run(&mlp_inputs()?)
}

fn kind(fault: Fault) -> Kind {
    Kind {
        fault,
        ..Kind::default()
    }
}

fn gpt(dtype: DType) -> Result<VarMap> {
    let varmap = VarMap::new();
    let vb = VarBuilder::from_varmap(&varmap, dtype, CPU);
    Gpt::new(kind(Fault::None), GPT_WIDTH, vb)?;
    numbers::fill(&varmap, 0)?;
    Ok(varmap)
}

fn check_gpt(dtype: DType, fault: Fault) -> Result<ModelReport> {
    let f = |vb: VarBuilder| Gpt::new(kind(fault), GPT_WIDTH, vb)?.loss();
    gradcheck::model(&gpt(dtype)?, f, &Options::default())
}

/// Seconds: the median of three, after one to warm up.
fn seconds(check: impl Fn()) -> f64 {
    let mut times = [0; 4].map(|_| {
        let start = Instant::now();
        check();
        start.elapsed().as_secs_f64()
    });
    times[1..].sort_by(f64::total_cmp);
    times[2]
}

fn of_mlp() -> Result<serde_json::Value> {
    let time = |mode, probes| seconds(|| check_mlp(mlp, mode, probes).unwrap().assert_pass());
    let full = check_mlp(mlp, Mode::Full, false)?;
    let fault = |mode| -> Result<_> {
        let report = check_mlp(faulty_mlp, mode, false)?;
        let found = report.inputs.iter().find(|i| i.verdict.is_defect());
        let of = found.map(|i| format!("{} of input {}", i.verdict, i.input));
        Ok(of.unwrap_or_else(|| report.verdict().to_string()))
    };
    Ok(json!({
        "full": time(Mode::Full, false),
        "fast": time(Mode::Fast, false),
        "fast, with probes": time(Mode::Fast, true),
        "calls": [full.evaluations, check_mlp(mlp, Mode::Fast, false)?.evaluations],
        "differs by": full.inputs.iter().map(|i| i.max_abs_err).fold(0., f64::max),
        "fault": { "full": fault(Mode::Full)?, "fast": fault(Mode::Fast)? },
    }))
}

fn of_gpt() -> Result<serde_json::Value> {
    let time = |dtype| seconds(|| check_gpt(dtype, Fault::None).unwrap().assert_pass());
    let says = |fault| -> Result<_> {
        let of = |dtype| -> Result<_> {
            let report = check_gpt(dtype, fault)?;
            let parameter = report.parameter("blocks.1.mlp.c_fc.weight").unwrap();
            Ok(parameter.verdict.to_string())
        };
        Ok(json!([of(DType::F64)?, of(DType::F32)?]))
    };
    Ok(json!({
        "loss": check_gpt(DType::F64, Fault::None)?.loss,
        "f64": time(DType::F64),
        "f32": time(DType::F32),
        "faults": {
            "cut": says(Fault::Cut)?,
            "doubled": says(Fault::Times(2.))?,
            "scaled by 1.01": says(Fault::Times(1.01))?,
            "scaled by 1.001": says(Fault::Times(1.001))?,
        },
    }))
}

/// The values of both, the GPT's by their names.
fn save(path: &str) -> Result<()> {
    let names = ["mlp.w1", "mlp.b1", "mlp.w2", "mlp.b2", "mlp.x"].map(String::from);
    let mut tensors: HashMap<_, _> = names.into_iter().zip(mlp_inputs()?).collect();
    for (name, var) in gpt(DType::F64)?.data().lock().unwrap().iter() {
        tensors.insert(name.clone(), var.as_tensor().clone());
    }
    candle_core::safetensors::save(&tensors, path)
}

fn main() -> Result<()> {
    if let Some(path) = std::env::args()
        .skip(1)
        .find(|a| a.ends_with(".safetensors"))
    {
        save(&path)?;
    }
    println!("{:#}", json!({ "mlp": of_mlp()?, "gpt": of_gpt()? }));
    Ok(())
}
