//! From two derivatives and a bound to a verdict: three pure functions, and their numbers in [`constants`].
//!
//! [`law`] judges an entry of the Jacobian by a numeric derivative at a point, [`readings`] a gradient as
//! a whole by the change of f over several [`segment`]s, and [`input`] says which of the two has the last word on
//! an input. Each of the first two compares two numbers, autograd's a and another n, and asks by how much they may
//! differ though the gradient is right. The answer is a sum of three terms:
//!
//! ```text
//! term       of an entry                              of a segment
//! numeric    κ e, e Ridders' error and f's noise      κ e, e quadrature and f's noise; or one jump of f,
//!                                                     if that is larger
//! backward   8u S: rounding of the backward pass      in the quadrature's error, which is measured
//! dtype      rtol max(|a|, |n|)                       10 rtol, at most 5%, of what the gradient claims:
//!                                                     the larger of |∫∇f·u| and √Σ(∇f·u)²
//! ```
//!
//! e is always measured on f itself, S is the largest gradient of the same output, u the unit
//! round-off. The verdicts follow from the terms:
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
//! bound may be measured by what the entry is small beside: a thousandth of rtol, or 64u, of the largest gradient of
//! the same output; a thousandth of rtol of f's own slope G = |f|/|x| where f is flat; rtol of G where nothing moves
//! at all.
//!
//! Where the same backward pass is right in f64, only the narrow dtype's rounding is left, and two more terms are
//! granted: rtol S, and 64u G for terms as large as f that cancel in its gradient. Such an entry is not called wrong
//! for a tenth of the largest of a, n and S either, nor for 4u |x f''|, by which the derivative changes where f
//! rounds x. Each number of [`law`] but that 4 has a test in its file that holds it from both sides.
//!
//! atol excuses and never certifies. A cause is reported before its consequence: `severed` before `wrong`
//! ([`Verdict::rank`](verdict::Verdict::rank)).

pub(crate) mod constants;
pub(crate) mod input;
pub(crate) mod law;
pub(crate) mod readings;
pub(crate) mod segment;
pub(crate) mod tolerance;
pub(crate) mod verdict;
