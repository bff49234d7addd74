//! A checker that computes nothing passes everything: proof that this one does not.

use candle_core::{Device, Result, Tensor, bail};

use super::judge::verdict::Verdict;
use super::options::{Mode, Options};
use super::run::run;
use super::support::exec::Serial;

/// What takes the place of g·(x - x), whose value is 0 and whose gradient is g.
type Term = fn(g: &Tensor, zero: &Tensor) -> Result<Tensor>;

/// Gradients, and the verdict that each has to have.
const GRADIENTS: [(&str, Term, Verdict); 6] = [
    ("right", |g, zero| g * zero, Verdict::Pass),
    (
        "a millionth too large",
        |g, zero| (g * (1. + 1e-6))? * zero,
        Verdict::Imprecise,
    ),
    ("off by a hundredth in one entry", one_entry, Verdict::Wrong),
    (
        "of the other sign",
        |g, zero| g.neg()? * zero,
        Verdict::Wrong,
    ),
    ("cut", |g, zero| g * zero.detach(), Verdict::Severed),
    ("NaN", |_, zero| zero.sqr()?.sqrt(), Verdict::NonFinite),
];

fn one_entry(g: &Tensor, zero: &Tensor) -> Result<Tensor> {
    let first = (g.narrow(0, 0, 1)? * 1.01)?;
    let others = g.narrow(0, 1, g.elem_count() - 1)?;
    Tensor::cat(&[first, others], 0)? * zero
}

/// x³, with the gradient that `term` has at g = 3x².
fn cube(x: &Tensor, term: Term) -> Result<Tensor> {
    let plain = x.detach();
    let squares = plain.sqr()?;
    (&squares * &plain)? + term(&(squares * 3.)?, &(x - &plain)?)?
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
        for (name, term, expected) in GRADIENTS {
            let f = |t: &[Tensor]| cube(&t[0], term);
            let options = Options::default().mode(mode).probes(false);
            let inputs = std::slice::from_ref(&x);
            let verdict = run(&Serial::new(f), None, inputs, &options)?.verdict();
            if verdict != expected {
                bail!(
                    "gradcheck's negative control failed: a gradient that is {name} gave {verdict} \
                     in {mode:?} mode"
                )
            }
        }
    }
    Ok(())
}
