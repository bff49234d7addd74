//! The Jacobian from autograd and from numbers, compared.
//!
//! In go a graph, the function as numbers and a judge; out come summaries of verdicts. [`full`] takes
//! every entry, [`fast`] random [`projection`]s of one input or of all at once, and [`by_hand`]
//! compares a hand-written gradient with the same numbers. Where f does not run in f64, [`walk`] moves
//! variables along a segment ([`displace`] their elements), and [`alone`] one until it is settled.

pub(crate) mod alone;
pub(crate) mod bits;
pub(crate) mod by_hand;
pub(crate) mod displace;
pub(crate) mod fast;
pub(crate) mod full;
pub(crate) mod projection;
pub(crate) mod summary;
pub(crate) mod walk;
