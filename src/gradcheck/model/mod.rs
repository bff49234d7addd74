//! Whole models: their parameters by name, without calling f in f64.
//!
//! A check takes named variables and a function that reads them and returns the loss, and gives a
//! [`ModelReport`]. [`vars`] takes a model that is already built, [`model`] (feature `nn`) one that is
//! built from a `VarBuilder`; [`mark`] names places in it.

mod at_once;
#[cfg(feature = "nn")]
mod builder;
mod check;
mod context;
mod display;
mod localise;
mod marks;
mod names;
mod nondeterminism;
mod parameters;
mod plain;
mod report;
mod suspects;
mod zeros;

use candle_core::{Result, Tensor, Var, bail};

#[cfg(feature = "nn")]
pub use builder::model;
pub use marks::{Cut, Mark, mark};
pub use report::{ModelReport, ParameterReport, Segment};
pub use suspects::Suspect;

use super::options::Options;
use parameters::Parameters;

/// Checks the gradients of a model that is already built, by the names of its variables.
///
/// `loss` calls the model and returns one number. The variables are moved in place and put back bit
/// for bit, also when `loss` gives an error or panics. The check and its verdicts are those of
/// the page on models that do not learn (`gradcheck::model`, feature `nn`).
///
/// # Errors
///
/// No variables, one that is named twice or is no float, a loss that is not one number, variables
/// that `loss` does not read, and whatever error `loss` itself returns where the variables are.
///
/// ```
/// use candle_core::{Device, Result, Tensor, Var};
/// use candle_sine::gradcheck::{self, Options, Verdict};
///
/// let w = Var::new(&[[0.3f32, -0.7], [1.1, 0.4]], &Device::Cpu)?;
/// let b = Var::new(&[0.1f32, 0.2], &Device::Cpu)?;
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?; // data stay in f32
/// let named = [("w".to_string(), w.clone()), ("b".to_string(), b.clone())];
///
/// let right = || x.matmul(&w)?.broadcast_add(&b)?.relu()?.sqr()?.mean_all();
/// gradcheck::vars(&named, right, &Options::default())?.assert_pass();
///
/// let cut = || x.matmul(&w)?.broadcast_add(&b.as_detached_tensor())?.relu()?.sqr()?.mean_all();
/// let report = gradcheck::vars(&named, cut, &Options::default())?;
/// assert_eq!(report.parameter("b").map(|p| p.verdict), Some(Verdict::Severed));
/// assert_eq!(report.parameter("w").map(|p| p.verdict), Some(Verdict::Pass));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn vars<F>(named: &[(String, Var)], loss: F, options: &Options) -> Result<ModelReport>
where
    F: Fn() -> Result<Tensor>,
{
    options.validate()?;
    let copy = |var: &Var| var.as_tensor().copy().map(|t| t.detach());
    let origin: Result<Vec<Tensor>> = named.iter().map(|(_, var)| copy(var)).collect();
    let named = named.iter().cloned().zip(origin?);
    let named = named.map(|((name, var), origin)| (name, var, origin));
    let parameters = Parameters::new(named.collect(), options)?;
    let report = check::check(&parameters, &loss, options)?;
    if !report.unread.is_empty() {
        bail!(
            "gradcheck::vars: the loss does not depend on {}: does the model hold copies of its \
             own? Give the Vars that it was built from, and leave out those that this loss does not \
             use",
            names::fold(&report.unread).join(", ")
        )
    }
    Ok(report)
}
