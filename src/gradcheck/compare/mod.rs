//! The Jacobian from gradients and from numbers, compared.
//!
//! [`full`] compares every entry, [`fast`] random [`projection`]s of one input, or of all at once. Both take a
//! [`target`], one input and what its derivatives are measured by, and give what they have [`found`]. For segments,
//! [`scalar`] moves variables along one and [`displace`] moves their elements; [`single`] takes segments of one
//! variable until they say what its gradient is.

pub(crate) mod bits;
pub(crate) mod displace;
pub(crate) mod fast;
pub(crate) mod found;
pub(crate) mod full;
pub(crate) mod projection;
pub(crate) mod scalar;
pub(crate) mod single;
pub(crate) mod target;
