//! A checker that computes nothing passes everything: proof that this one does not.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};

use super::judge::verdict::Verdict;
use super::options::{Mode, Options};
use super::run::run;
use super::support::exec::Serial;

/// x³, with a gradient made of 3x² times the output's gradient.
struct Cube {
    gradient: Corrupted,
}

type Corrupted = fn(Tensor) -> Result<Option<Tensor>>;

/// Gradients, and the verdict that each has to have.
const GRADIENTS: [(&str, Corrupted, Verdict); 7] = [
    ("right", |g| Ok(Some(g)), Verdict::Pass),
    (
        "a millionth too large",
        |g| (g * (1. + 1e-6)).map(Some),
        Verdict::Imprecise,
    ),
    ("one entry off by a hundredth", one_entry, Verdict::Wrong),
    ("of the other sign", |g| g.neg().map(Some), Verdict::Wrong),
    ("cut", |_| Ok(None), Verdict::Severed),
    ("NaN", |g| (g * f64::NAN).map(Some), Verdict::NonFinite),
    ("a panic", panics, Verdict::Panicked),
];

fn one_entry(g: Tensor) -> Result<Option<Tensor>> {
    let first = (g.narrow(0, 0, 1)? * 1.01)?;
    let others = g.narrow(0, 1, g.elem_count() - 1)?;
    Tensor::cat(&[first, others], 0).map(Some)
}

#[allow(clippy::panic)] // the fault to be caught
fn panics(_: Tensor) -> Result<Option<Tensor>> {
    panic!("planted")
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

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.gradient)((grad * (x.sqr()? * 3.)?)?)
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
    let x = Tensor::new(&[0.7f64, -1.3, 2.1, 0.4, -0.6], &Device::Cpu)?;
    for mode in [Mode::Full, Mode::Fast] {
        for (name, gradient, expected) in GRADIENTS {
            let f = |t: &[Tensor]| t[0].apply_op1(Cube { gradient });
            let options = Options::default().mode(mode).probes(false);
            let inputs = std::slice::from_ref(&x);
            let verdict = run(&Serial::new(f), None, inputs, &options)?.verdict();
            if verdict != expected {
                bail!(
                    "gradcheck's negative control failed: a gradient that is {name} gave {verdict} in \
                     {mode:?} mode"
                )
            }
        }
    }
    Ok(())
}
