//! From two derivatives and a bound to a verdict.

pub(crate) mod law;
pub(crate) mod tolerance;
pub(crate) mod verdict;
