//! PyTorch's `torch.nn` and `torch.optim`: a layer holds the weights, an optimizer moves them.

use super::{Descent, Gradient, LossAndGrad};
use crate::pytorch::sum;
use crate::sine::cubic::Powers;
use crate::sine::{Data, Weights};
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use candle_nn::{AdamW, Linear, Module, Optimizer as _, ParamsAdamW, SGD};

/// A `Linear` layer on the features (x³, x², x), and an optimizer's way down its gradient.
#[derive(Debug)]
pub struct Optimizer<O> {
    layer: Layer,
    optimizer: O,
    y_pred_weights: Weights,
}

impl Optimizer<SGD> {
    /// From `weights` over `data`, with candle-nn's `SGD`: plain gradient descent.
    ///
    /// # Errors
    /// Weights of another dtype or on another device than the data.
    pub fn sgd(data: &Data, weights: &Weights) -> Result<Self> {
        Self::new(data, weights, |vars| SGD::new(vars, 0.))
    }

    /// The layer's gradient alone.
    pub(super) fn gradient(data: &Data) -> Result<impl Gradient + 'static> {
        Layer::new(data)
    }
}

impl Optimizer<AdamW> {
    /// From `weights` over `data`, with candle-nn's `AdamW` and no weight decay. Its steps follow the
    /// sign of the gradient more than its size, so it wants a rate of its own, near 1e-2 here; and it
    /// remembers the epochs before.
    ///
    /// # Errors
    /// Weights of another dtype or on another device than the data.
    pub fn adamw(data: &Data, weights: &Weights) -> Result<Self> {
        let options = ParamsAdamW {
            weight_decay: 0.,
            ..ParamsAdamW::default()
        };
        Self::new(data, weights, |vars| AdamW::new(vars, options))
    }
}

impl<O: candle_nn::Optimizer> Optimizer<O> {
    fn new(
        data: &Data,
        weights: &Weights,
        optimizer: impl FnOnce(Vec<Var>) -> Result<O>,
    ) -> Result<Self> {
        let layer = Layer::new(data)?;
        layer.set(weights)?;
        let optimizer = optimizer(vec![layer.weight.clone(), layer.bias.clone()])?;
        Ok(Self {
            layer,
            optimizer,
            y_pred_weights: weights.clone(),
        })
    }
}

impl<O: candle_nn::Optimizer> Descent for Optimizer<O> {
    fn descend(&mut self, learning_rate: f64, epochs: usize) -> Result<Tensor> {
        self.optimizer.set_learning_rate(learning_rate);
        let mut losses = Vec::with_capacity(epochs);
        for epoch in 0..epochs {
            if epoch + 1 == epochs {
                self.y_pred_weights = self.layer.get()?;
            }
            let (loss, grads) = self.layer.backward()?;
            self.optimizer.step(&grads)?;
            losses.push(loss);
        }
        Tensor::stack(&losses, 0)
    }

    fn loss(&mut self) -> Result<Tensor> {
        Ok(self.layer.loss()?.detach())
    }

    fn weights(&self) -> Result<Weights> {
        self.layer.get()
    }

    fn y_pred_weights(&self) -> Result<Weights> {
        Ok(self.y_pred_weights.clone())
    }
}

/// The layer: (a, b, c) is its weight, d its bias.
#[derive(Debug)]
struct Layer {
    x: Tensor,
    y: Tensor,
    weight: Var,
    bias: Var,
}

impl Layer {
    fn new(data: &Data) -> Result<Self> {
        let Powers { x, x2, x3 } = Powers::new(&data.x)?;
        let x = Tensor::stack(&[x3, x2, x], 1)?;
        let y = data.y.unsqueeze(1)?;
        let weight = Var::zeros((1, 3), x.dtype(), x.device())?;
        let bias = Var::zeros(1, x.dtype(), x.device())?;
        Ok(Self { x, y, weight, bias })
    }

    fn loss(&self) -> Result<Tensor> {
        let layer = Linear::new(
            self.weight.as_tensor().clone(),
            Some(self.bias.as_tensor().clone()),
        );
        let y_pred = layer.forward(&self.x)?;
        let error = (y_pred - &self.y)?;
        sum(&error.sqr()?)
    }

    /// The loss of the layer as it stands, and the gradient that `backward` finds.
    fn backward(&self) -> Result<(Tensor, GradStore)> {
        let loss = self.loss()?;
        let grads = loss.backward()?;
        Ok((loss.detach(), grads))
    }

    fn set(&self, w: &Weights) -> Result<()> {
        let weight = Tensor::stack(&[&w.a, &w.b, &w.c], 0)?;
        self.weight.set(&weight.unsqueeze(0)?)?;
        self.bias.set(&w.d.unsqueeze(0)?)
    }

    fn get(&self) -> Result<Weights> {
        weights(&self.weight, &self.bias)
    }
}

/// What [`Layer::set`] took apart; a copy, since the layer's tensors change in place.
fn weights(weight: &Tensor, bias: &Tensor) -> Result<Weights> {
    Weights::unstack(&Tensor::cat(&[&weight.flatten_all()?, bias], 0)?)
}

impl Gradient for Layer {
    fn loss_and_grad(&mut self, w: &Weights) -> Result<LossAndGrad> {
        self.set(w)?;
        let (loss, grads) = self.backward()?;
        let (Some(weight), Some(bias)) = (grads.get(&self.weight), grads.get(&self.bias)) else {
            bail!("backward found no gradient for the layer")
        };
        let grad = weights(weight, bias)?;
        Ok(LossAndGrad { loss, grad })
    }
}
