//! Gradient descent under way: weights that an epoch moves, in the form that suits the way to the
//! gradient. Between two epochs nothing is turned from tensors into numbers or back.

use super::{Gradient, LossAndGrad, check_dtype};
use crate::sine::Weights;
use candle_core::{DType, Device, Result, Tensor};

/// A descent: where it is, and how it goes on.
pub trait Descent {
    /// `epochs` updates, at least one: each subtracts `learning_rate` times the gradient. Returns the
    /// loss of every epoch, before its update: shape `(epochs,)`.
    ///
    /// # Errors
    /// Weights of another dtype or on another device than the data.
    fn descend(&mut self, learning_rate: f64, epochs: usize) -> Result<Tensor>;

    /// The loss at the weights as they are, of rank 0.
    ///
    /// # Errors
    /// Those of [`descend`](Self::descend).
    fn loss(&mut self) -> Result<Tensor>;

    /// The weights as they are.
    ///
    /// # Errors
    /// A device that is out of memory.
    fn weights(&self) -> Result<Weights>;

    /// The weights that the last epoch's `y_pred` was computed with, one update older.
    ///
    /// # Errors
    /// A device that is out of memory.
    fn y_pred_weights(&self) -> Result<Weights>;
}

/// The post's loop: any gradient, and weights that are tensors.
pub(super) struct ByTensors<G> {
    gradient: G,
    weights: Weights,
    y_pred_weights: Weights,
}

impl<G: Gradient> ByTensors<G> {
    pub(super) fn new(gradient: G, weights: &Weights) -> Self {
        let (weights, y_pred_weights) = (weights.clone(), weights.clone());
        Self {
            gradient,
            weights,
            y_pred_weights,
        }
    }
}

impl<G: Gradient> Descent for ByTensors<G> {
    fn descend(&mut self, learning_rate: f64, epochs: usize) -> Result<Tensor> {
        let mut losses = Vec::with_capacity(epochs);
        for _ in 0..epochs {
            let LossAndGrad { loss, grad } = self.gradient.loss_and_grad(&self.weights)?;
            let stepped = self.weights.step(&grad, learning_rate)?;
            self.y_pred_weights = std::mem::replace(&mut self.weights, stepped);
            losses.push(loss);
        }
        Tensor::stack(&losses, 0)
    }

    fn loss(&mut self) -> Result<Tensor> {
        Ok(self.gradient.loss_and_grad(&self.weights)?.loss)
    }

    fn weights(&self) -> Result<Weights> {
        Ok(self.weights.clone())
    }

    fn y_pred_weights(&self) -> Result<Weights> {
        Ok(self.y_pred_weights.clone())
    }
}

/// The loss and its gradient by a, b, c, d.
pub(super) type Numbers = (f64, [f64; 4]);

/// The same with weights that are four numbers: tensors of one element would cost more than a pass
/// over a thousand points. Number for number what tensors give: in `f32` the gradient, its product
/// with the rate, the weights and the loss are rounded to `f32`.
pub(super) struct ByNumbers<F> {
    loss_and_grad: F,
    weights: [f64; 4],
    y_pred_weights: [f64; 4],
    dtype: DType,
    device: Device,
    /// The passes are shared among the threads of rayon's pool.
    shared: bool,
}

impl<F: FnMut([f64; 4]) -> Result<Numbers> + Send> ByNumbers<F> {
    /// Over data of the dtype `dtype`.
    pub(super) fn new(
        loss_and_grad: F,
        weights: &Weights,
        dtype: DType,
        shared: bool,
    ) -> Result<Self> {
        check_dtype(weights, dtype)?;
        let values = weights.values()?;
        Ok(Self {
            loss_and_grad,
            weights: values,
            y_pred_weights: values,
            dtype,
            device: weights.a.device().clone(),
            shared,
        })
    }

    fn round(&self, value: f64) -> f64 {
        match self.dtype {
            DType::F32 => f64::from(value as f32),
            _ => value,
        }
    }

    fn epochs(&mut self, learning_rate: f64, epochs: usize) -> Result<Vec<f64>> {
        let learning_rate = self.round(learning_rate);
        let mut losses = Vec::with_capacity(epochs);
        for _ in 0..epochs {
            let (loss, grad) = (self.loss_and_grad)(self.weights)?;
            losses.push(self.round(loss));
            self.y_pred_weights = self.weights;
            for (i, grad) in grad.into_iter().enumerate() {
                let step = self.round(learning_rate * self.round(grad));
                self.weights[i] = self.round(self.weights[i] - step);
            }
        }
        Ok(losses)
    }

    fn tensors(&self, weights: [f64; 4]) -> Result<Weights> {
        Weights::new(weights, self.dtype, &self.device)
    }
}

impl<F: FnMut([f64; 4]) -> Result<Numbers> + Send> Descent for ByNumbers<F> {
    fn descend(&mut self, learning_rate: f64, epochs: usize) -> Result<Tensor> {
        let losses = match self.shared {
            // Once on one of the threads that share the work, instead of once an epoch.
            true => rayon::scope(|_| self.epochs(learning_rate, epochs))?,
            false => self.epochs(learning_rate, epochs)?,
        };
        Tensor::from_vec(losses, epochs, &Device::Cpu)
    }

    fn loss(&mut self) -> Result<Tensor> {
        let (loss, _) = (self.loss_and_grad)(self.weights)?;
        Tensor::new(self.round(loss), &Device::Cpu)
    }

    fn weights(&self) -> Result<Weights> {
        self.tensors(self.weights)
    }

    fn y_pred_weights(&self) -> Result<Weights> {
        self.tensors(self.y_pred_weights)
    }
}
