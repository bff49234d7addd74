//! PyTorch's next step: `loss.backward()` finds the gradient.

use super::{Gradient, LossAndGrad};
use crate::pytorch::sum;
use crate::sine::cubic::{Powers, cubic};
use crate::sine::{Data, Weights};
use candle_core::{Result, Tensor, Var, bail};

/// The gradient by candle's reverse-mode differentiation of the loss.
#[derive(Debug)]
pub struct Autograd {
    powers: Powers,
    y: Tensor,
}

impl Autograd {
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

impl Gradient for Autograd {
    fn loss_and_grad(&mut self, weights: &Weights) -> Result<LossAndGrad> {
        let weights = requires_grad(weights)?;
        let y_pred = cubic(&self.powers, &weights)?;
        let error = (y_pred - &self.y)?;
        let loss = sum(&error.sqr()?)?;

        let grads = loss.backward()?;
        let grad = |weight: &Tensor| match grads.get(weight) {
            Some(grad) => Ok(grad.clone()),
            None => bail!("backward found no gradient for a weight"),
        };

        let [a, b, c, d] = [&weights.a, &weights.b, &weights.c, &weights.d].map(grad);
        let grad = Weights {
            a: a?,
            b: b?,
            c: c?,
            d: d?,
        };
        Ok(LossAndGrad {
            loss: loss.detach(),
            grad,
        })
    }
}

/// PyTorch's `requires_grad=True`: candle tracks a `Var`.
fn requires_grad(w: &Weights) -> Result<Weights> {
    let var = |t: &Tensor| Ok::<_, candle_core::Error>(Var::from_tensor(t)?.into_inner());
    Ok(Weights {
        a: var(&w.a)?,
        b: var(&w.b)?,
        c: var(&w.c)?,
        d: var(&w.d)?,
    })
}
