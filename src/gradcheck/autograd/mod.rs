//! Gradients: vector-Jacobian products, or why there are none.
//!
//! [`graph`] builds the graph of f at some tensors and runs candle's backward pass; [`by_hand`] calls a gradient
//! written by hand.

pub(crate) mod by_hand;
pub(crate) mod graph;
