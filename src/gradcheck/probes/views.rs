//! Views of a variable that hold an input's values in another layout.
//!
//! candle's own gradients of the ops used here (transpose, narrow, squeeze, broadcast_as, affine by
//! a power of two) were read in candle-core 0.11.1's `backprop.rs` and are exact, and the audit holds
//! each against numbers, so that a probe never accuses f of their faults.

use candle_core::{Result, Tensor, Var};

use crate::gradcheck::report::Probe;
use crate::gradcheck::support::values::to_f64;

/// A variable, the view of it that f is given, and the way back for expectations.
pub(crate) struct View {
    pub(crate) var: Var,
    pub(crate) view: Tensor,
}

/// The view for a probe, or why this shape has none.
pub(crate) fn view(probe: Probe, x: &Tensor) -> Result<std::result::Result<View, &'static str>> {
    match probe {
        Probe::Transposed | Probe::AllTransposed => transposed(x),
        Probe::Narrowed => narrowed(x),
        Probe::Offset => offset(x),
        Probe::Expanded => expanded(x),
        _ => non_leaf(x).map(Ok),
    }
}

/// The last two dimensions longer than 1, which a transpose makes strided.
pub(crate) fn long_dims(x: &Tensor) -> Option<(usize, usize)> {
    let long: Vec<usize> = (0..x.rank()).filter(|&d| x.dims()[d] > 1).collect();
    match long[..] {
        [.., a, b] => Some((a, b)),
        _ => None,
    }
}

/// The same values as the transpose of a contiguous tensor, where there are two dimensions to it.
pub(crate) fn strided(x: &Tensor) -> Result<Tensor> {
    match long_dims(x) {
        Some((a, b)) => x.transpose(a, b)?.contiguous()?.transpose(a, b),
        None => Ok(x.clone()),
    }
}

fn transposed(x: &Tensor) -> Result<std::result::Result<View, &'static str>> {
    let Some((a, b)) = long_dims(x) else {
        return Ok(Err("needs two dimensions longer than 1"));
    };
    let var = Var::from_tensor(&x.transpose(a, b)?.contiguous()?)?;
    let view = var.transpose(a, b)?;
    Ok(Ok(View { var, view }))
}

/// Two elements of padding on the left and one on the right of the last dimension; a vector is a
/// column of a matrix, a scalar an element of a vector. The padding repeats x's own values.
fn narrowed(x: &Tensor) -> Result<std::result::Result<View, &'static str>> {
    if x.rank() < 2 {
        let column = x.unsqueeze(x.rank())?;
        let var = Var::from_tensor(&Tensor::cat(&[&column, &column, &column], x.rank())?)?;
        let view = var.narrow(x.rank(), 1, 1)?.squeeze(x.rank())?;
        return Ok(Ok(View { var, view }));
    }
    padded(x, x.rank() - 1)
}

fn offset(x: &Tensor) -> Result<std::result::Result<View, &'static str>> {
    if x.rank() == 0 {
        return Ok(Err("a scalar has no first dimension"));
    }
    padded(x, 0)
}

fn padded(x: &Tensor, dim: usize) -> Result<std::result::Result<View, &'static str>> {
    let edge = x.narrow(dim, 0, 1)?;
    let var = Var::from_tensor(&Tensor::cat(&[&edge, &edge, x, &edge], dim)?)?;
    let view = var.narrow(dim, 2, x.dim(dim)?)?;
    Ok(Ok(View { var, view }))
}

/// Constant along the longest dimension, so at another point than x.
fn expanded(x: &Tensor) -> Result<std::result::Result<View, &'static str>> {
    let longest = (0..x.rank()).max_by_key(|&d| x.dims()[d]);
    let Some(dim) = longest.filter(|&d| x.dims()[d] > 1) else {
        return Ok(Err("needs a dimension longer than 1"));
    };
    let middle = x.dims()[dim] / 2;
    let var = Var::from_tensor(&x.narrow(dim, middle, 1)?)?;
    let view = var.broadcast_as(x.shape())?;
    Ok(Ok(View { var, view }))
}

/// Twice a variable of half the value: exact, and the gradient is exactly twice.
fn non_leaf(x: &Tensor) -> Result<View> {
    let var = Var::from_tensor(&x.affine(0.5, 0.)?)?;
    let view = var.affine(2., 0.)?;
    Ok(View { var, view })
}

/// The gradient that the view's variable gets from `gradient`, that of the view itself.
pub(crate) fn pull_back(view: &View, probe: Probe, gradient: &[f64]) -> Result<Vec<f64>> {
    let device = candle_core::Device::Cpu;
    let gradient = Tensor::from_slice(gradient, view.view.dims(), &device)?;
    let on_var = match probe {
        Probe::Transposed | Probe::AllTransposed => {
            let back = long_dims(&view.view).map(|(a, b)| gradient.transpose(a, b));
            back.unwrap_or_else(|| Ok(gradient.clone()))?
        }
        Probe::Expanded => {
            let summed =
                (0..view.var.rank()).filter(|&d| view.var.dims()[d] != view.view.dims()[d]);
            gradient.sum_keepdim(summed.collect::<Vec<_>>())?
        }
        Probe::Narrowed if view.view.rank() < 2 => {
            let dim = view.view.rank();
            gradient.unsqueeze(dim)?.pad_with_zeros(dim, 1, 1)?
        }
        Probe::Narrowed => gradient.pad_with_zeros(view.view.rank() - 1, 2, 1)?,
        Probe::Offset => gradient.pad_with_zeros(0, 2, 1)?,
        _ => gradient.affine(2., 0.)?,
    };
    to_f64(&on_var)
}
