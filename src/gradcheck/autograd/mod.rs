//! candle's side: gradients by its own backward pass.
//!
//! [`graph`] builds the graph of f at some tensors and gives vector-Jacobian products, or why there are none.

pub(crate) mod graph;
