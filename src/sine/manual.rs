//! The post's way (`src/tutorial/post.rs`): the gradient by hand, by the chain rule.

use super::tensors::{ByTensors, LossAndGrad, Powers};
use super::{Data, Weights};
use crate::pytorch::sum;
use candle_core::{Result, Tensor};

pub(super) fn descent(data: &Data, weights: Weights, learning_rate: f64) -> Result<ByTensors> {
    ByTensors::new(data, weights, learning_rate, loss_and_grad)
}

fn loss_and_grad(points: &Powers, weights: &[Tensor; 4]) -> Result<LossAndGrad> {
    let y_pred = points.cubic(weights)?;
    let error = (y_pred - &points.y)?;
    let loss = sum(&error.sqr()?)?;

    // ∂loss/∂a = Σ 2 (y_pred - y) x³, and so on.
    let grad_y_pred = (2. * error)?;
    let grad_a = sum(&(&grad_y_pred * &points.x3)?)?;
    let grad_b = sum(&(&grad_y_pred * &points.x2)?)?;
    let grad_c = sum(&(&grad_y_pred * &points.x)?)?;
    let grad_d = sum(&grad_y_pred)?;
    Ok((loss, [grad_a, grad_b, grad_c, grad_d]))
}
