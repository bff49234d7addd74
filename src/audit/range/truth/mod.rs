//! What the derivatives are: closed forms in f64, in forms that neither overflow nor cancel.
//!
//! `tests/audit_range_truth.rs` holds them against the numerical derivative of candle's own forward in
//! f64 at usual numbers, and the slopes against numerical derivatives of the values up to 2^200.

pub mod curve;
pub mod pair;
pub mod rows;

pub use curve::Curve;
pub use pair::Pair;
pub use rows::{Exact, Rows};
