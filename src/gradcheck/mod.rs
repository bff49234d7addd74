//! Is this the gradient? For any candle function.
//!
//! placeholder

mod analytic;
mod check;
mod compare;
mod display;
mod exec;
mod fast;
mod full;
pub mod numeric;
mod options;
mod oracle;
mod panics;
mod probes;
mod report;
mod rng;
mod three;
mod verdict;
mod views;

use candle_core::{Result, Tensor};

pub use options::{Mode, Options};
pub use report::{Dissent, Entry, InputReport, ManualReport, Outcome, Probe, ProbeReport, Report};
pub use verdict::Verdict;

use exec::{Parallel, Serial};

/// Checks the gradient that candle's backward pass gives for `f` at `inputs`.
pub fn gradcheck<F>(f: F, inputs: &[Tensor], options: &Options) -> Result<Report>
where
    F: Fn(&[Tensor]) -> Result<Tensor>,
{
    check::run(&Serial(f), None, inputs, options)
}

/// [`gradcheck`] on all cores.
pub fn par_gradcheck<F>(f: F, inputs: &[Tensor], options: &Options) -> Result<Report>
where
    F: Fn(&[Tensor]) -> Result<Tensor> + Sync,
{
    check::run(&Parallel(f), None, inputs, options)
}

/// A hand-written gradient against autograd and numbers.
pub fn gradcheck_with<F, M, G>(
    f: F,
    manual: M,
    inputs: &[Tensor],
    options: &Options,
) -> Result<Report>
where
    F: Fn(&[Tensor]) -> Result<Tensor>,
    M: Fn(&[Tensor], &Tensor) -> Result<Vec<G>>,
    G: Into<Option<Tensor>>,
{
    let manual = |inputs: &[Tensor], grad: &Tensor| -> Result<Vec<Option<Tensor>>> {
        Ok(manual(inputs, grad)?.into_iter().map(Into::into).collect())
    };
    check::run(&Serial(f), Some(&manual), inputs, options)
}
