//! PyTorch's next step (`src/tutorial/autograd.rs`): `loss.backward()` finds the gradient.

use super::tensors::{ByTensors, LossAndGrad, Powers};
use super::{Data, Weights};
use crate::pytorch::sum;
use candle_core::{Error, Result, Tensor, Var};

pub(super) fn descent(data: &Data, weights: Weights, learning_rate: f64) -> Result<ByTensors> {
    ByTensors::new(data, weights, learning_rate, loss_and_grad)
}

fn loss_and_grad(points: &Powers, [a, b, c, d]: &[Tensor; 4]) -> Result<LossAndGrad> {
    // PyTorch's `requires_grad=True`: candle records what is computed from a `Var`.
    let var = |w: &Tensor| Ok::<_, Error>(Var::from_tensor(w)?.into_inner());
    let weights = [var(a)?, var(b)?, var(c)?, var(d)?];
    let y_pred = points.cubic(&weights)?;
    let loss = sum(&(y_pred - &points.y)?.sqr()?)?;

    let grads = loss.backward()?;
    let grad = |w: &Tensor| {
        let grad = grads.get(w).cloned();
        grad.ok_or_else(|| Error::msg("backward found no gradient for a weight"))
    };
    let [a, b, c, d] = &weights;
    let gradient = [grad(a)?, grad(b)?, grad(c)?, grad(d)?];
    Ok((loss.detach(), gradient))
}
