//! Random projections: vᵀ(Ju) by numbers against (vᵀJ)·u by autograd.
//!
//! u and v are random signs times sizes from 1 to 2, not normalised: one wrong entry δ then moves the
//! total by at least |δ|, wherever it is, and E[(vᵀEu)²] ≥ ‖E‖² for an error matrix E. (Plain signs
//! would move it by exactly |δ|, but cancel exactly, in half the draws, in a Jacobian of ±1.) (PyTorch's fast mode normalises its vectors,
//! which divides a single entry's error by the square root of the number of entries, and steps by
//! 1e-6: pytorch/pytorch #59615, #57166.) At Ridders' accuracy a few rounds see an error of one entry
//! about 1e-12 of the total. When a total disagrees, the outputs are halved, then the inputs, until
//! one entry is left, and that entry is judged as the full mode judges it.

use candle_core::Result;

use super::full::{self, Rows, Target};
use super::projection::{Round, enough, projected_noise};
use super::tally::Worst;
use crate::gradcheck::autograd::graph::{Graph, Products};
use crate::gradcheck::judge::law::{CERTAIN, Pair, ROUNDING};
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::numeric::function::Oracle;
use crate::gradcheck::numeric::grid::{Grid, scales};
use crate::gradcheck::numeric::line::{Column, Point};
use crate::gradcheck::numeric::steps::search;
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::{dot, unit_vector};

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

    /// The numeric derivative is not finite, though f may be.
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

/// One total by both roads.
#[derive(Clone, Copy, Debug)]
struct Total {
    analytic: f64,
    numeric: f64,
    bound: f64,
    /// κ·e and the rounding of the backward pass.
    threshold: f64,
}

impl Total {
    fn apart(&self) -> f64 {
        (self.analytic - self.numeric).abs()
    }

    fn disagrees(&self) -> bool {
        self.apart() > self.threshold
    }
}

/// A graph, its oracle and the input looked at.
pub(crate) struct Fast<'a> {
    pub(crate) oracle: &'a Oracle,
    pub(crate) graph: &'a Graph,
    /// The same in f64, where the dtype is narrower and the backward runs in it.
    pub(crate) wide: Option<&'a Graph>,
    pub(crate) target: &'a Target<'a>,
    pub(crate) seed: u64,
    /// The largest element of any round's vᵀJ: what a backward pass's rounding is measured against,
    /// also where a product cancels.
    pub(crate) largest: f64,
}

impl Fast<'_> {
    /// Every round; the first that disagrees is followed to an entry.
    pub(crate) fn check(&self, exec: &impl Exec, rounds: &[Round]) -> Result<Projected> {
        let totals: Vec<Result<Total>> = exec.map(rounds.len(), |exec, r| {
            let round = &rounds[r];
            let u = self.signs(r);
            let gradient = self.gradient(&round.products);
            self.total(exec, &u, &round.v, &gradient)
        });
        let totals = totals.into_iter().collect::<Result<Vec<_>>>()?;
        let least = totals
            .iter()
            .fold(f64::INFINITY, |m, t| m.min(2. * t.threshold));
        let mut projected = Projected::pass(least);
        for (r, (round, total)) in rounds.iter().zip(&totals).enumerate() {
            let gradient = self.gradient(&round.products);
            if let Some(j) = gradient.iter().position(|g| !g.is_finite()) {
                self.not_finite(exec, round, j, &mut projected)?;
                return Ok(projected);
            }
            if !total.numeric.is_finite() {
                projected.blocked(self.oracle.f0.iter().all(|f| f.is_finite()));
                return Ok(projected);
            }
            if total.disagrees() {
                self.follow(exec, r, round, total, &mut projected)?;
                return Ok(projected);
            }
            if !self.sharp(total, &gradient) {
                projected.verdict = Verdict::Inconclusive;
            }
        }
        Ok(projected)
    }

    fn signs(&self, r: usize) -> Vec<f64> {
        let stream = 2 * (r + 64 * self.target.input) as u64 + 2;
        SplitMix64::new(self.seed, stream).uneven_signs(self.inputs())
    }

    fn inputs(&self) -> usize {
        self.oracle.values(self.target.input).len()
    }

    fn gradient(&self, products: &Products) -> Vec<f64> {
        let gradient = products[self.target.slot].clone();
        gradient.unwrap_or_else(|| vec![0.; self.inputs()])
    }

    /// vᵀ(Ju) and (vᵀJ)·u. A zero in u or v leaves that part out.
    fn total(&self, exec: &impl Exec, u: &[f64], v: &[f64], gradient: &[f64]) -> Result<Total> {
        let judge = &self.target.judge;
        let column = self.directional(exec, u, v)?;
        let moved = u.iter().filter(|u| **u != 0.).count() as f64;
        let rounding = ROUNDING * judge.tolerance.unit * self.largest * moved.sqrt();
        Ok(Total {
            analytic: dot(gradient, u),
            numeric: column.value[0],
            bound: column.bound[0],
            threshold: judge.tolerance.kappa * column.bound[0] + rounding,
        })
    }

    /// The derivative of vᵀf along u.
    fn directional(&self, exec: &impl Exec, u: &[f64], v: &[f64]) -> Result<Column> {
        let k = self.target.input;
        let size = self.oracle.size(k);
        let scales = scales(0., size.typical, 0.);
        let grid = Grid::new(size.typical, &scales, self.oracle.unit);
        let p0 = [dot(&self.oracle.f0, v)];
        let noise = [projected_noise(self.oracle, self.target.noise, v, p0[0])];
        let directions = [(k, u.to_vec())];
        let mut line = self.oracle.toward(exec, &directions);
        let mut projected = |t: f64| {
            let point = line(t)?;
            let y = vec![dot(&point.y, v)];
            Ok(Point { t: point.t, y })
        };
        let enough = enough(noise[0], &grid);
        search(&mut projected, &p0, &noise, &grid, &|_, _, e| e <= enough)
    }

    /// The derivative of vᵀf by input element j, with no gradient claimed yet.
    pub(crate) fn element(&self, exec: &impl Exec, j: usize, v: &[f64]) -> Result<Pair> {
        let column = self.directional(exec, &unit_vector(self.inputs(), j), v)?;
        Ok(Pair {
            analytic: 0.,
            wide: None,
            numeric: column.value[0],
            bound: column.bound[0],
            row: 0.,
            peers: 0.,
            ignored: false,
            natural: self.natural(),
            own: self.natural(),
            beside: 0.,
            bends: 0.,
            single: false,
        })
    }

    /// Σ max(|f|, ε/u) / |x|: the slope of a function as large as what f is made of.
    fn natural(&self) -> f64 {
        let parts = self.oracle.f0.iter().zip(self.target.noise);
        let made_of: f64 = parts.map(|(f, e)| f.abs().max(e / self.oracle.unit)).sum();
        made_of / self.oracle.size(self.target.input).largest
    }

    /// Whether the bound is small beside what the total is made of.
    fn sharp(&self, total: &Total, gradient: &[f64]) -> bool {
        let made_of: f64 = gradient.iter().map(|g| g.abs()).sum();
        let natural = self.natural();
        let tolerance = &self.target.judge.tolerance;
        let rtol = tolerance.rtol;
        let flat = tolerance.is_flat(made_of.max(self.largest), total.bound, natural);
        // Of a gradient that is missing, only an f that does not move at all says anything.
        let constant = self.target.constant.iter().all(|constant| *constant);
        let still = total.numeric == 0. && made_of == 0. && constant;
        flat || (total.bound == 0. && (made_of > 0. || constant))
            || (still && total.bound <= rtol * natural)
            || tolerance.kappa * total.bound <= CERTAIN * rtol * made_of.max(self.largest)
    }

    /// Halves the outputs, then the inputs, always into the half that is further off.
    fn follow(
        &self,
        exec: &impl Exec,
        r: usize,
        round: &Round,
        total: &Total,
        projected: &mut Projected,
    ) -> Result<()> {
        let u = self.signs(r);
        let mut outputs = 0..round.v.len();
        while outputs.len() > 1 {
            let halves = halves(&outputs);
            let mut furthest = None;
            for half in halves {
                let v = masked(&round.v, &half);
                let Ok(products) = self.graph.vjp(&v) else {
                    return Ok(());
                };
                let gradient = self.gradient(&products);
                let total = self.total(exec, &u, &v, &gradient)?;
                further(&mut furthest, half, &total);
            }
            let Some((half, _)) = furthest else { break };
            outputs = half;
        }
        let i = outputs.start;
        let v = unit_vector(round.v.len(), i);
        let Ok(products) = self.graph.vjp(&v) else {
            return Ok(());
        };
        let gradient = self.gradient(&products);
        let j = self.column(exec, &u, &v, &gradient)?;
        self.judge(exec, (i, j), products, total, &round.products, projected)
    }

    /// The input element whose `gradient` of vᵀf is furthest off, where the first round's projection
    /// of it disagrees with the numeric one.
    pub(crate) fn off(
        &self,
        exec: &impl Exec,
        v: &[f64],
        gradient: &[f64],
    ) -> Result<Option<usize>> {
        let u = self.signs(0);
        match self.total(exec, &u, v, gradient)?.disagrees() {
            true => self.column(exec, &u, v, gradient).map(Some),
            false => Ok(None),
        }
    }

    /// Halves the inputs of one output.
    fn column(&self, exec: &impl Exec, u: &[f64], v: &[f64], gradient: &[f64]) -> Result<usize> {
        let mut inputs = 0..u.len();
        while inputs.len() > 1 {
            let mut furthest = None;
            for half in halves(&inputs) {
                let u = masked(u, &half);
                let total = self.total(exec, &u, v, gradient)?;
                further(&mut furthest, half, &total);
            }
            let Some((half, _)) = furthest else { break };
            inputs = half;
        }
        Ok(inputs.start)
    }

    /// The verdict of the entry that was found. If it is within its tolerance after all, so is the
    /// total or it is not, and then nothing can be said.
    fn judge(
        &self,
        exec: &impl Exec,
        (i, j): (usize, usize),
        row: Products,
        total: &Total,
        all: &Products,
        projected: &mut Projected,
    ) -> Result<()> {
        let wide = self
            .wide
            .and_then(|graph| graph.vjp(&unit_vector(self.oracle.f0.len(), i)).ok());
        let rows = Rows {
            rows: &[row],
            wide: wide.as_ref().map(std::slice::from_ref),
        };
        let tally = full::entry(exec, self.oracle, self.target, &rows, i, j)?;
        projected.worst = tally.worst;
        let verdict = tally.worst.map_or(Verdict::Inconclusive, |w| w.verdict);
        if verdict != Verdict::Pass {
            projected.verdict = verdict;
            return Ok(());
        }
        let made_of: f64 = self.gradient(all).iter().map(|g| g.abs()).sum();
        let made_of = made_of.max(self.largest);
        let tolerance = &self.target.judge.tolerance;
        let inside = tolerance.inside(self.natural());
        let tolerated = total.threshold + (tolerance.rtol * made_of).max(inside);
        projected.smallest_visible = projected.smallest_visible.max(2. * total.apart());
        if total.apart() > tolerated {
            projected.verdict = Verdict::Inconclusive;
            projected.note = Some("a projection disagrees, but no single entry does".to_string());
        }
        Ok(())
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
        let mut outputs = 0..round.v.len();
        while outputs.len() > 1 {
            let [left, right] = halves(&outputs);
            let Ok(products) = self.graph.vjp(&masked(&round.v, &left)) else {
                return Ok(());
            };
            let here = !self.gradient(&products)[j].is_finite();
            outputs = if here { left } else { right };
        }
        let i = outputs.start;
        let Ok(row) = self.graph.vjp(&unit_vector(round.v.len(), i)) else {
            return Ok(());
        };
        let rows = Rows {
            rows: &[row],
            wide: None,
        };
        let tally = full::entry(exec, self.oracle, self.target, &rows, i, j)?;
        projected.worst = tally.worst;
        Ok(())
    }
}

fn further(
    furthest: &mut Option<(std::ops::Range<usize>, f64)>,
    half: std::ops::Range<usize>,
    total: &Total,
) {
    let apart = total.apart();
    if furthest.as_ref().is_none_or(|(_, most)| apart > *most) {
        *furthest = Some((half, apart));
    }
}

fn halves(range: &std::ops::Range<usize>) -> [std::ops::Range<usize>; 2] {
    let middle = range.start + range.len() / 2;
    [range.start..middle, middle..range.end]
}

fn masked(signs: &[f64], keep: &std::ops::Range<usize>) -> Vec<f64> {
    let kept = |(i, s): (usize, &f64)| if keep.contains(&i) { *s } else { 0. };
    signs.iter().enumerate().map(kept).collect()
}
