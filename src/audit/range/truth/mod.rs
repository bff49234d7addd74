//! What the derivatives are: closed forms in f64, in forms that neither overflow nor cancel.
//!
//! They are held against the numerical derivative of candle's own f64 forward by
//! `tests/audit_range.rs`, and against PyTorch's gradients in f64.

pub mod curve;
pub mod pair;
pub mod rows;

pub use curve::Curve;
pub use pair::Pair;
pub use rows::{Exact, Rows};
