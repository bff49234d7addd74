//! All inputs at once: Σₖ vᵀJₖuₖ by numbers against the gradients'.
//!
//! Where it agrees in every round, as sharply as one input alone would have to, every input passes
//! for the cost of one. Where it does not, nothing is said, and each is projected by itself.

use candle_core::Result;

use super::projection::{Round, enough, largest, projected_noise};
use crate::gradcheck::judge::law::{Judge, ROUNDING};
use crate::gradcheck::numeric::function::Oracle;
use crate::gradcheck::numeric::grid::{Grid, power_of_two};
use crate::gradcheck::numeric::line::Point;
use crate::gradcheck::numeric::steps::search;
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::dot;

/// One input's part in the direction.
pub(crate) struct Part {
    pub(crate) input: usize,
    pub(crate) slot: usize,
    pub(crate) judge: Judge,
    /// sₖ, the scale of the input: a power of two.
    scale: f64,
    /// The largest element of any round's vᵀJₖ.
    largest: f64,
}

impl Part {
    /// None where there is no gradient, or nothing but zeros, or one that is not finite.
    pub(crate) fn new(
        oracle: &Oracle,
        (slot, input): (usize, usize),
        judge: Judge,
        rounds: &[Round],
    ) -> Option<Self> {
        let typical = oracle.size(input).typical;
        let scale = power_of_two(if typical > 0. { typical } else { 1. });
        let gradients = rounds.iter().map(|round| round.products[slot].as_ref());
        let finite = |g: Option<&Vec<f64>>| g.is_some_and(|g| g.iter().all(|g| g.is_finite()));
        let largest = largest(rounds, slot);
        (gradients.into_iter().all(finite) && largest > 0.).then_some(Self {
            input,
            slot,
            judge,
            scale,
            largest,
        })
    }

    /// The change of the total by the largest element, per unit of t.
    fn reach(&self) -> f64 {
        self.largest * self.scale
    }
}

/// What the rounds cost, and the smallest error of an entry that each part could have shown; None
/// where they do not settle the matter.
pub(crate) struct Joint {
    pub(crate) smallest_visible: Option<Vec<f64>>,
}

/// The rounds over all `parts`; `noise` is that of every output.
pub(crate) fn project<E: Exec>(
    exec: &E,
    oracle: &Oracle,
    parts: &[Part],
    rounds: &[Round],
    noise: &[f64],
    seed: u64,
) -> Result<Joint> {
    let totals = exec.map(rounds.len(), |exec, r| {
        let directions: Vec<_> = parts
            .iter()
            .map(|part| part.direction(oracle, seed, r))
            .collect();
        total(exec, oracle, parts, &directions, &rounds[r], noise)
    });
    let totals = totals.into_iter().collect::<Result<Vec<_>>>()?;
    let threshold = totals.iter().map(|t| t.threshold).fold(0f64, f64::max);
    let agree = totals.iter().all(|t| t.apart <= t.threshold);
    let sharp = |p: &Part| 2. * threshold <= p.judge.tolerance.rtol * p.reach();
    let settled = agree && threshold.is_finite() && parts.iter().all(sharp);
    Ok(Joint {
        smallest_visible: settled.then(|| parts.iter().map(|p| 2. * threshold / p.scale).collect()),
    })
}

impl Part {
    /// sₖ times uneven signs.
    fn direction(&self, oracle: &Oracle, seed: u64, round: usize) -> (usize, Vec<f64>) {
        let stream = 2 * (round + 64 * self.input) as u64 + 2;
        let n = oracle.values(self.input).len();
        let mut u = SplitMix64::new(seed, stream).uneven_signs(n);
        u.iter_mut().for_each(|u| *u *= self.scale);
        (self.input, u)
    }
}

struct Total {
    apart: f64,
    threshold: f64,
}

fn total(
    exec: &impl Exec,
    oracle: &Oracle,
    parts: &[Part],
    directions: &[(usize, Vec<f64>)],
    round: &Round,
    noise: &[f64],
) -> Result<Total> {
    let p0 = [dot(&oracle.f0, &round.v)];
    let noise = [projected_noise(oracle, noise, &round.v, p0[0])];
    // The direction is in units of the inputs' scales, so t = 1 is as large as they are.
    let grid = Grid::new(2., &[1.], oracle.unit);
    let mut line = oracle.toward(exec, directions);
    let mut line = |t: f64| {
        let Point { t, y } = line(t)?;
        let y = vec![dot(&y, &round.v)];
        Ok(Point { t, y })
    };
    let least = parts.iter().map(|p| p.judge.tolerance.rtol * p.reach());
    let least = least.fold(f64::INFINITY, f64::min);
    let enough = enough(noise[0], &grid).max(least / 32.);
    let column = search(&mut line, &p0, &noise, &grid, &|_, _, e| e <= enough)?;

    let (mut analytic, mut squares) = (0., 0.);
    let (mut kappa, mut unit) = (1f64, 0f64);
    for (part, (_, u)) in parts.iter().zip(directions) {
        let gradient = round.products[part.slot].as_deref().unwrap_or_default();
        analytic += dot(gradient, u);
        squares += part.reach().powi(2) * u.len() as f64;
        kappa = kappa.max(part.judge.tolerance.kappa);
        unit = unit.max(part.judge.tolerance.unit);
    }
    Ok(Total {
        apart: (analytic - column.value[0]).abs(),
        threshold: kappa * column.bound[0] + ROUNDING * unit * squares.sqrt(),
    })
}
