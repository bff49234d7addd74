//! The Jacobian by both roads, held against each other.
//!
//! In go a graph, the function as numbers and a judge; out come tallies of verdicts. [`full`] takes
//! every entry, [`fast`] random [`projection`]s of one input or of all at once, and [`by_hand`]
//! holds a hand-written gradient against the same numbers. Where f does not run in f64, [`walk`] moves
//! variables along a segment ([`displace`] their elements), and [`alone`] one until it is settled.

pub(crate) mod alone;
pub(crate) mod bits;
pub(crate) mod by_hand;
pub(crate) mod displace;
pub(crate) mod fast;
pub(crate) mod full;
pub(crate) mod projection;
pub(crate) mod tally;
pub(crate) mod walk;
