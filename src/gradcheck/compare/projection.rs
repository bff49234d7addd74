//! One projection, of one input or of all at once: vᵀ(Ju) from values of f, and (vᵀJ)·u from autograd.

use candle_core::Result;

use crate::gradcheck::autograd::graph::{Failure, Graph, Products};
use crate::gradcheck::judge::constants::ROUNDING;
use crate::gradcheck::judge::law::Judge;
use crate::gradcheck::numeric::function::Reference;
use crate::gradcheck::numeric::grid::{Grid, power_of_two};
use crate::gradcheck::numeric::line::Point;
use crate::gradcheck::numeric::steps::search;
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::dot;

/// One round's v, and the gradients it gives.
pub(crate) struct Round {
    pub(crate) v: Vec<f64>,
    pub(crate) products: Products,
}

/// The rounds, one backward pass each.
pub(crate) fn rounds(
    graph: &Graph,
    count: usize,
    seed: u64,
) -> std::result::Result<Vec<Round>, Failure> {
    graph.each(count, |r| {
        let v = SplitMix64::new(seed, 2 * r as u64 + 1).uneven_signs(graph.y.elem_count());
        let products = graph.vjp(&v)?;
        Ok(Round { v, products })
    })
}

/// One input in a projection.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) slot: usize,
    pub(crate) input: usize,
    pub(crate) judge: Judge,
    /// The scale of the input, a power of two: u is so many times random signs.
    pub(crate) scale: f64,
    /// The largest element of any round's vᵀJ. A backward pass's rounding is measured by it, also where a product
    /// cancels.
    pub(crate) largest: f64,
}

impl Part {
    pub(crate) fn new(
        reference: &Reference,
        (slot, input): (usize, usize),
        judge: Judge,
        rounds: &[Round],
    ) -> Self {
        let typical = reference.size(input).typical;
        let all = rounds
            .iter()
            .flat_map(|round| round.products[slot].iter().flatten());
        let finite = all.filter(|g| g.is_finite());
        Self {
            slot,
            input,
            judge,
            scale: power_of_two(if typical > 0. { typical } else { 1. }),
            largest: finite.fold(0f64, |m, g| m.max(g.abs())),
        }
    }

    /// Whether every round has a gradient of this input, all of it finite, and not all of them are zero throughout.
    pub(crate) fn has_gradient(&self, rounds: &[Round]) -> bool {
        let gradients = rounds
            .iter()
            .map(|round| round.products[self.slot].as_ref());
        let finite = |g: Option<&Vec<f64>>| g.is_some_and(|g| g.iter().all(|g| g.is_finite()));
        self.largest > 0. && gradients.into_iter().all(finite)
    }

    /// The signs of one round: u is `scale` times these.
    pub(crate) fn signs(&self, reference: &Reference, seed: u64, round: usize) -> Vec<f64> {
        let stream = 2 * (round + 64 * self.input) as u64 + 2;
        SplitMix64::new(seed, stream).uneven_signs(reference.values(self.input).len())
    }

    /// By how much the largest element moves a total, where its sign is 1: largest · scale.
    pub(crate) fn reach(&self) -> f64 {
        self.largest * self.scale
    }
}

/// One total, from autograd and from values of f.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Total {
    pub(crate) analytic: f64,
    pub(crate) numeric: f64,
    pub(crate) bound: f64,
    /// κ·e plus the rounding of the backward pass.
    pub(crate) threshold: f64,
    /// The largest change of vᵀf beside x, over the step.
    pub(crate) beside: f64,
}

impl Total {
    pub(crate) fn apart(&self) -> f64 {
        (self.analytic - self.numeric).abs()
    }

    pub(crate) fn disagrees(&self) -> bool {
        self.apart() > self.threshold
    }
}

/// f as numbers, and how far each of its outputs scatters.
#[derive(Clone, Copy)]
pub(crate) struct Projection<'a> {
    pub(crate) reference: &'a Reference,
    pub(crate) noise: &'a [f64],
}

impl Projection<'_> {
    /// vᵀ(Ju) and (vᵀJ)·u along u = Σ scaleₖ signsₖ; a zero in the signs or in v leaves that element out. The search
    /// for steps ends at a bound of `enough`, or where rounding ends it.
    pub(crate) fn total(
        &self,
        exec: &impl Exec,
        parts: &[(Part, Vec<f64>)],
        v: &[f64],
        products: &Products,
        enough: f64,
    ) -> Result<Total> {
        let p0 = [dot(&self.reference.f0, v)];
        let noise = [self.noise(v, p0[0])];
        let directions: Vec<(usize, Vec<f64>)> = (parts.iter())
            .map(|(part, signs)| (part.input, signs.iter().map(|s| s * part.scale).collect()))
            .collect();
        let scales = self.scales(parts);
        // At t = 1 the inputs move by their own scales, and x is less than twice as large.
        let grid = Grid::new(2., &scales, self.reference.unit);
        let enough = enough.max(8. * noise[0] * 2f64.powi(grid.first()));
        let mut line = self.reference.toward(exec, &directions);
        let mut line = |t: f64| {
            let Point { t, y } = line(t)?;
            let y = vec![dot(&y, v)];
            Ok(Point { t, y })
        };
        let column = search(&mut line, &p0, &noise, &grid, &|_, _, e| e <= enough)?;
        let (mut analytic, mut squares, mut kappa, mut unit) = (0., 0., 1f64, 0f64);
        for ((part, signs), (_, u)) in parts.iter().zip(&directions) {
            let gradient = products[part.slot].as_deref().unwrap_or_default();
            analytic += dot(gradient, u);
            let moved = signs.iter().filter(|s| **s != 0.).count() as f64;
            squares += part.reach().powi(2) * moved;
            kappa = kappa.max(part.judge.tolerance.kappa);
            unit = unit.max(part.judge.tolerance.unit);
        }
        Ok(Total {
            analytic,
            numeric: column.value[0],
            bound: column.bound[0],
            threshold: kappa * column.bound[0] + ROUNDING * unit * squares.sqrt(),
            beside: column.slope[0],
        })
    }

    /// The scales of t worth trying: 1, at which inputs move by their own scales, and for one input alone the t at
    /// which it moves by 1.
    fn scales(&self, parts: &[(Part, Vec<f64>)]) -> Vec<f64> {
        match parts {
            [(part, _)] if part.scale != 1. => vec![1., 1. / part.scale],
            _ => vec![1.],
        }
    }

    /// vᵀf's own rounding, from that of every output: independent errors add in quadrature.
    fn noise(&self, v: &[f64], p0: f64) -> f64 {
        let weighted = self.noise.iter().zip(v).map(|(e, v)| (e * v).powi(2));
        weighted
            .sum::<f64>()
            .sqrt()
            .max(self.reference.unit * p0.abs())
    }

    /// All `parts` at once, with one u for all of them. Some if every round agrees, and twice the threshold is within
    /// rtol of the largest element of every part: then, for each part, the smallest error of an entry that is visible.
    pub(crate) fn together(
        &self,
        exec: &impl Exec,
        parts: &[Part],
        rounds: &[Round],
        seed: u64,
    ) -> Result<Option<Vec<f64>>> {
        let allowed = |part: &Part| part.judge.tolerance.rtol * part.reach();
        let enough = parts.iter().map(allowed).fold(f64::INFINITY, f64::min) / 32.;
        let totals = exec.map(rounds.len(), |exec, r| {
            let signs = |part: &Part| (*part, part.signs(self.reference, seed, r));
            let parts: Vec<_> = parts.iter().map(signs).collect();
            self.total(exec, &parts, &rounds[r].v, &rounds[r].products, enough)
        });
        let totals = totals.into_iter().collect::<Result<Vec<_>>>()?;
        let threshold = totals.iter().fold(0f64, |m, t| m.max(t.threshold));
        let agree = threshold.is_finite() && totals.iter().all(|t| t.apart() <= t.threshold);
        let sharp = parts.iter().all(|part| 2. * threshold <= allowed(part));
        let smallest = parts.iter().map(|part| 2. * threshold / part.scale);
        Ok((agree && sharp).then(|| smallest.collect()))
    }
}
