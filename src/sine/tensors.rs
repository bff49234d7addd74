//! What the ways that are made of tensor operations have in common.

use super::{Data, Descent, Weights};
use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

/// Four weights as tensors of shape `()`.
pub(super) fn tensors(weights: Weights, dtype: DType, device: &Device) -> Result<[Tensor; 4]> {
    let tensor = |w: f64| {
        Tensor::new(w, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)
    };
    let [a, b, c, d] = weights;
    Ok([tensor(a)?, tensor(b)?, tensor(c)?, tensor(d)?])
}

/// The number of a tensor of shape `()`; exact for `f32` and `f64`.
pub(super) fn number(t: &Tensor) -> Result<f64> {
    match t.dtype() {
        DType::F32 => Ok(f64::from(t.to_scalar::<f32>()?)),
        _ => t.to_scalar(),
    }
}

pub(super) fn numbers([a, b, c, d]: &[Tensor; 4]) -> Result<Weights> {
    Ok([number(a)?, number(b)?, number(c)?, number(d)?])
}

/// Points, and what never changes: x² and x³.
pub(super) struct Powers {
    pub x: Tensor,
    pub x2: Tensor,
    pub x3: Tensor,
    pub y: Tensor,
}

impl Powers {
    pub fn of(Data { x, y }: &Data) -> Result<Self> {
        Ok(Self {
            x: x.clone(),
            x2: x.powf(2.)?,
            x3: x.powf(3.)?,
            y: y.clone(),
        })
    }

    /// a x³ + b x² + c x + d: a weight has the shape (), x has (points,), so candle is told to broadcast.
    pub fn cubic(&self, [a, b, c, d]: &[Tensor; 4]) -> Result<Tensor> {
        let y_pred = (self.x3.broadcast_mul(a)? + self.x2.broadcast_mul(b)?)?;
        (y_pred + self.x.broadcast_mul(c)?)?.broadcast_add(d)
    }
}

/// The loss, and its gradient by a, b, c, d: tensors of shape `()`.
pub(super) type LossAndGrad = (Tensor, [Tensor; 4]);

/// Points of a part: tensors of 64 KiB, which stay in a core's cache while they are filled and read.
const PART: usize = 1 << 14;

/// The post's loop: weights that are tensors, and any way to the loss and its gradient over some points.
/// The loss is a sum over points, so the loss and the gradient of all points are the sums of those of the
/// parts. (In PyTorch: `loss.backward()` once a part, which adds to what `.grad` holds.)
pub(super) struct ByTensors {
    parts: Vec<Powers>,
    loss_and_grad: fn(&Powers, &[Tensor; 4]) -> Result<LossAndGrad>,
    weights: [Tensor; 4],
    gradient: [Tensor; 4],
    learning_rate: f64,
}

impl ByTensors {
    pub fn new(
        data: &Data,
        weights: Weights,
        learning_rate: f64,
        loss_and_grad: fn(&Powers, &[Tensor; 4]) -> Result<LossAndGrad>,
    ) -> Result<Self> {
        let (dtype, device) = (data.x.dtype(), data.x.device());
        let part = match device.is_cpu() {
            true => PART,
            false => data.x.elem_count(),
        };
        Ok(Self {
            parts: data
                .parts(part)?
                .iter()
                .map(Powers::of)
                .collect::<Result<_>>()?,
            loss_and_grad,
            weights: tensors(weights, dtype, device)?,
            gradient: tensors([0.; 4], dtype, device)?,
            learning_rate,
        })
    }

    fn total(&self) -> Result<LossAndGrad> {
        let of = |part: &Powers| (self.loss_and_grad)(part, &self.weights);
        if let [part] = self.parts.as_slice() {
            return of(part);
        }
        let parts: Vec<_> = self.parts.par_iter().map(of).collect::<Result<_>>()?;
        // In their order, so that the digits do not depend on the number of cores.
        let sum = |t: fn(&LossAndGrad) -> &Tensor| {
            Tensor::stack(&parts.iter().map(t).collect::<Vec<_>>(), 0)?.sum_all()
        };
        let gradient = [
            sum(|p| &p.1[0])?,
            sum(|p| &p.1[1])?,
            sum(|p| &p.1[2])?,
            sum(|p| &p.1[3])?,
        ];
        Ok((sum(|p| &p.0)?, gradient))
    }
}

impl Descent for ByTensors {
    fn epoch(&mut self) -> Result<f64> {
        let (loss, gradient) = self.total()?;
        for (w, grad) in self.weights.iter_mut().zip(&gradient) {
            *w = (&*w - self.learning_rate * grad)?;
        }
        self.gradient = gradient;
        number(&loss)
    }

    fn weights(&self) -> Result<Weights> {
        numbers(&self.weights)
    }

    fn gradient(&self) -> Result<Weights> {
        numbers(&self.gradient)
    }
}
