//! candle's side: gradients by its own backward pass.
//!
//! In go f and tensors; out come vector-Jacobian products, or why there are none.

pub(crate) mod graph;
