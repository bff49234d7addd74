//! PyTorch's `torch.nn` and `torch.optim`: a layer holds the weights, an optimizer moves them.

use super::{Gradient, LossAndGrad, Stretch};
use crate::pytorch::sum;
use crate::sine::cubic::Powers;
use crate::sine::{Data, Weights};
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use candle_nn::{AdamW, Linear, Module, Optimizer as _, ParamsAdamW, SGD};

/// The gradient of a `Linear` layer on the features (x³, x², x), and an optimizer's way down it.
#[derive(Debug)]
pub struct Optimizer<O> {
    x: Tensor,
    y: Tensor,
    weight: Var,
    bias: Var,
    optimizer: O,
}

impl Optimizer<SGD> {
    /// Over `data`, with candle-nn's `SGD`: plain gradient descent.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn sgd(data: &Data) -> Result<Self> {
        Self::new(data, |vars| SGD::new(vars, 0.))
    }
}

impl Optimizer<AdamW> {
    /// Over `data`, with candle-nn's `AdamW` and no weight decay. Its steps follow the sign of the
    /// gradient more than its size, so it wants a rate of its own, near 1e-2 here; and it remembers
    /// the epochs before.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn adamw(data: &Data) -> Result<Self> {
        let options = ParamsAdamW {
            weight_decay: 0.,
            ..ParamsAdamW::default()
        };
        Self::new(data, |vars| AdamW::new(vars, options))
    }
}

impl<O: candle_nn::Optimizer> Optimizer<O> {
    fn new(data: &Data, optimizer: impl FnOnce(Vec<Var>) -> Result<O>) -> Result<Self> {
        let Powers { x, x2, x3 } = Powers::new(&data.x)?;
        let x = Tensor::stack(&[x3, x2, x], 1)?;
        let y = data.y.unsqueeze(1)?;
        let weight = Var::zeros((1, 3), x.dtype(), x.device())?;
        let bias = Var::zeros(1, x.dtype(), x.device())?;
        let optimizer = optimizer(vec![weight.clone(), bias.clone()])?;
        Ok(Self {
            x,
            y,
            weight,
            bias,
            optimizer,
        })
    }

    /// The loss of the layer as it stands, and the gradient that `backward` finds.
    fn backward(&self) -> Result<(Tensor, GradStore)> {
        let layer = Linear::new(
            self.weight.as_tensor().clone(),
            Some(self.bias.as_tensor().clone()),
        );
        let y_pred = layer.forward(&self.x)?;
        let error = (y_pred - &self.y)?;
        let loss = sum(&error.sqr()?)?;

        let grads = loss.backward()?;
        Ok((loss.detach(), grads))
    }

    /// (a, b, c) into the layer's weight, d into its bias.
    fn set(&self, w: &Weights) -> Result<()> {
        let weight = Tensor::stack(&[&w.a, &w.b, &w.c], 0)?;
        self.weight.set(&weight.unsqueeze(0)?)?;
        self.bias.set(&w.d.unsqueeze(0)?)
    }
}

/// What [`Optimizer::set`] took apart; a copy, since the layer's tensors change in place.
fn weights(weight: &Tensor, bias: &Tensor) -> Result<Weights> {
    Weights::unstack(&Tensor::cat(&[&weight.flatten_all()?, bias], 0)?)
}

impl<O: candle_nn::Optimizer> Gradient for Optimizer<O> {
    fn loss_and_grad(&mut self, w: &Weights) -> Result<LossAndGrad> {
        self.set(w)?;
        let (loss, grads) = self.backward()?;
        let (Some(weight), Some(bias)) = (grads.get(&self.weight), grads.get(&self.bias)) else {
            bail!("backward found no gradient for the layer")
        };
        let grad = weights(weight, bias)?;
        Ok(LossAndGrad { loss, grad })
    }

    fn descend(&mut self, w: &Weights, rate: f64, epochs: usize) -> Result<Stretch> {
        self.set(w)?;
        self.optimizer.set_learning_rate(rate);
        let mut losses = Vec::with_capacity(epochs);
        let mut y_pred_weights = w.clone();
        for epoch in 0..epochs {
            if epoch + 1 == epochs {
                y_pred_weights = weights(&self.weight, &self.bias)?;
            }
            let (loss, grads) = self.backward()?;
            self.optimizer.step(&grads)?;
            losses.push(loss);
        }
        Ok(Stretch {
            losses: Tensor::stack(&losses, 0)?,
            y_pred_weights,
            weights: weights(&self.weight, &self.bias)?,
        })
    }
}
