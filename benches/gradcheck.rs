//! Checks an MLP (Linear 64x64 + tanh, twice, batch 8, f64, every parameter) in full and fast mode.
//!
//! `cargo bench --bench gradcheck` times both with criterion. With `GRADCHECK_JSON=1` it runs each
//! `GRADCHECK_REPEATS` times and prints a line of JSON instead, for scripts/gradcheck_vs_pytorch.py.

#![allow(clippy::unwrap_used)] // a benchmark that cannot run should stop

use std::time::Instant;

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};
use candle_sine::gradcheck::{Mode, Options, Report, par_gradcheck};
use criterion::Criterion;

const WIDTH: usize = 64;
const BATCH: usize = 8;

/// sin(k φ) scaled: the same numbers in any language, and nothing special about them.
fn values(n: usize, from: usize, scale: f64) -> Vec<f64> {
    (0..n)
        .map(|k| scale * (0.618_033_988_75 * (k + from) as f64 + 0.1).sin())
        .collect()
}

/// W1, b1, W2, b2; and x, which is not checked.
fn inputs() -> Result<Vec<Tensor>> {
    let d = &Device::Cpu;
    let weight = |from| Tensor::from_vec(values(WIDTH * WIDTH, from, 0.125), (WIDTH, WIDTH), d);
    let bias = |from| Tensor::from_vec(values(WIDTH, from, 0.125), WIDTH, d);
    Ok(vec![
        weight(0)?,
        bias(5000)?,
        weight(10_000)?,
        bias(15_000)?,
        Tensor::from_vec(values(BATCH * WIDTH, 20_000, 1.), (BATCH, WIDTH), d)?,
    ])
}

fn mlp(t: &[Tensor]) -> Result<Tensor> {
    let hidden = t[4].matmul(&t[0].t()?)?.broadcast_add(&t[1])?.tanh()?;
    hidden.matmul(&t[2].t()?)?.broadcast_add(&t[3])?.tanh()
}

/// The identity with one fault: where the gradient of output element 300 flows back, element 40 of
/// that row's gradient is off by a millionth of itself.
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
        Ok((
            CpuStorage::F64(v[start..end].to_vec()),
            layout.shape().clone(),
        ))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut g = grad.flatten_all()?.to_vec1::<f64>()?;
        g[FAULTY] *= 1. + 1e-6;
        Ok(Some(Tensor::from_vec(g, grad.shape(), grad.device())?))
    }
}

/// Row 4, column 44 of the output: its bias b2[44] then has one entry off, d y[4, 44] / d b2[44].
const FAULTY: usize = 4 * WIDTH + 44;

/// The same MLP, with one Jacobian entry of b2 off by 1e-6 of its value.
fn faulty(t: &[Tensor]) -> Result<Tensor> {
    let hidden = t[4].matmul(&t[0].t()?)?.broadcast_add(&t[1])?.tanh()?;
    let bias = t[3]
        .broadcast_as((BATCH, WIDTH))?
        .contiguous()?
        .apply_op1(OneEntry)?;
    (hidden.matmul(&t[2].t()?)? + bias)?.tanh()
}

fn check(f: fn(&[Tensor]) -> Result<Tensor>, mode: Mode) -> Result<Report> {
    par_gradcheck(f, &inputs()?, &options(mode, false))
}

fn options(mode: Mode, probes: bool) -> Options {
    Options::default().mode(mode).inputs(0..4).probes(probes)
}

fn seconds(mode: Mode, probes: bool) -> Result<f64> {
    let inputs = inputs()?;
    let start = Instant::now();
    let report = par_gradcheck(mlp, &inputs, &options(mode, probes))?;
    let seconds = start.elapsed().as_secs_f64();
    if !report.is_pass() {
        bail!("{report}")
    }
    Ok(seconds)
}

/// One line of JSON: times, the largest difference from autograd, and what is said of the fault.
fn json() -> Result<()> {
    let repeats: usize = std::env::var("GRADCHECK_REPEATS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let mut rows = Vec::new();
    for _ in 0..repeats {
        rows.push(format!(
            r#"{{"full":{:.6},"fast":{:.6},"fast_probes":{:.6}}}"#,
            seconds(Mode::Full, false)?,
            seconds(Mode::Fast, false)?,
            seconds(Mode::Fast, true)?,
        ));
    }
    let full = check(mlp, Mode::Full)?;
    let apart = full.inputs.iter().map(|i| i.max_abs_err).fold(0., f64::max);
    let entries: usize = full.inputs.iter().map(|i| i.entries).sum();
    let caught = check(faulty, Mode::Fast)?;
    let found = caught.inputs.iter().find(|i| i.verdict.is_defect());
    let place = found
        .and_then(|i| i.worst.as_ref())
        .map(|w| format!("{:?} {:?}", w.output, w.input));
    println!(
        r#"{{"runs":[{}],"evaluations":{},"backwards":{},"entries":{entries},"furthest":{apart:e},"max_rel_err":{:e},"fault_verdict":"{}","fault_input":{},"fault_at":"{}","smallest_visible":{:e},"fast_evaluations":{}}}"#,
        rows.join(","),
        full.evaluations,
        full.backwards,
        full.inputs.iter().map(|i| i.max_rel_err).fold(0., f64::max),
        caught.verdict(),
        found.map_or(-1, |i| i.input as i64),
        place.unwrap_or_default(),
        caught
            .inputs
            .iter()
            .filter_map(|i| i.smallest_visible)
            .fold(0., f64::max),
        check(mlp, Mode::Fast)?.evaluations,
    );
    Ok(())
}

fn main() {
    if std::env::var_os("GRADCHECK_JSON").is_some() {
        json().unwrap();
        return;
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let mut group = criterion.benchmark_group("gradcheck of an MLP, 8,320 parameters, 512 outputs");
    group.bench_function("full", |b| b.iter(|| seconds(Mode::Full, false).unwrap()));
    group.bench_function("fast", |b| b.iter(|| seconds(Mode::Fast, false).unwrap()));
    group.bench_function("fast, with probes", |b| {
        b.iter(|| seconds(Mode::Fast, true).unwrap())
    });
    group.finish();
    criterion.final_summary();
}
