//! From two derivatives and a bound to a verdict.
//!
//! [`law`] judges an entry by a numeric derivative at a point, [`segment`] a whole tensor by the
//! change of f over a distance.

pub(crate) mod law;
pub(crate) mod segment;
pub(crate) mod tolerance;
pub(crate) mod verdict;
