//! The normal equations (`src/tutorial/normal.rs`): the loss is a quadratic in the weights, so x and y are not
//! read twice.

use super::fused::rounded;
use super::least_squares::Moments;
use super::{Data, Descent, Weights};
use candle_core::{DType, Result};

/// The weights are `f64` whatever the dtype of the data is.
pub(super) struct Normal {
    moments: Moments,
    weights: Weights,
    gradient: Weights,
    learning_rate: f64,
    dtype: DType,
}

impl Normal {
    pub fn new(data: &Data, weights: Weights, learning_rate: f64) -> Result<Self> {
        Ok(Self {
            moments: Moments::new(data)?,
            weights,
            gradient: Weights::default(),
            learning_rate,
            dtype: data.x.dtype(),
        })
    }
}

impl Descent for Normal {
    fn epoch(&mut self) -> Result<f64> {
        let (loss, gradient) = self.moments.loss_and_grad(self.weights);
        for (w, grad) in self.weights.iter_mut().zip(gradient) {
            *w -= self.learning_rate * grad;
        }
        self.gradient = gradient;
        Ok(rounded(loss, self.dtype))
    }

    fn weights(&self) -> Result<Weights> {
        Ok(self.weights)
    }

    fn gradient(&self) -> Result<Weights> {
        Ok(self.gradient)
    }
}
