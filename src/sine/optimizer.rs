//! PyTorch's `torch.nn` and `torch.optim` (`src/tutorial/optimizer.rs`): a `Linear` layer holds the weights,
//! `SGD` moves them.

use super::tensors::{number, tensors};
use super::{Data, Descent, Weights};
use crate::pytorch::sum;
use candle_core::{DType, Error, Result, Tensor, Var};
use candle_nn::{Linear, Module, Optimizer as _, SGD};

/// The columns x³, x², x, of shape `(points, 3)`, go into a layer with the weight (a, b, c), of shape
/// `(1, 3)`, and the bias d.
pub(super) struct Optimizer {
    columns: Tensor,
    y: Tensor,
    weight: Var,
    bias: Var,
    linear: Linear,
    sgd: SGD,
    gradient: Weights,
}

impl Optimizer {
    pub fn new(Data { x, y }: &Data, weights: Weights, learning_rate: f64) -> Result<Self> {
        let columns = Tensor::stack(&[x.powf(3.)?, x.powf(2.)?, x.clone()], 1)?;
        let [a, b, c, d] = tensors(weights, x.dtype(), x.device())?;
        let weight = Var::from_tensor(&Tensor::stack(&[a, b, c], 0)?.unsqueeze(0)?)?;
        let bias = Var::from_tensor(&d.unsqueeze(0)?)?;
        Ok(Self {
            columns,
            y: y.clone(),
            linear: Linear::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone())),
            sgd: SGD::new(vec![weight.clone(), bias.clone()], learning_rate)?,
            weight,
            bias,
            gradient: Weights::default(),
        })
    }
}

impl Descent for Optimizer {
    fn epoch(&mut self) -> Result<f64> {
        let y_pred = self.linear.forward(&self.columns)?.squeeze(1)?;
        let loss = sum(&(y_pred - &self.y)?.sqr()?)?;

        let grads = loss.backward()?;
        match (grads.get(&self.weight), grads.get(&self.bias)) {
            (Some(weight), Some(bias)) => self.gradient = four(weight, bias)?,
            _ => return Err(Error::msg("backward found no gradient for the layer")),
        }
        self.sgd.step(&grads)?;
        number(&loss)
    }

    fn weights(&self) -> Result<Weights> {
        four(&self.weight, &self.bias)
    }

    fn gradient(&self) -> Result<Weights> {
        Ok(self.gradient)
    }
}

/// (a, b, c) of shape `(1, 3)` and d of `(1,)`.
fn four(weight: &Tensor, bias: &Tensor) -> Result<Weights> {
    let all = Tensor::cat(&[&weight.flatten_all()?, bias], 0)?;
    let all = all.to_device(&candle_core::Device::Cpu)?;
    let all = all.to_dtype(DType::F64)?.to_vec1()?;
    all.try_into()
        .map_err(|_| Error::msg("a layer of three inputs has three weights and a bias"))
}
