//! Random projections: vᵀ(Ju) from values of f against (vᵀJ)·u from a gradient.
//!
//! u and v are random signs times sizes from 1 to 2, not normalised: one wrong entry δ then moves the
//! total by at least |δ|, wherever it is, and E[(vᵀEu)²] ≥ ‖E‖² for an error matrix E. (Plain signs
//! would move it by exactly |δ|, but cancel exactly, in half the draws, in a Jacobian of ±1.) PyTorch's fast
//! mode normalises its vectors, which divides a single entry's error by the square root of the number of
//! entries, and steps by 1e-6: pytorch/pytorch #59615, #57166. At Ridders' accuracy a few rounds see an error
//! of one entry about 1e-12 of the total. When a total disagrees, or is not sharp though f runs in f64, the
//! outputs are halved, then the inputs, until one entry is left, and that entry is judged as the full mode
//! judges it.

use std::ops::Range;
use std::slice::from_ref;

use candle_core::Result;

use super::found::{Found, Worst};
use super::full::{self, Rows};
use super::projection::{Part, Total, single, weights};
use crate::gradcheck::autograd::graph::{Graph, Products, Source};
use crate::gradcheck::judge::constants::CERTAIN;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::values::unit_vector;

/// The projections of one gradient of one input.
pub(crate) struct Fast<'a> {
    pub(crate) part: Part<'a>,
    pub(crate) source: &'a dyn Source,
    /// The same in f64, where the dtype is narrower and the backward runs in it.
    pub(crate) wide: Option<&'a Graph>,
    /// vᵀJ of every round.
    pub(crate) gradients: &'a [Products],
    pub(crate) seed: u64,
}

impl Fast<'_> {
    /// Takes every round. The first that disagrees is followed to an entry; if all agree, the first that is not sharp.
    pub(crate) fn check(&self, exec: &impl Exec) -> Result<Found> {
        let totals = self.totals(exec)?;
        let least = totals.iter().map(|total| 2. * total.threshold);
        let least = least.fold(f64::INFINITY, f64::min);
        let mut not_sharp = None;
        for (r, total) in totals.iter().enumerate() {
            if total.analytic.is_finite() && !total.numeric.is_finite() {
                return Ok(self.blocked(least));
            }
            if total.disagrees() {
                return self.disagreement(exec, r, total, least);
            }
            if not_sharp.is_none() && !self.sharp(total, r) {
                not_sharp = Some(r);
            }
        }
        let Some(r) = not_sharp else {
            return Ok(Found::pass(Some(least)));
        };
        let entry = match self.part.target.reference.unit <= 2f64.powi(-53) {
            true => self.follow(exec, r, |total| total.bound)?,
            false => None,
        };
        Ok(of_entry(entry, least))
    }

    fn totals<E: Exec>(&self, exec: &E) -> Result<Vec<Total>> {
        let (part, gradients, seed) = (&self.part, self.gradients, self.seed);
        let totals = exec.map(gradients.len(), |exec, r| {
            let v = weights(seed, r, part.target.noise.len());
            single(exec, part, &part.signs(seed, r), (&v, &gradients[r]))
        });
        totals.into_iter().collect()
    }

    /// The numeric derivative is not finite.
    fn blocked(&self, least: f64) -> Found {
        let f0 = &self.part.target.reference.f0;
        let mut found = Found::pass(Some(least));
        (found.verdict, found.note) = match f0.iter().all(|f| f.is_finite()) {
            true => (
                Verdict::Inconclusive,
                Some("moving all elements at once leaves f's domain: try Mode::Full"),
            ),
            false => (Verdict::NonFinite, Some("f is not finite")),
        };
        found
    }

    /// Follows a round that disagrees to an entry. Where that entry is right, the input passes if the total is sharp and
    /// within its own tolerance; else no entry explains the total.
    fn disagreement(&self, exec: &impl Exec, r: usize, total: &Total, least: f64) -> Result<Found> {
        let entry = self.follow(exec, r, Total::apart)?;
        let mut found = of_entry(entry, least);
        if !total.analytic.is_finite() {
            found.verdict = Verdict::NonFinite;
        } else if entry.is_some_and(|entry| entry.verdict == Verdict::Pass) {
            found.smallest_visible = Some(least.max(2. * total.apart()));
            let tolerated = total.threshold + self.tolerated(exec, r)?;
            match total.apart() <= tolerated && self.sharp(total, r) {
                true => (found.verdict, found.worst) = (Verdict::Pass, entry),
                false => found.note = Some("a projection disagrees, but no single entry does"),
            }
        }
        Ok(found)
    }

    /// rtol of the terms that a total is a sum of, or the rounding of those that cancel in them.
    fn tolerated(&self, exec: &impl Exec, r: usize) -> Result<f64> {
        let target = self.part.target;
        let noise = (target.reference).near_noise(exec, target.input, target.noise, self.seed)?;
        let tolerance = &target.judge.tolerance;
        let inside = tolerance.inside(self.natural(&noise));
        Ok((tolerance.rtol * self.size(r)).max(inside))
    }

    /// Σ max(|f|, ε/u) / |x|: the slope of a function as large as f, or as the terms that cancel in it.
    fn natural(&self, noise: &[f64]) -> f64 {
        let target = self.part.target;
        let made_of: f64 = (0..noise.len()).map(|i| target.made_of(i, noise)).sum();
        made_of / target.size.largest
    }

    /// Σ|g| of a round, and no less than the largest element of any round.
    fn size(&self, r: usize) -> f64 {
        let gradient = self.gradients[r][self.part.target.slot].iter().flatten();
        let sum: f64 = gradient.map(|g| g.abs()).sum();
        sum.max(self.part.largest)
    }

    /// Whether the bound is small beside the terms that the total is a sum of.
    fn sharp(&self, total: &Total, r: usize) -> bool {
        let (target, size, natural) = (
            self.part.target,
            self.size(r),
            self.natural(self.part.target.noise),
        );
        let given = self.gradients[r][target.slot].is_some();
        let tolerance = &target.judge.tolerance;
        let flat = tolerance.is_flat(size, total.bound, natural);
        // A missing gradient is certainly right only where f does not move at all.
        let constant = target.is_constant();
        let still = total.numeric == 0. && size == 0. && constant;
        // At a minimum f moves beside x, and a gradient of zero is right.
        let at_rest =
            given && total.bound <= tolerance.rtol * total.beside && total.bound <= tolerance.atol;
        flat || at_rest
            || (total.bound == 0. && (size > 0. || constant))
            || (still && total.bound <= tolerance.rtol * natural)
            || tolerance.kappa * total.bound <= CERTAIN * tolerance.rtol * size
    }

    /// Halves the outputs, then the inputs, always into the half that is more in `doubt`, and judges the entry
    /// that is left. None where the backward pass fails.
    fn follow(
        &self,
        exec: &impl Exec,
        r: usize,
        doubt: impl Fn(&Total) -> f64,
    ) -> Result<Option<Worst>> {
        let outputs = self.part.target.noise.len();
        let v = weights(self.seed, r, outputs);
        let u = self.part.signs(self.seed, r);
        let i = halve(outputs, |half| {
            let v = masked(&v, half);
            let Ok(gradient) = self.source.vjp(&v) else {
                return Ok(0.);
            };
            Ok(doubt(&single(exec, &self.part, &u, (&v, &gradient))?))
        })?;
        let v = unit_vector(outputs, i);
        let Ok(gradient) = self.source.vjp(&v) else {
            return Ok(None);
        };
        let j = halve(u.len(), |half| {
            let total = single(exec, &self.part, &masked(&u, half), (&v, &gradient))?;
            Ok(doubt(&total))
        })?;
        let target = self.part.target;
        let wide = self.wide.and_then(|graph| graph.vjp(&v).ok());
        let wide = wide.as_ref().map(from_ref);
        let row = Rows::new(target.slot, from_ref(&gradient), wide);
        full::entry(exec, target, row, (i, j))
    }
}

/// The verdict on the entry to which halving led. One that passes is not what the projection is about.
fn of_entry(entry: Option<Worst>, smallest_visible: f64) -> Found {
    let mut found = Found::pass(Some(smallest_visible));
    found.worst = entry.filter(|entry| entry.verdict != Verdict::Pass);
    found.verdict = (found.worst).map_or(Verdict::Inconclusive, |worst| worst.verdict);
    found
}

/// Halves 0..n until one index is left, always into the half whose `doubt` is larger.
fn halve(n: usize, mut doubt: impl FnMut(&Range<usize>) -> Result<f64>) -> Result<usize> {
    let mut range = 0..n;
    while range.len() > 1 {
        let middle = range.start + range.len() / 2;
        let (left, right) = (range.start..middle, middle..range.end);
        let (first, second) = (doubt(&left)?, doubt(&right)?);
        range = if second > first { right } else { left };
    }
    Ok(range.start)
}

fn masked(signs: &[f64], keep: &Range<usize>) -> Vec<f64> {
    let kept = |(i, s): (usize, &f64)| if keep.contains(&i) { *s } else { 0. };
    signs.iter().enumerate().map(kept).collect()
}
