//! Random projections: vᵀ(Ju) from values of f against (vᵀJ)·u from autograd.
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

use candle_core::Result;

use super::full::{self, Rows, Target};
use super::projection::{Part, Projection, Round, Total};
use super::summary::Worst;
use crate::gradcheck::autograd::graph::{Graph, Products};
use crate::gradcheck::judge::constants::CERTAIN;
use crate::gradcheck::judge::law::Pair;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::numeric::function::Reference;
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::values::unit_vector;

/// What the projections of one input say.
pub(crate) struct Projected {
    pub(crate) verdict: Verdict,
    pub(crate) worst: Option<Worst>,
    pub(crate) smallest_visible: f64,
    pub(crate) note: Option<String>,
}

impl Projected {
    pub(crate) fn pass(smallest_visible: f64) -> Self {
        Self {
            verdict: Verdict::Pass,
            worst: None,
            smallest_visible,
            note: None,
        }
    }

    /// The numeric derivative is not finite; `finite` where f is at the inputs themselves.
    fn blocked(&mut self, finite: bool) {
        let (verdict, note) = match finite {
            true => (
                Verdict::Inconclusive,
                "moving all elements at once leaves f's domain: try Mode::Full",
            ),
            false => (Verdict::NonFinite, "f is not finite"),
        };
        self.verdict = verdict;
        self.note = Some(note.to_string());
    }
}

/// The projections of one input: f's graph, its reference, and the input.
pub(crate) struct Fast<'a> {
    pub(crate) reference: &'a Reference,
    pub(crate) graph: &'a Graph,
    /// The same in f64, where the dtype is narrower and the backward runs in it.
    pub(crate) wide: Option<&'a Graph>,
    pub(crate) target: &'a Target<'a>,
    pub(crate) seed: u64,
    pub(crate) part: Part,
}

impl Fast<'_> {
    /// Takes every round. The first that disagrees is followed to an entry; if all agree, the first that is not sharp.
    pub(crate) fn check(&self, exec: &impl Exec, rounds: &[Round]) -> Result<Projected> {
        let totals: Vec<Result<Total>> = exec.map(rounds.len(), |exec, r| {
            self.total(exec, &self.signs(r), &rounds[r].v, &rounds[r].products)
        });
        let totals = totals.into_iter().collect::<Result<Vec<_>>>()?;
        let least = totals
            .iter()
            .fold(f64::INFINITY, |m, t| m.min(2. * t.threshold));
        let mut projected = Projected::pass(least);
        let mut not_sharp = None;
        for (r, (round, total)) in rounds.iter().zip(&totals).enumerate() {
            let gradient = self.gradient(&round.products);
            if let Some(j) = gradient.iter().position(|g| !g.is_finite()) {
                self.not_finite(exec, round, j, &mut projected)?;
                return Ok(projected);
            }
            if !total.numeric.is_finite() {
                projected.blocked(self.reference.f0.iter().all(|f| f.is_finite()));
                return Ok(projected);
            }
            if total.disagrees() {
                self.follow(exec, (r, round), Total::apart, &mut projected)?;
                self.unexplained(total, round, &mut projected);
                return Ok(projected);
            }
            if not_sharp.is_none() && !self.sharp(total, round) {
                not_sharp = Some((r, round));
            }
        }
        if let Some(round) = not_sharp {
            projected.verdict = Verdict::Inconclusive;
            if self.reference.unit <= 2f64.powi(-53) {
                self.follow(exec, round, |total| total.bound, &mut projected)?;
            }
        }
        Ok(projected)
    }

    fn signs(&self, r: usize) -> Vec<f64> {
        self.part.signs(self.reference, self.seed, r)
    }

    fn inputs(&self) -> usize {
        self.reference.values(self.target.input).len()
    }

    fn gradient(&self, products: &Products) -> Vec<f64> {
        let gradient = products[self.target.slot].clone();
        gradient.unwrap_or_else(|| vec![0.; self.inputs()])
    }

    /// vᵀ(Ju) and (vᵀJ)·u along the signs u, without their scale. A zero in u or v leaves that element out.
    fn total(&self, exec: &impl Exec, u: &[f64], v: &[f64], products: &Products) -> Result<Total> {
        let (reference, noise) = (self.reference, self.target.noise);
        let parts = [(self.part, u.to_vec())];
        let total = Projection { reference, noise }.total(exec, &parts, v, products, 0.)?;
        let scale = self.part.scale;
        Ok(Total {
            analytic: total.analytic / scale,
            numeric: total.numeric / scale,
            bound: total.bound / scale,
            threshold: total.threshold / scale,
            beside: total.beside / scale,
        })
    }

    /// The derivative of vᵀf by input element j, with no gradient claimed yet.
    pub(crate) fn element(&self, exec: &impl Exec, j: usize, v: &[f64]) -> Result<Pair> {
        let none = vec![None; self.target.slot + 1];
        let total = self.total(exec, &unit_vector(self.inputs(), j), v, &none)?;
        Ok(Pair {
            numeric: total.numeric,
            bound: total.bound,
            natural: self.natural(),
            own: self.natural(),
            ..Pair::default()
        })
    }

    /// Σ max(|f|, ε/u) / |x|: the slope of a function as large as f, or as the terms that cancel in it.
    fn natural(&self) -> f64 {
        let parts = self.reference.f0.iter().zip(self.target.noise);
        let made_of: f64 = parts
            .map(|(f, e)| f.abs().max(e / self.reference.unit))
            .sum();
        made_of / self.reference.size(self.target.input).largest
    }

    /// Σ|g|, and no less than the largest element of any round.
    fn made_of(&self, gradient: &[f64]) -> f64 {
        let sum: f64 = gradient.iter().map(|g| g.abs()).sum();
        sum.max(self.part.largest)
    }

    /// Whether the bound is small beside the terms that the total is a sum of.
    fn sharp(&self, total: &Total, round: &Round) -> bool {
        let given = round.products[self.target.slot].is_some();
        let size = self.made_of(&self.gradient(&round.products));
        let natural = self.natural();
        let tolerance = &self.target.judge.tolerance;
        let flat = tolerance.is_flat(size, total.bound, natural);
        // A missing gradient is certainly right only where f does not move at all.
        let constant = self.target.constant.iter().all(|constant| *constant);
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
    /// that is left.
    fn follow(
        &self,
        exec: &impl Exec,
        (r, round): (usize, &Round),
        doubt: impl Fn(&Total) -> f64,
        projected: &mut Projected,
    ) -> Result<()> {
        let u = self.signs(r);
        let i = halve(round.v.len(), |half| {
            let v = masked(&round.v, half);
            let Ok(products) = self.graph.vjp(&v) else {
                return Ok(0.);
            };
            Ok(doubt(&self.total(exec, &u, &v, &products)?))
        })?;
        let v = unit_vector(round.v.len(), i);
        let Ok(products) = self.graph.vjp(&v) else {
            return Ok(());
        };
        let j = self.column(exec, &u, &v, &products, doubt)?;
        let wide = self.wide.and_then(|graph| graph.vjp(&v).ok());
        let worst = self.entry(exec, (i, j), products, wide)?;
        projected.worst = worst;
        match worst.map(|w| w.verdict) {
            Some(Verdict::Pass) | None => projected.verdict = Verdict::Inconclusive,
            Some(verdict) => projected.verdict = verdict,
        }
        Ok(())
    }

    fn entry(
        &self,
        exec: &impl Exec,
        (i, j): (usize, usize),
        row: Products,
        wide: Option<Products>,
    ) -> Result<Option<Worst>> {
        let rows = Rows {
            rows: &[row],
            wide: wide.as_ref().map(std::slice::from_ref),
        };
        let summary = full::entry(exec, self.reference, self.target, &rows, i, j)?;
        Ok(summary.worst)
    }

    /// Where the entry that was found is right: a pass if the total is sharp and within its own tolerance, else a note
    /// that no entry explains the total.
    fn unexplained(&self, total: &Total, round: &Round, projected: &mut Projected) {
        if projected
            .worst
            .is_none_or(|worst| worst.verdict != Verdict::Pass)
        {
            return;
        }
        let tolerance = &self.target.judge.tolerance;
        let inside = tolerance.inside(self.natural());
        let made_of = self.made_of(&self.gradient(&round.products));
        let tolerated = total.threshold + (tolerance.rtol * made_of).max(inside);
        projected.smallest_visible = projected.smallest_visible.max(2. * total.apart());
        match total.apart() <= tolerated && self.sharp(total, round) {
            true => projected.verdict = Verdict::Pass,
            false => {
                projected.note = Some("a projection disagrees, but no single entry does".into());
            }
        }
    }

    /// Where the first round's projection of `products`, a gradient of vᵀf, disagrees with the numeric one: the input
    /// element at which halving finds the disagreement.
    pub(crate) fn off(
        &self,
        exec: &impl Exec,
        v: &[f64],
        products: &Products,
    ) -> Result<Option<usize>> {
        let u = self.signs(0);
        match self.total(exec, &u, v, products)?.disagrees() {
            true => self.column(exec, &u, v, products, Total::apart).map(Some),
            false => Ok(None),
        }
    }

    /// Halves the elements of the input until one is left, for fixed outputs v.
    fn column(
        &self,
        exec: &impl Exec,
        u: &[f64],
        v: &[f64],
        products: &Products,
        doubt: impl Fn(&Total) -> f64,
    ) -> Result<usize> {
        halve(u.len(), |half| {
            let total = self.total(exec, &masked(u, half), v, products)?;
            Ok(doubt(&total))
        })
    }

    /// Halves the outputs until one is left whose gradient is not finite at j.
    fn not_finite(
        &self,
        exec: &impl Exec,
        round: &Round,
        j: usize,
        projected: &mut Projected,
    ) -> Result<()> {
        projected.verdict = Verdict::NonFinite;
        let i = halve(round.v.len(), |half| {
            let products = self.graph.vjp(&masked(&round.v, half));
            let finite = |products| self.gradient(&products)[j].is_finite();
            Ok(f64::from(!products.is_ok_and(finite)))
        })?;
        if let Ok(row) = self.graph.vjp(&unit_vector(round.v.len(), i)) {
            projected.worst = self.entry(exec, (i, j), row, None)?;
        }
        Ok(())
    }
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
