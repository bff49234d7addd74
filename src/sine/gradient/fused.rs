//! PyTorch's last step, a function of one's own: the loss as one op that reads x and y once.

#[cfg(feature = "cuda")]
mod cuda;

use super::descent::{ByNumbers, ByTensors, Descent, Numbers};
use super::{Gradient, LossAndGrad};
use crate::pytorch::sum;
use crate::sine::cubic::{Powers, cubic};
use crate::sine::pass::{self, Terms};
use crate::sine::{Data, Weights};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, DType, Device, Layout, Result, Shape, Tensor, Var, bail};
use pulp::Simd;
use std::sync::OnceLock;

/// The gradient by an op that finds it while it finds the loss.
#[derive(Debug)]
pub struct Fused {
    x: Tensor,
    y: Tensor,
}

impl Fused {
    /// Over `data`.
    ///
    /// # Errors
    /// None.
    pub fn new(data: &Data) -> Result<Self> {
        let x = data.x.clone();
        let y = data.y.clone();
        Ok(Self { x, y })
    }

    /// On the CPU the same pass, with weights that are numbers. On a CUDA device the same kernel,
    /// which leaves the next weights there.
    pub(super) fn descent(self, weights: &Weights) -> Result<Box<dyn Descent>> {
        Ok(match self.x.device() {
            Device::Cpu => {
                let (dtype, shared) = (self.x.dtype(), pass::is_shared(&self.x));
                let Self { x, y } = self;
                let pass = move |w| pass::sums(SquaredError(w), &x, &y).map(split);
                Box::new(ByNumbers::new(pass, weights, dtype, shared)?)
            }
            #[cfg(feature = "cuda")]
            Device::Cuda(_) => Box::new(cuda::OnDevice::new(self, weights)?),
            _ => Box::new(ByTensors::new(self, weights)),
        })
    }
}

impl Gradient for Fused {
    fn loss_and_grad(&mut self, weights: &Weights) -> Result<LossAndGrad> {
        let weights = Var::from_tensor(&weights.stack()?)?;
        let loss = squared_error(&weights, &self.x, &self.y)?;

        let grads = loss.backward()?;
        let grad = match grads.get(&weights) {
            Some(grad) => Weights::unstack(grad)?,
            None => bail!("backward found no gradient for the weights"),
        };
        Ok(LossAndGrad {
            loss: loss.detach(),
            grad,
        })
    }
}

/// The loss Σ (a x³ + b x² + c x + d - y)², of rank 0: `weights` are (a, b, c, d), of shape `(4,)`,
/// x and y of shape `(points,)`.
///
/// A custom op that passes over x and y once, for the loss and for its gradient by the weights: all
/// cores, no tensor of the data's size. `f32` and `f64`, any stride and offset. The terms of `f32`
/// points are `f32`, of which at most 64 are added up before the sum goes on in `f64`: at ten
/// million points it is the `f64` sum within 1e-7 of the terms' sizes. The gradients by x and by y are
/// of the data's size, and computed only where asked for.
///
/// On a CUDA device (feature `cuda`) a kernel of our own does the same, and nothing waits for it:
/// loss and gradient stay on the device. In `f32` it computes a point's terms in `f64` where the
/// card is fast at that, else in `f32`, of which it adds up at most sixteen before it goes on in
/// `f64`. On Metal, which has no `f64`, the loss is made of tensor operations, whose backward is
/// candle's.
///
/// A gradient holds no graph: the op cannot be differentiated twice.
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// use candle_sine::sine::gradient::fused::squared_error;
///
/// let weights = Var::new(&[1., 0., 0., 0.], &Device::Cpu)?;
/// let x = Tensor::new(&[1., 2.], &Device::Cpu)?;
/// let y = Tensor::new(&[1., 7.], &Device::Cpu)?;
/// let loss = squared_error(&weights, &x, &y)?;
/// assert_eq!(loss.to_scalar::<f64>()?, 1.);
/// let grads = loss.backward()?;
/// // 2 (8 - 7) times x³, x², x, 1 at x = 2.
/// assert_eq!(grads.get(&weights).unwrap().to_vec1::<f64>()?, [16., 8., 4., 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Other shapes; dtypes that differ or are not `f32` or `f64`.
pub fn squared_error(weights: &Tensor, x: &Tensor, y: &Tensor) -> Result<Tensor> {
    if !has_kernel(weights.device()) {
        return sum(&error(weights, x, y)?.sqr()?);
    }
    weights.apply_op3(x, y, Op::default())
}

/// Whether there is one op for the loss and its gradient on `device`, rather than tensor operations.
pub fn has_kernel(device: &Device) -> bool {
    !device.is_metal()
}

/// y_pred - y, by tensor operations.
fn error(weights: &Tensor, x: &Tensor, y: &Tensor) -> Result<Tensor> {
    cubic(&Powers::new(x)?, &Weights::unstack(weights)?)? - y
}

/// The terms of a point, with e = a x³ + b x² + c x + d - y: e², e x³, e x², e x and e.
#[derive(Clone, Copy)]
struct SquaredError([f64; 4]);

impl Terms<5> for SquaredError {
    const IN_F32: bool = true;

    #[inline(always)]
    fn add<S: Simd>(self, v: S, sums: [S::f64s; 5], x: S::f64s, y: S::f64s) -> [S::f64s; 5] {
        let [a, b, c, d] = self.0;
        let x2 = v.mul_f64s(x, x);
        let upper = v.mul_add_e_f64s(v.splat_f64s(a), x, v.splat_f64s(b));
        let line = v.mul_add_e_f64s(v.splat_f64s(c), x, v.sub_f64s(v.splat_f64s(d), y));
        let e = v.mul_add_e_f64s(upper, x2, line);
        let [loss, x3_sum, x2_sum, x_sum, sum] = sums;
        [
            v.mul_add_e_f64s(e, e, loss),
            v.mul_add_e_f64s(v.mul_f64s(e, x), x2, x3_sum),
            v.mul_add_e_f64s(e, x2, x2_sum),
            v.mul_add_e_f64s(e, x, x_sum),
            v.add_f64s(e, sum),
        ]
    }

    #[inline(always)]
    fn add_f32s<S: Simd>(self, v: S, sums: [S::f32s; 5], x: S::f32s, y: S::f32s) -> [S::f32s; 5] {
        let [a, b, c, d] = self.0.map(|w| v.splat_f32s(w as f32));
        let x2 = v.mul_f32s(x, x);
        let upper = v.mul_add_e_f32s(a, x, b);
        let line = v.mul_add_e_f32s(c, x, v.sub_f32s(d, y));
        let e = v.mul_add_e_f32s(upper, x2, line);
        let [loss, x3_sum, x2_sum, x_sum, sum] = sums;
        [
            v.mul_add_e_f32s(e, e, loss),
            v.mul_add_e_f32s(v.mul_f32s(e, x), x2, x3_sum),
            v.mul_add_e_f32s(e, x2, x2_sum),
            v.mul_add_e_f32s(e, x, x_sum),
            v.add_f32s(e, sum),
        ]
    }
}

/// The loss Σ e² and its gradient 2 Σ e (x³, x², x, 1).
fn split([loss, x3, x2, x, one]: [f64; 5]) -> Numbers {
    (loss, [2. * x3, 2. * x2, 2. * x, 2. * one])
}

/// One application of the op: the forward pass leaves here what the backward pass will want.
#[derive(Default)]
struct Op {
    grad: OnceLock<Tensor>,
}

impl CustomOp3 for Op {
    fn name(&self) -> &'static str {
        "squared_error"
    }

    fn cpu_fwd(
        &self,
        weights: &CpuStorage,
        weights_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if weights.dtype() != x.dtype() {
            let (ours, theirs) = (weights.dtype().as_str(), x.dtype().as_str());
            bail!("the weights are {ours}, x is {theirs}: one dtype is needed")
        }
        let terms = SquaredError(four(weights, weights_layout)?);
        let sums = pass::storage_sums(terms, (x, x_layout), (y, y_layout))?;
        let (loss, grad) = split(sums);
        let grad = Tensor::new(&grad, &Device::Cpu)?.to_dtype(x.dtype())?;
        self.grad.get_or_init(|| grad);
        let loss = match x.dtype() {
            DType::F32 => CpuStorage::F32(vec![loss as f32]),
            _ => CpuStorage::F64(vec![loss]),
        };
        Ok((loss, Shape::from(())))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        weights: &CudaStorage,
        weights_layout: &Layout,
        x: &CudaStorage,
        x_layout: &Layout,
        y: &CudaStorage,
        y_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (weights, x, y) = ((weights, weights_layout), (x, x_layout), (y, y_layout));
        let (loss, shape, grad) = cuda::loss_and_grad(weights, x, y)?;
        self.grad.get_or_init(|| grad);
        Ok((loss, shape))
    }

    fn bwd(
        &self,
        weights: &Tensor,
        x: &Tensor,
        y: &Tensor,
        _loss: &Tensor,
        grad_loss: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(grad) = self.grad.get() else {
            bail!("the backward pass of squared_error came before its forward pass")
        };
        let grad_weights = grad.broadcast_mul(grad_loss)?;
        if !x.track_op() && !y.track_op() {
            return Ok((Some(grad_weights), None, None));
        }
        let grad_y_pred = (error(weights, x, y)? * 2.)?.broadcast_mul(grad_loss)?;
        let grad_x = (&grad_y_pred * slope(weights, x)?)?;
        let grad_y = grad_y_pred.neg()?;
        Ok((Some(grad_weights), Some(grad_x), Some(grad_y)))
    }
}

/// The derivative of the cubic by x: 3 a x² + 2 b x + c.
fn slope(weights: &Tensor, x: &Tensor) -> Result<Tensor> {
    let Weights { a, b, c, .. } = Weights::unstack(weights)?;
    let slope = x.broadcast_mul(&(a * 3.)?)?.broadcast_add(&(b * 2.)?)?;
    (slope * x)?.broadcast_add(&c)
}

/// a, b, c, d, of any stride and offset.
fn four(storage: &CpuStorage, layout: &Layout) -> Result<[f64; 4]> {
    let (&[4], &[stride]) = (layout.dims(), layout.stride()) else {
        bail!(
            "the weights must have the shape (4,), not {:?}",
            layout.shape()
        )
    };
    let at = |i| layout.start_offset() + i * stride;
    match storage {
        CpuStorage::F32(w) => Ok([0, 1, 2, 3].map(|i| f64::from(w[at(i)]))),
        CpuStorage::F64(w) => Ok([0, 1, 2, 3].map(|i| w[at(i)])),
        other => bail!(
            "squared_error is written for f32 and f64, not for {}",
            other.dtype().as_str()
        ),
    }
}
