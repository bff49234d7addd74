//! `grad_y_pred`, `grad_a`, `grad_b`, `grad_c`, `grad_d`: ways to the same four numbers.
//!
//! Every way has the same signature, so that the difference between two files is the lesson:
//! [`manual`] is the post, [`autograd`] leaves the gradient to candle's `backward`.

pub mod autograd;
pub mod manual;
mod rounding;

pub use rounding::rounding_bound;

use super::{Data, Weights};
use candle_core::{Result, Tensor};

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

/// The ways, by the name they have on the command line.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::gradient::{Gradient, Method};
/// use candle_sine::sine::{Data, Weights, weights};
///
/// let data = Data::new(1000, DType::F32, &Device::Cpu)?;
/// let w = Weights::new(weights::POST.map(f64::from), DType::F32, &Device::Cpu)?;
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
}

impl Method {
    /// This way over `data`; what depends on the data alone is computed here, once.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn over(self, data: &Data) -> Result<Box<dyn Gradient>> {
        Ok(match self {
            Self::Manual => Box::new(manual::Manual::new(data)?),
            Self::Autograd => Box::new(autograd::Autograd::new(data)?),
        })
    }

    /// As on the command line: `manual`, `autograd`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Autograd => "autograd",
        }
    }
}
