//! Checks whether candle's gradient of a function is right, for any candle function.
//!
//! candle's graph can be cut, or a gradient be wrong, without an error. [`gradcheck`] compares the gradient
//! that candle's backward pass gives with one computed from values of f, for every entry ∂fᵢ/∂xⱼ of the Jacobian.
//!
//! # What is compared
//!
//! A comparison has three numbers: a from autograd, n from values of f alone, and e, the error of n. There
//! are two ways to get n, and both measure their own error ([`numeric`] has the details of the first).
//!
//! **At the point**, by Ridders' extrapolation of central differences to step 0, in f64 where f runs in it,
//! whatever the dtype of the inputs (they widen exactly):
//!
//! ```text
//! D(i, 0) = [f(x + hᵢ) - f(x - hᵢ)] / 2hᵢ,   hᵢ = h₀ / 2ⁱ
//! D(i, k) = [4ᵏ D(i, k-1) - D(i-1, k-1)] / (4ᵏ - 1)
//! e = how far D(i, k) is from D(i, k-1) and D(i-1, k-1), plus 2 ε / hᵢ,   ε the noise of f, measured
//! ```
//!
//! **Along a segment**, by the gradient theorem, which holds in any dtype and across kinks:
//!
//! ```text
//! n = f(x + u) - f(x - u),   a = ∫ ∇f(x + s u)·u ds over s from -1 to 1
//! e = the error of the integral and the noise of f, both from fourth differences along the segment
//! ```
//!
//! The checker takes the derivative at the point first, and segments where that contradicts autograd or leaves the
//! input open. Where f does not run in f64, segments decide. Where it does, they may take back a `wrong`, and certify
//! nothing unless f's values are as coarse as those of f32.
//!
//! # When each verdict is given
//!
//! With u the unit round-off of the dtype, S the largest gradient of the same output, and the options
//! κ = 4, rtol and atol: T = κ e + rtol max(|a|, |n|) + 8 u S. (8 u S is the rounding of the backward pass; where
//! the dtype is narrower than f64 and the same backward pass is right in f64, the last term is the largest of 8 u S,
//! rtol S and 64 u |f| / |x|.)
//!
//! | verdict | when |
//! |---|---|
//! | `pass` | \|a - n\| ≤ T, and e is small beside a and n, or beside S |
//! | `wrong` | \|a - n\| > T + atol, and segments do not take it back |
//! | `severed` | \|a - n\| > T + atol, and no gradient flows, or only zeros |
//! | `imprecise` | \|a - n\| > T + atol, but a is right to the digits of f32; or f computes in f32 inside f64 |
//! | `kink` | f jumps here, or its one-sided slopes differ and a lies between them: no derivative here |
//! | `inconclusive` | none of these: e is too large, or \|a - n\| ≤ T + atol: atol excuses and never certifies |
//! | `non_finite` | a value or a gradient is infinite or NaN |
//! | `nondeterministic` | the same call, or the same backward pass, gives another result |
//! | `unsupported`, `panicked` | the backward pass returns an error, or panics |
//!
//! Where the same backward pass is right in f64, an entry that is off by no more than a tenth in a narrower dtype is
//! `inconclusive` too.
//!
//! An input has the verdict of its worst entry, unless segments change it. Then four probes call f, or its backward
//! pass, in other ways that must not change the gradient ([`Probe`]): x used twice, as a strided view and as an
//! offset view, and another gradient of the output. A report has the worst verdict of all, `severed` before `wrong`;
//! `pass`, `kink` and `inconclusive` are no defects.
//!
//! [`Mode::Fast`] compares random projections vᵀJu. u and v are random signs times sizes from 1 to 2, not normalised,
//! so that one wrong entry shows by its full size; to find it, u and v are halved.
//!
//! # A wrong gradient, and what is said of it
//!
//! The user's op is x³, with 2x² where its gradient should have 3x²:
//!
//! ```
#![doc = include_str!("../../tests/data/gradcheck_example.rs")]
//! # report_of_the_wrong_cube().unwrap();
//! ```
//!
//! # In a test
//!
//! ```toml
//! [dev-dependencies]
//! candle-sine = { path = "../candle-sine", default-features = false } # a clone beside your crate
//! ```
//! ```
//! use candle_core::{Device, Result, Tensor};
//! use candle_sine::gradcheck::{Options, gradcheck};
//!
//! # fn my_op(x: &Tensor) -> Result<Tensor> { x.tanh() }
//! // #[test]
//! fn my_op_has_the_right_gradient() -> Result<()> {
//!     let x = Tensor::new(&[[0.3f64, -1.2], [0.7, 2.1]], &Device::Cpu)?;
//!     gradcheck(|t| my_op(&t[0]), &[x], &Options::default())?.assert_pass();
//!     Ok(())
//! }
//! # my_op_has_the_right_gradient().unwrap();
//! ```
//!
//! # Beside PyTorch
//!
//! [`torch.autograd.gradcheck`](https://docs.pytorch.org/docs/stable/notes/gradcheck.html) takes
//! central differences with a fixed step of 1e-6, so it needs f64 and tolerances of 1e-5 and 1e-3; it
//! counts a missing gradient as zero, and its fast mode normalises its random vectors.
//!
//! # Panics
//!
//! A panic inside candle's backward pass is caught and reported, and kept from the panic hook: the
//! first check installs a hook in front of the program's own, silent on a thread that is inside a
//! check and otherwise handing on. Under `panic = "abort"` such a panic ends the program.

mod ask;
mod autograd;
mod builder;
mod check;
mod compare;
mod control;
mod judge;
mod model;
mod modes;
pub mod numeric;
mod options;
mod probes;
mod report;
mod run;
mod second_order;
mod settle;
mod support;
mod wanders;

use candle_core::{Result, Tensor};

pub use builder::Gradcheck;
pub use control::negative_control;
pub use judge::verdict::Verdict;
#[cfg(feature = "nn")]
#[cfg_attr(docsrs, doc(cfg(feature = "nn")))]
pub use model::model;
pub use model::{Cut, Mark, ModelReport, ParameterReport, Segment, Suspect, mark, vars};
pub use options::{Mode, Options};
pub use report::{
    Entry, InputReport, ManualReport, OddOneOut, Outcome, Probe, ProbeReport, Report,
};
pub use second_order::gradgradcheck;

/// Checks the gradient that candle's backward pass gives for `f` at `inputs`.
///
/// `inputs` are plain tensors of any rank; gradcheck makes the variables. The float ones are checked,
/// the others passed through. `f` may return any shape. J[i, j] = ∂f_i/∂x_j by one backward pass for
/// each output i is compared with Ridders' derivative along each x_j, in f64 where `f` runs in it.
///
/// `f` is called from this thread only and may hold a `Cell`. This is the short form of [`Gradcheck`],
/// which also takes a gradient written by hand ([`Gradcheck::by_hand`]) and all cores
/// ([`Gradcheck::par_run`]).
///
/// # Errors
///
/// No inputs, no float input, inputs on different devices, tolerances that are negative or not
/// finite, an `f` that returns integers or changes its output's shape, and whatever error `f` itself
/// returns. An error or a panic of the *backward* pass is not an error but a verdict.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_sine::gradcheck::{Options, Verdict, gradcheck};
///
/// let x = Tensor::new(&[0.5f64, -1.5, 2.], &Device::Cpu)?;
/// let w = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.]], &Device::Cpu)?;
///
/// let report = gradcheck(|t| t[0].sin()?.sum_all(), &[x.clone()], &Options::default())?;
/// assert!(report.is_pass(), "{report}");
/// assert_eq!(report.inputs[0].certified, 3);
///
/// // A graph that is cut gives no gradient, and no error either.
/// let report = gradcheck(|t| t[0].detach().exp(), &[w], &Options::default())?;
/// assert_eq!(report.verdict(), Verdict::Severed);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn gradcheck<F>(f: F, inputs: &[Tensor], options: &Options) -> Result<Report>
where
    F: Fn(&[Tensor]) -> Result<Tensor>,
{
    Gradcheck::of(f).options(options.clone()).run(inputs)
}
