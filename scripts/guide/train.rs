//! A run of the page: what its reader may choose, and src/sine, which trains.

use candle_core::{DType, Device, Result};
use candle_sine::pytorch::linspace;
use candle_sine::sine::{self, Data, Method, Weights};
use std::f64::consts::PI;

/// What the cubic is to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Sin,
    Cos,
    /// -1 left of 0, 1 right of it
    Step,
}

impl Function {
    pub const ALL: [Self; 3] = [Self::Sin, Self::Cos, Self::Step];
}

/// A run, before its first epoch.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    pub points: usize,
    pub function: Function,
    pub dtype: DType,
    pub method: Method,
    pub learning_rate: f64,
    pub weights: Weights,
}

/// What an epoch computes: the loss and its gradient at the weights before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    pub loss: f64,
    pub weights: Weights,
    pub gradient: Weights,
}

/// A run that goes on by one epoch at a time.
pub struct Descent(Box<dyn sine::Descent>);

impl Descent {
    pub fn epoch(&mut self) -> Result<Epoch> {
        Ok(Epoch {
            weights: self.0.weights()?,
            loss: self.0.epoch()?,
            gradient: self.0.gradient()?,
        })
    }
}

impl Task {
    pub fn data(&self) -> Result<Data> {
        let x = linspace(-PI, PI, self.points, self.dtype, &Device::Cpu)?;
        let y = match self.function {
            Function::Sin => x.sin()?,
            Function::Cos => x.cos()?,
            Function::Step => x.sign()?,
        };
        Ok(Data { x, y })
    }

    pub fn begin(&self) -> Result<Descent> {
        let data = self.data()?;
        let descent = self.method.begin(&data, self.weights, self.learning_rate)?;
        Ok(Descent(descent))
    }
}
