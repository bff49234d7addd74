//! From two derivatives and a bound to a verdict: three pure functions, and their numbers in [`constants`].
//!
//! [`law`] judges an entry of the Jacobian by a numeric derivative at a point, [`readings`] a gradient as
//! a whole by the change of f over several [`segment`]s, and [`input`] says which of the two has the last word on
//! an input. Each of the first two compares two numbers, autograd's a and another n, and asks by how much they may
//! differ though the gradient is right. That is a sum of named terms:
//!
//! ```text
//! term       of an entry                              of a segment
//! numeric    κ e, e Ridders' error and f's scatter    κ e, e quadrature and f's scatter; a jump of f
//! backward   8u S: rounding of the backward pass      in the quadrature's error, which is measured
//! dtype      rtol max(|a|, |n|)                       10 rtol |∫∇f·u|, at most 5%
//! ```
//!
//! e is always measured on f itself, S is the largest gradient of the same output, u the unit
//! round-off. From them the verdicts:
//!
//! ```text
//!                |a - n| within the terms          |a - n| beyond them
//! terms small    pass                              wrong (beyond atol too)
//! beside a       (a segment: pass to the           severed, where a = 0 and f moves
//! and n          resolution that it states)
//! terms large    inconclusive                      wrong
//! ```
//!
//! "Small" is 100 rtol of the larger of a and n, at most a quarter of it. Where an entry is small itself, its
//! bound may be measured by what it is small beside: a thousandth of rtol, or 64u, of the largest gradient of the
//! same output; of f's own slope G = |f|/|x| where f is flat; rtol of G where nothing moves at all. Two
//! terms are granted only where the same backward is right in f64, so that what is left can but be the
//! narrow dtype's rounding: rtol S, and 64u G for terms as large as f that cancel in its gradient; and for 4u |x f''|,
//! by which the derivative changes where f rounds x, such an entry is not called wrong. Each number of [`law`] has
//! a test that holds it from both sides.
//!
//! atol excuses and never certifies. Cause comes before consequence: `severed` before `wrong`
//! ([`Verdict::rank`](verdict::Verdict::rank)).

pub(crate) mod constants;
pub(crate) mod input;
pub(crate) mod law;
pub(crate) mod readings;
pub(crate) mod segment;
pub(crate) mod tolerance;
pub(crate) mod verdict;
