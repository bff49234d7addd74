//! Epochs with the weights as four numbers instead of four tensors.

use super::Stretch;
use crate::sine::Weights;
use candle_core::{DType, Device, Result, Tensor, bail};

/// The loss and its gradient by a, b, c, d.
pub(super) type LossAndGradOf = (f64, [f64; 4]);

/// [`Gradient::descend`](super::Gradient::descend), number for number what it does by tensors: in
/// `f32` the gradient, the product with the rate, the weights and the loss are rounded to `f32`.
pub(super) fn descend(
    weights: &Weights,
    dtype: DType,
    rate: f64,
    epochs: usize,
    mut loss_and_grad: impl FnMut([f64; 4]) -> Result<LossAndGradOf>,
) -> Result<Stretch> {
    check_dtype(weights, dtype)?;
    let round = match dtype {
        DType::F32 => |v: f64| f64::from(v as f32),
        _ => |v: f64| v,
    };
    let rate = round(rate);
    let mut after = weights.values()?;
    let mut before = after;
    let mut losses = Vec::with_capacity(epochs);
    for _ in 0..epochs {
        let (loss, grad) = loss_and_grad(after)?;
        losses.push(round(loss));
        before = after;
        for (w, g) in after.iter_mut().zip(grad) {
            *w = round(*w - round(rate * round(g)));
        }
    }
    let device = weights.a.device();
    Ok(Stretch {
        losses: Tensor::from_vec(losses, epochs, &Device::Cpu)?,
        y_pred_weights: Weights::new(before, dtype, device)?,
        weights: Weights::new(after, dtype, device)?,
    })
}

/// Tensor operations would refuse weights of another dtype than the data's.
pub(super) fn check_dtype(weights: &Weights, dtype: DType) -> Result<()> {
    match weights.a.dtype() {
        ours if ours == dtype => Ok(()),
        ours => bail!(
            "the weights are {}, the data {}: one dtype is needed",
            ours.as_str(),
            dtype.as_str()
        ),
    }
}
