//! What PyTorch has and candle lacks, with PyTorch's bits.
//!
//! | PyTorch | here |
//! |---|---|
//! | `torch.linspace(start, end, steps)` | [`linspace()`] |
//! | `torch.manual_seed(seed)`, `torch.randn(())` | [`manual_seed`], [`Generator::randn`] |
//! | `tensor.sum()` | [`sum()`] |
//!
//! candle has a `sum_all` of its own, which is as right: ours adds in PyTorch's order, so that the
//! digits are PyTorch's. `tests/golden.rs` holds all three against PyTorch 2.15, bit for bit.

mod linspace;
mod random;
mod sum;

pub use linspace::linspace;
pub use random::{Generator, manual_seed};
pub use sum::sum;
