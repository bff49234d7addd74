//! Second derivatives: the gradient itself, as a function whose gradient is checked.

use candle_core::{DType, Device, Result, Tensor, Var, bail};

use super::builder::Gradcheck;
use super::options::Options;
use super::report::Report;
use super::support::rng::SplitMix64;
use super::support::values::tensor;

/// Checks second derivatives: that the gradient of `f` has the right gradient, as
/// `torch.autograd.gradgradcheck` does.
///
/// What is checked is g(x) = vᵀJ(x) with fixed random weights v: its output is the gradient of every
/// float input, flattened and one after the other. Views of the inputs are not probed.
///
/// # Errors
///
/// As [`gradcheck`](super::gradcheck), and unless the environment variable
/// `CANDLE_GRAD_DO_NOT_DETACH` is `1`: candle otherwise detaches gradients from the graph (it reads the
/// variable once a thread, at the thread's first backward pass).
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_sine::gradcheck::{Options, gradgradcheck};
///
/// let x = Tensor::new(&[0.5f64, -1.5, 2.], &Device::Cpu)?;
/// match gradgradcheck(|t| t[0].sin(), &[x], &Options::default()) {
///     Ok(report) => report.assert_pass(),
///     // Without the variable there is nothing to check.
///     Err(error) => assert!(error.to_string().contains("CANDLE_GRAD_DO_NOT_DETACH")),
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn gradgradcheck<F>(f: F, inputs: &[Tensor], options: &Options) -> Result<Report>
where
    F: Fn(&[Tensor]) -> Result<Tensor>,
{
    if gradients_are_detached()? {
        bail!(
            "gradgradcheck: candle detaches gradients from their graph here, so there are no second \
             derivatives. Set CANDLE_GRAD_DO_NOT_DETACH=1 in the environment before the thread's \
             first backward pass"
        )
    }
    let seed = options.seed;
    let gradient = move |t: &[Tensor]| gradient(&f, t, seed);
    let options = options.clone().layouts(false);
    Gradcheck::of(gradient).options(options).run(inputs)
}

/// Whether the gradient of (x²)² at 1 has lost a part of its graph: its derivative is 12.
fn gradients_are_detached() -> Result<bool> {
    let x = Var::new(1f32, &Device::Cpu)?;
    let first = x.sqr()?.sqr()?.backward()?;
    let Some(first) = first.get(&x).filter(|g| g.track_op()) else {
        return Ok(true);
    };
    let second = first.backward()?;
    let second = second.get(&x).map(|g| g.to_scalar::<f32>()).transpose()?;
    Ok(second != Some(12.))
}

/// vᵀJ of every float input, in one vector.
fn gradient(f: &impl Fn(&[Tensor]) -> Result<Tensor>, t: &[Tensor], seed: u64) -> Result<Tensor> {
    let variable = |t: &Tensor| match t.dtype().is_float() && !t.is_variable() {
        true => Ok(Var::from_tensor(t)?.into_inner()),
        false => Ok(t.clone()),
    };
    let arguments = t.iter().map(variable).collect::<Result<Vec<_>>>()?;
    let y = f(&arguments)?;
    let v = SplitMix64::new(seed, 9).weights(y.elem_count());
    let v = tensor(&v, y.dims(), y.dtype(), y.device())?;
    let grads = (v * y)?.sum_all()?.backward()?;
    let parts = arguments.iter().filter(|x| x.dtype().is_float());
    let parts = parts.map(|x| match grads.get(x) {
        Some(g) => g.flatten_all()?.to_dtype(DType::F64),
        None => x.zeros_like()?.flatten_all()?.to_dtype(DType::F64),
    });
    let parts = parts.collect::<Result<Vec<_>>>()?;
    Tensor::cat(&parts, 0)
}
