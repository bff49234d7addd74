//! A checker that computes nothing passes everything: proof that this one does not.

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, bail};

use super::judge::verdict::Verdict;
use super::options::{Mode, Options};
use super::run::run;
use super::support::exec::Serial;

/// x³ with 3x² for its gradient, or a corrupted one.
struct Cube {
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Every entry off by a millionth.
    Scaled,
    /// One entry off by a hundredth.
    OneEntry,
    Sign,
    /// No gradient.
    Cut,
    NaN,
    Panic,
}

impl CustomOp1 for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let CpuStorage::F64(values) = storage else {
            bail!("cube: f64 only")
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("cube: contiguous input only")
        };
        let cubes = values[start..end].iter().map(|x| x * x * x).collect();
        Ok((CpuStorage::F64(cubes), layout.shape().clone()))
    }

    #[allow(clippy::panic)] // the fault to be caught
    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let right = (grad * (x.sqr()? * 3.)?)?;
        let first = Tensor::cat(
            &[
                Tensor::ones(1, DType::F64, &Device::Cpu)?,
                Tensor::zeros(x.elem_count() - 1, DType::F64, &Device::Cpu)?,
            ],
            0,
        )?;
        Ok(match self.fault {
            Fault::None => Some(right),
            Fault::Scaled => Some((right * (1. + 1e-6))?),
            Fault::OneEntry => Some((&right + (&right * first)? * 0.01)?),
            Fault::Sign => Some(right.neg()?),
            Fault::Cut => None,
            Fault::NaN => Some((right * f64::NAN)?),
            Fault::Panic => panic!("planted"),
        })
    }
}

/// Plants faults in a right gradient, in the caller's own build, and makes sure that each is caught
/// and that the right one passes, entry by entry and by projections.
///
/// # Errors
///
/// If a fault was missed or a right gradient flagged, naming it: then no other verdict of this build
/// means anything.
///
/// ```
/// candle_sine::gradcheck::negative_control()?;
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn negative_control() -> Result<()> {
    let expected = [
        (Fault::None, &[Verdict::Pass][..]),
        (Fault::Scaled, &[Verdict::Imprecise]),
        (Fault::OneEntry, &[Verdict::Wrong]),
        (Fault::Sign, &[Verdict::Wrong]),
        (Fault::Cut, &[Verdict::Severed]),
        (Fault::NaN, &[Verdict::NonFinite]),
        (Fault::Panic, &[Verdict::Panicked]),
    ];
    let x = Tensor::new(&[0.7f64, -1.3, 2.1, 0.4, -0.6], &Device::Cpu)?;
    for mode in [Mode::Full, Mode::Fast] {
        for (fault, verdicts) in expected {
            let f = |t: &[Tensor]| t[0].apply_op1(Cube { fault });
            let options = Options::default().mode(mode).probes(false);
            let inputs = std::slice::from_ref(&x);
            let verdict = run(&Serial::new(f), None, inputs, &options)?.verdict();
            if !verdicts.contains(&verdict) {
                bail!(
                    "gradcheck's negative control failed: {fault:?} in {mode:?} mode gave {verdict}"
                )
            }
        }
    }
    Ok(())
}
