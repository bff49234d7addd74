//! `grad_y_pred`, `grad_a`, `grad_b`, `grad_c`, `grad_d`: ways to the same four numbers.
//!
//! Every way has the same signature, so that the difference between two files is the lesson. It is
//! the ladder of PyTorch's own tutorial, and one rung more:
//!
//! | | |
//! |---|---|
//! | [`manual`] | the post: the chain rule by hand |
//! | [`autograd`] | the gradient is left to candle's `backward` |
//! | `optimizer` (feature `nn`) | and the update to candle-nn's `SGD`, the weights to its `Linear` |
//! | [`fused`] | an op of our own: loss and gradient in one pass over the data an epoch |
//! | [`normal`] | the loss is a quadratic in the weights: one pass over the data, ever |
//!
//! All make one trajectory: along 1000 epochs at a stable rate the losses agree within 1e-12 of
//! themselves in `f64`. In `f32`, with u = 2⁻²⁴, g the gradient, η the rate and β the
//! [`rounding_bound`] of g, an epoch moves the weights by at most η ‖β‖ + u (‖w‖ + 3 η ‖g‖) off the
//! exact update, and since ‖1 - 2 η XᵀX‖ ≤ 1 below the stability limit no epoch enlarges what the
//! epochs before it were off. A loss is then off by its own rounding and ‖g‖ δ + λ δ², δ being the
//! sum so far and λ the largest eigenvalue of XᵀX. On the post's run that is 0.6% of the last loss;
//! what is seen is below 1e-5 of it.

pub mod autograd;
mod descent;
pub mod fused;
pub mod manual;
pub mod normal;
#[cfg(feature = "nn")]
pub mod optimizer;
mod parts;
mod rounding;

pub use descent::Descent;
pub use rounding::rounding_bound;

use super::{Data, Weights};
use candle_core::{DType, Result, Tensor, bail};
use descent::ByTensors;
use parts::Parts;

/// The loss at some weights, and its gradient there.
#[derive(Clone, Debug)]
pub struct LossAndGrad {
    /// The sum of squared errors, Σ (y_pred - y)², of rank 0. (The post's comment calls it MSE;
    /// its code sums.)
    pub loss: Tensor,
    /// `grad_a`, `grad_b`, `grad_c`, `grad_d`: the derivative of the loss by each weight.
    pub grad: Weights,
}

/// A way to the loss and its gradient over fixed data.
pub trait Gradient {
    /// The loss Σ (y_pred - y)² and its gradient at `weights`.
    ///
    /// # Errors
    /// Weights of another dtype or on another device than the data.
    fn loss_and_grad(&mut self, weights: &Weights) -> Result<LossAndGrad>;
}

/// Tensor operations would refuse weights of another dtype than the data's.
fn check_dtype(weights: &Weights, dtype: DType) -> Result<()> {
    match weights.a.dtype() {
        ours if ours == dtype => Ok(()),
        ours => bail!(
            "the weights are {}, the data {}: one dtype is needed",
            ours.as_str(),
            dtype.as_str()
        ),
    }
}

/// The ways, by the name they have on the command line.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::gradient::{Gradient, Method};
/// use candle_sine::sine::{Data, Weights, post};
///
/// let data = Data::new(1000, DType::F32, &Device::Cpu)?;
/// let w = Weights::new(post::WEIGHTS.map(f64::from), DType::F32, &Device::Cpu)?;
/// let step = Method::Manual.over(&data)?.loss_and_grad(&w)?;
/// assert_eq!(step.loss.to_scalar::<f32>()?, 7937.685);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Method {
    /// The post's four lines, by tensor operations
    Manual,
    /// candle's backward
    Autograd,
    /// A layer and an optimizer of candle-nn
    #[cfg(feature = "nn")]
    Optimizer,
    /// An op of our own that reads x and y once an epoch
    Fused,
    /// The normal equations, which read x and y once
    Normal,
}

impl Method {
    /// From the post's way up.
    pub const ALL: &[Self] = &[
        Self::Manual,
        Self::Autograd,
        #[cfg(feature = "nn")]
        Self::Optimizer,
        Self::Fused,
        Self::Normal,
    ];

    /// This way over `data`; what depends on the data alone is computed here, once.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn over(self, data: &Data) -> Result<Box<dyn Gradient>> {
        Ok(match self {
            Self::Manual => Box::new(Parts::new(data, manual::Manual::new)?),
            Self::Autograd => Box::new(Parts::new(data, autograd::Autograd::new)?),
            #[cfg(feature = "nn")]
            Self::Optimizer => Box::new(optimizer::Optimizer::gradient(data)?),
            Self::Fused => Box::new(fused::Fused::new(data)?),
            Self::Normal => Box::new(normal::Normal::new(data)?),
        })
    }

    /// A descent from `weights` by this way over `data`.
    ///
    /// # Errors
    /// A device that is out of memory; weights of another dtype than the data.
    pub fn descent(self, data: &Data, weights: &Weights) -> Result<Box<dyn Descent>> {
        Ok(match self {
            Self::Manual => {
                let manual = Parts::new(data, manual::Manual::new)?;
                Box::new(ByTensors::new(manual, weights))
            }
            Self::Autograd => {
                let autograd = Parts::new(data, autograd::Autograd::new)?;
                Box::new(ByTensors::new(autograd, weights))
            }
            #[cfg(feature = "nn")]
            Self::Optimizer => Box::new(optimizer::Optimizer::sgd(data, weights)?),
            Self::Fused => fused::Fused::new(data)?.descent(weights)?,
            Self::Normal => normal::Normal::new(data)?.descent(weights)?,
        })
    }

    /// As on the command line: `manual`, `autograd`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Autograd => "autograd",
            #[cfg(feature = "nn")]
            Self::Optimizer => "optimizer",
            Self::Fused => "fused",
            Self::Normal => "normal",
        }
    }
}
