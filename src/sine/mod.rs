//! The engine of the commands, of the guide's page and of the benchmark: the post's descent, in five ways to
//! the gradient, with any number of points. To follow the post, read `src/tutorial/post.rs` instead.
//!
//! | [`Method`] | the gradient | its program in `src/tutorial` |
//! |---|---|---|
//! | `Manual` | by hand, by the chain rule | `post.rs` |
//! | `Autograd` | by candle's `backward` | `autograd.rs` |
//! | `Optimizer` (feature `nn`) | by `backward`; candle-nn's `Linear` and `SGD` do the rest | `optimizer.rs` |
//! | `Fused` | with the loss, in one pass over x and y that we write | `custom_op.rs` |
//! | `Normal` | by the normal equations, which read x and y once | `normal.rs` |
//!
//! All take the same path: over 1000 epochs at a stable rate their losses agree within 1e-11 of themselves
//! in `f64` and within 1e-5 in `f32`. On a GPU each of them is candle's tensor operations.
//!
//! [`LeastSquares`] holds what the post leaves unsaid: where its descent is heading, and how fast it may go.
//! [`check()`] compares gradients. [`post`] holds the post's numbers.

mod autograd;
mod check;
mod data;
mod fused;
mod least_squares;
mod manual;
mod normal;
#[cfg(feature = "nn")]
mod optimizer;
pub mod post;
mod tensors;

pub use check::{Check, check};
pub use data::Data;
pub use least_squares::LeastSquares;

use crate::pytorch::manual_seed;
use candle_core::{Device, Result};

/// a, b, c, d of the cubic a x³ + b x² + c x + d, or the derivatives of the loss by these.
pub type Weights = [f64; 4];

/// The names of [`Weights`], in their order.
pub const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Gradient descent under way: weights, and a way to the gradient of the loss
/// Σ (a x³ + b x² + c x + d - y)². (The post's comment calls the loss MSE; its code sums.)
pub trait Descent: Send {
    /// One epoch: the loss, its gradient, and one step downhill. Returns the loss, that is before the step.
    ///
    /// # Errors
    /// A device that is out of memory.
    fn epoch(&mut self) -> Result<f64>;

    /// The weights after the last step.
    ///
    /// # Errors
    /// A device that cannot be read.
    fn weights(&self) -> Result<Weights>;

    /// The gradient that the last epoch found; 0 before the first.
    ///
    /// # Errors
    /// A device that cannot be read.
    fn gradient(&self) -> Result<Weights>;
}

/// The ways to the gradient, by the names they have on the command line.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::{Data, Method, post};
///
/// let data = Data::new(1000, DType::F32, &Device::Cpu)?;
/// let mut descent = Method::Manual.begin(&data, post::WEIGHTS, 1e-6)?;
/// assert_eq!(descent.epoch()?, 7937.68505859375);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Method {
    /// By hand, as in the post
    Manual,
    /// By candle's backward
    Autograd,
    /// By backward; a layer and an optimizer of candle-nn
    #[cfg(feature = "nn")]
    Optimizer,
    /// By one operation of our own that reads x and y once an epoch
    Fused,
    /// By the normal equations, which read x and y once
    Normal,
}

impl Method {
    /// From the post's way on.
    pub const ALL: &[Self] = &[
        Self::Manual,
        Self::Autograd,
        #[cfg(feature = "nn")]
        Self::Optimizer,
        Self::Fused,
        Self::Normal,
    ];

    /// A descent from `weights` over `data`, before its first epoch. The weights are rounded to the data's
    /// dtype, and so is every number on the way; those of `Normal` stay `f64`.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn begin(
        self,
        data: &Data,
        weights: Weights,
        learning_rate: f64,
    ) -> Result<Box<dyn Descent>> {
        Ok(match self {
            Self::Manual => Box::new(manual::descent(data, weights, learning_rate)?),
            Self::Autograd => Box::new(autograd::descent(data, weights, learning_rate)?),
            #[cfg(feature = "nn")]
            Self::Optimizer => Box::new(optimizer::Optimizer::new(data, weights, learning_rate)?),
            Self::Fused if data.x.device().is_cpu() => {
                Box::new(fused::Fused::new(data, weights, learning_rate)?)
            }
            // A GPU has no pass of ours.
            Self::Fused => Box::new(manual::descent(data, weights, learning_rate)?),
            Self::Normal => Box::new(normal::Normal::new(data, weights, learning_rate)?),
        })
    }

    /// As on the command line: `manual`, `autograd`, ...
    pub fn name(self) -> &'static str {
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

/// `torch.manual_seed(seed)`, then the `draw`-th four (counted from 1) of `torch.randn(())`, bit for
/// bit.
///
/// ```
/// use candle_sine::sine::{drawn, post};
///
/// assert_eq!(drawn(post::SEED, post::DRAW)?, post::WEIGHTS);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// None; the tensors that are drawn are candle's.
pub fn drawn(seed: u64, draw: u32) -> Result<Weights> {
    let mut torch = manual_seed(seed, &Device::Cpu);
    let mut weights = Weights::default();
    for _ in 0..draw {
        for w in &mut weights {
            *w = f64::from(torch.randn(())?.to_scalar::<f32>()?);
        }
    }
    Ok(weights)
}
