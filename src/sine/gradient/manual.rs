//! The post: the gradient written by hand, with tensor operations only.

use super::{Gradient, LossAndGrad};
use crate::pytorch::sum;
use crate::sine::cubic::{Powers, cubic};
use crate::sine::{Data, Weights};
use candle_core::{Result, Tensor};

/// The gradient by the chain rule: `grad_y_pred = 2 (y_pred - y)`, `grad_a = Σ grad_y_pred x³`, ...
#[derive(Debug)]
pub struct Manual {
    powers: Powers,
    y: Tensor,
}

impl Manual {
    /// Over `data`.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn new(data: &Data) -> Result<Self> {
        let powers = Powers::new(&data.x)?;
        let y = data.y.clone();
        Ok(Self { powers, y })
    }
}

impl Gradient for Manual {
    fn loss_and_grad(&mut self, weights: &Weights) -> Result<LossAndGrad> {
        let y_pred = cubic(&self.powers, weights)?;
        let error = (y_pred - &self.y)?;
        let loss = sum(&error.sqr()?)?;

        let grad_y_pred = (2.0 * error)?;
        let grad_a = sum(&(&grad_y_pred * &self.powers.x3)?)?;
        let grad_b = sum(&(&grad_y_pred * &self.powers.x2)?)?;
        let grad_c = sum(&(&grad_y_pred * &self.powers.x)?)?;
        let grad_d = sum(&grad_y_pred)?;

        let [a, b, c, d] = [grad_a, grad_b, grad_c, grad_d];
        let grad = Weights { a, b, c, d };
        Ok(LossAndGrad { loss, grad })
    }
}
