//! What a probe finds, compared with what the plain call gave, with room for rounding.

use candle_core::DType;

use crate::gradcheck::judge::constants::ROUNDING;
use crate::gradcheck::judge::tolerance::Tolerance;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::report::Outcome;
use crate::gradcheck::support::values::{largest, round_to, unravel};

/// Numbers that a probe has to find again.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) values: &'a [f64],
    pub(super) dims: &'a [usize],
    pub(super) dtype: DType,
    pub(super) tolerance: Tolerance,
    /// r: how far rounding was seen to move them.
    pub(super) rounding: f64,
}

impl Expected<'_> {
    /// Pass, or the element that is furthest off.
    pub(super) fn outcome(&self, found: &[f64], verdict: Verdict, note: &str) -> Outcome {
        let Some(at) = self.furthest(found) else {
            return Outcome::Pass;
        };
        let (verdict, note) = match found[at].is_finite() {
            true => (verdict, note),
            false => (Verdict::NonFinite, "the gradient is not finite"),
        };
        Outcome::Failed {
            verdict,
            at: unravel(at, self.dims),
            found: found[at],
            expected: self.values[at],
            note: note.to_string(),
        }
    }

    /// The same of f's value.
    pub(super) fn forward(&self, found: &[f64]) -> Option<Outcome> {
        self.furthest(found).map(|at| Outcome::Forward {
            at: unravel(at, self.dims),
            found: found[at],
            expected: self.values[at],
        })
    }

    /// The element furthest beyond rtol |g| + 8 (u max|g| + r) + atol, if any is.
    fn furthest(&self, found: &[f64]) -> Option<usize> {
        let Tolerance {
            rtol, atol, unit, ..
        } = self.tolerance;
        let rounding = ROUNDING * (unit * largest(self.values) + self.rounding);
        let excess = |at: usize| {
            let (found, expected) = (found[at], self.values[at]);
            match found.is_finite() {
                true => (found - expected).abs() - rtol * found.abs().max(expected.abs()),
                false => f64::INFINITY,
            }
        };
        // What the dtype cannot hold cannot be found: twice a gradient may overflow.
        let finite = |at| round_to(self.dtype, self.values[at]).is_ok_and(f64::is_finite);
        let beyond = (0..found.len()).filter(|&at| self.values[at].is_finite());
        let beyond = beyond.filter(|&at| excess(at) > rounding + atol && finite(at));
        beyond.max_by(|&a, &b| excess(a).total_cmp(&excess(b)))
    }
}

/// r: how far (kv)ᵀJ / k lies from g. More than 4√u of the largest gradient, or of f's `scale`, is no
/// rounding but a backward pass that is not linear, which is for a probe to say.
pub(super) fn of_gradient<'a>(
    g: &[f64],
    again: impl Iterator<Item = &'a [f64]>,
    (scale, unit): (f64, f64),
) -> f64 {
    let apart = |other: &[f64]| {
        let apart = g.iter().zip(other).map(|(a, b)| (a - b).abs());
        apart.filter(|d| d.is_finite()).fold(0., f64::max)
    };
    let most = again.map(apart).fold(0., f64::max);
    match most <= 4. * unit.sqrt() * largest(g).max(scale) {
        true => most,
        false => 0.,
    }
}
