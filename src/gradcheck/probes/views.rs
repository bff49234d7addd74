//! Views of a tensor that hold an input's values in another layout.
//!
//! candle's own gradients of the ops used here (transpose, narrow, squeeze) were read in candle-core
//! 0.11.1's `backprop.rs` and are exact, and the audit checks each, so that a probe never flags f for
//! their faults.

use candle_core::{Result, Tensor};

/// Where a view's values are in a larger or reordered tensor.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum View {
    /// The tensor as it is.
    Itself,
    /// The transpose of two dimensions.
    Transposed(usize, usize),
    /// The second of three along a new last dimension, so that every stride is tripled.
    Column,
    /// The second of two along a new first dimension.
    Offset,
}

impl View {
    /// A strided one: x's last two dimensions longer than 1 transposed, where it has two.
    pub(super) fn strided(x: &Tensor) -> Self {
        let long: Vec<usize> = (0..x.rank()).filter(|&d| x.dims()[d] > 1).collect();
        match long[..] {
            [.., a, b] => Self::Transposed(a, b),
            _ => Self::Column,
        }
    }

    /// A contiguous tensor of which [`take`](Self::take) makes x.
    pub(super) fn store(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Itself => Ok(x.clone()),
            Self::Transposed(a, b) => x.transpose(a, b)?.contiguous(),
            Self::Column => Tensor::stack(&[x, x, x], x.rank()),
            // The first holds x's values in another order, or reading from the start would do no harm.
            Self::Offset => {
                let other = x.flatten_all()?.roll(1, 0)?.reshape(x.shape())?;
                Tensor::stack(&[&other, x], 0)
            }
        }
    }

    pub(super) fn take(self, stored: &Tensor) -> Result<Tensor> {
        match self {
            Self::Itself => Ok(stored.clone()),
            Self::Transposed(a, b) => stored.transpose(a, b),
            Self::Column => {
                let last = stored.rank() - 1;
                stored.narrow(last, 1, 1)?.squeeze(last)
            }
            Self::Offset => stored.narrow(0, 1, 1)?.squeeze(0),
        }
    }
}
