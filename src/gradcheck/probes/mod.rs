//! Ways of calling f that must not change its gradient.
//!
//! Each probe compares a vector-Jacobian product with the one the plain call implies. Where the plain
//! gradient passed, that is autograd's own, so only rounding separates the two; where it did not, it
//! is the numeric one. A layout that f refuses is skipped with f's reason: saying no is not a wrong
//! gradient.

mod fan_out;
mod held;
mod layout;
mod linear;
mod plain;
pub(crate) mod start;
mod views;
