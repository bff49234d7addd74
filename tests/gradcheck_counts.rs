//! What a report says of its own cost: calls of f, backward passes, and for a model the passes both
//! ways, beside a count taken from outside.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, Var, bail};
use candle_sine::gradcheck::{self, Mode, Options, Probe, Report, Verdict, gradcheck};

const CPU: &Device = &Device::Cpu;

/// Gives its input as it is, and counts the backward passes that come through.
struct Counting(Arc<AtomicUsize>);

impl CustomOp1 for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((from, to)) = layout.contiguous_offsets() else {
            bail!("counting: made contiguous by its caller")
        };
        let storage = match storage {
            CpuStorage::F32(values) => CpuStorage::F32(values[from..to].to_vec()),
            CpuStorage::F64(values) => CpuStorage::F64(values[from..to].to_vec()),
            _ => bail!("counting: f32 and f64"),
        };
        Ok((storage, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.0.fetch_add(1, Relaxed);
        Ok(Some(grad.clone()))
    }
}

/// Calls of f and backward passes.
#[derive(Default)]
struct Counts {
    forwards: Cell<usize>,
    backwards: Arc<AtomicUsize>,
}

impl Counts {
    /// `y`, counted where it is made and where its gradient comes back.
    fn through(&self, y: Tensor) -> Result<Tensor> {
        self.forwards.set(self.forwards.get() + 1);
        y.contiguous()?.apply_op1(Counting(self.backwards.clone()))
    }

    fn taken(&self) -> (usize, usize) {
        (self.forwards.take(), self.backwards.swap(0, Relaxed))
    }
}

fn tensor(dtype: DType) -> Result<Tensor> {
    Tensor::new(&[[0.3f64, -1.2, 0.9], [0.7, 2.1, -0.4]], CPU)?.to_dtype(dtype)
}

/// What is counted outside: one backward pass through f is one through its op, but where a probe calls f
/// twice in one graph.
fn agrees(counts: &Counts, report: &Report) {
    let (calls, through) = counts.taken();
    assert_eq!(report.evaluations, calls, "{report}");
    let twice = report.probes.iter().filter(|p| p.probe == Probe::Twice);
    assert_eq!(report.backwards + twice.count(), through, "{report}");
}

#[test]
fn a_report_counts_calls_and_backward_passes() -> Result<()> {
    for dtype in [DType::F64, DType::F32] {
        for mode in [Mode::Full, Mode::Fast] {
            let counts = Counts::default();
            let right = |t: &[Tensor]| counts.through((&t[0] * t[0].sin()?)?.sum(1)?);
            // An error of one entry, which has to be found; a kink, which is looked at again.
            let wrong = |t: &[Tensor]| {
                let first = t[0].get(1)?.get(2)?;
                let y = ((&t[0] * 2.)?.sum(1)? + (&first - first.detach())?.broadcast_as(2))?;
                counts.through(y)
            };
            let kink = |t: &[Tensor]| counts.through((&t[0] - t[0].detach())?.abs()?.sum(1)?);
            let options = Options::default().mode(mode);
            agrees(&counts, &gradcheck(right, &[tensor(dtype)?], &options)?);
            let report = gradcheck(wrong, &[tensor(dtype)?], &options)?;
            assert_eq!(report.verdict(), Verdict::Wrong, "{report}");
            agrees(&counts, &report);
            agrees(&counts, &gradcheck(kink, &[tensor(dtype)?], &options)?);
        }
    }
    Ok(())
}

#[test]
fn a_models_report_counts_its_passes() -> Result<()> {
    for dtype in [DType::F64, DType::F32] {
        for factor in [1., 0., 2.] {
            let w = Var::from_tensor(&tensor(dtype)?)?;
            let b = Var::new(&[0.1f64, -0.2, 0.3], CPU)?;
            let b = Var::from_tensor(&b.to_dtype(dtype)?)?;
            let x = Tensor::new(&[[1f64, 2.], [3., 4.]], CPU)?.to_dtype(dtype)?;
            let named = [("w".to_string(), w.clone()), ("b".to_string(), b.clone())];
            let counts = Counts::default();
            let loss = || {
                // The gradient of b times the factor.
                let scaled = ((b.as_tensor() * factor)? + (b.detach() * (1. - factor))?)?;
                let y = x.matmul(&w)?.broadcast_add(&scaled)?.tanh()?;
                let y = gradcheck::mark("hidden", &y);
                counts.through(y.sqr()?.sum_all()?)
            };
            let report = gradcheck::vars(&named, loss, &Options::default())?;
            let (calls, through) = counts.taken();
            assert_eq!(
                (report.passes, report.passes + report.forwards),
                (through, calls)
            );
            assert_eq!(report.is_pass(), factor == 1., "{report}");
        }
    }
    Ok(())
}

/// What is cut is found by few passes forward, however little each moves the loss.
#[test]
fn what_is_cut_takes_four_passes_a_tensor() -> Result<()> {
    for share in [1., 1e-2, 1e-4] {
        let w = Var::new(&[0.7f32, -1.1, 0.4], CPU)?;
        let cut: Vec<Var> = (0..30)
            .map(|k| Var::new(&[0.5f32 + 0.1 * k as f32, -1., 2., 0.3], CPU))
            .collect::<Result<_>>()?;
        let mut named = vec![("w".to_string(), w.clone())];
        named.extend((cut.iter().enumerate()).map(|(k, var)| (format!("cut.{k}"), var.clone())));
        let loss = || {
            let mut y = w.sin()?.sqr()?.sum_all()?;
            for var in &cut {
                y = (y + (var.detach().tanh()?.sum_all()? * share)?)?;
            }
            Ok(y)
        };
        let report = gradcheck::vars(&named, loss, &Options::default())?;
        assert_eq!(report.with(Verdict::Severed).count(), 30, "{report}");
        assert!(report.forwards <= 4 * 31, "{} forward", report.forwards);
        assert!(report.passes <= 60, "{} passes", report.passes);
    }
    Ok(())
}
