//! One projection, of one input or of all at once: vᵀ(Ju) from values of f, and (vᵀJ)·u from a gradient.

use candle_core::Result;

use super::target::Target;
use crate::gradcheck::autograd::graph::Products;
use crate::gradcheck::judge::constants::ROUNDING;
use crate::gradcheck::numeric::grid::{Grid, power_of_two};
use crate::gradcheck::numeric::line::{Column, Point};
use crate::gradcheck::numeric::steps::search;
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::{dot, largest};

/// The v of one round.
pub(crate) fn weights(seed: u64, round: usize, outputs: usize) -> Vec<f64> {
    SplitMix64::new(seed, 2 * round as u64 + 1).uneven_signs(outputs)
}

/// One input in a projection.
pub(crate) struct Part<'a> {
    pub(crate) target: &'a Target<'a>,
    /// The scale of the input, a power of two.
    pub(crate) scale: f64,
    /// The largest element of any round's vᵀJ. A backward pass's rounding is measured by it, also where a product
    /// cancels.
    pub(crate) largest: f64,
}

impl<'a> Part<'a> {
    /// `gradients` has the vᵀJ of every round.
    pub(crate) fn new(target: &'a Target<'a>, gradients: &[Products]) -> Self {
        let typical = target.size.typical;
        let all = gradients.iter().flat_map(|g| &g[target.slot]).flatten();
        Self {
            target,
            scale: power_of_two(if typical > 0. { typical } else { 1. }),
            largest: largest(all),
        }
    }

    /// The signs of one round.
    pub(crate) fn signs(&self, seed: u64, round: usize) -> Vec<f64> {
        let stream = 2 * (round + 64 * self.target.input) as u64 + 2;
        SplitMix64::new(seed, stream).uneven_signs(self.target.values().len())
    }

    /// By how much the total of all inputs may differ because of this one.
    fn allowed(&self) -> f64 {
        self.target.judge.tolerance.rtol * self.largest * self.scale
    }
}

/// One total, from a gradient and from values of f.
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
    /// How far the two are apart: without end where the gradient is not finite.
    pub(crate) fn apart(&self) -> f64 {
        match self.analytic.is_finite() {
            true => (self.analytic - self.numeric).abs(),
            false => f64::INFINITY,
        }
    }

    pub(crate) fn disagrees(&self) -> bool {
        !self.analytic.is_finite() || self.apart() > self.threshold
    }
}

/// vᵀ(Ju) and (vᵀJ)·u along the `signs` of one input; a zero in the signs or in v leaves that element out.
pub(crate) fn single(
    exec: &impl Exec,
    part: &Part,
    signs: &[f64],
    (v, gradient): (&[f64], &Products),
) -> Result<Total> {
    // The t at which the input moves by its own scale, and that at which it moves by 1.
    let scales = match part.scale {
        1. => vec![1.],
        scale => vec![scale, 1.],
    };
    along(exec, &[(part, 1., signs)], &scales, (v, gradient), 0.)
}

/// All `parts` at once, with one u for all of them. Some if every round agrees, and twice the threshold is within
/// rtol of the largest element of every part: then, for each part, the smallest error of an entry that is visible.
pub(crate) fn together(
    exec: &impl Exec,
    parts: &[Part],
    gradients: &[Products],
    seed: u64,
) -> Result<Option<Vec<f64>>> {
    let allowed = parts
        .iter()
        .map(Part::allowed)
        .fold(f64::INFINITY, f64::min);
    let totals = exec.map(gradients.len(), |exec, r| {
        let signs: Vec<Vec<f64>> = parts.iter().map(|part| part.signs(seed, r)).collect();
        let all: Vec<_> = (parts.iter().zip(&signs))
            .map(|(part, signs)| (part, part.scale, &signs[..]))
            .collect();
        let v = weights(seed, r, parts[0].target.noise.len());
        along(exec, &all, &[1.], (&v, &gradients[r]), allowed / 32.)
    });
    let totals = totals.into_iter().collect::<Result<Vec<_>>>()?;
    let threshold = totals.iter().fold(0f64, |m, t| m.max(t.threshold));
    let agree = threshold.is_finite() && totals.iter().all(|t| t.apart() <= t.threshold);
    let smallest = parts.iter().map(|part| 2. * threshold / part.scale);
    Ok((agree && 2. * threshold <= allowed).then(|| smallest.collect()))
}

/// vᵀ(Ju) and (vᵀJ)·u, where u is a length times signs of every part.
fn along(
    exec: &impl Exec,
    parts: &[(&Part, f64, &[f64])],
    scales: &[f64],
    (v, gradient): (&[f64], &Products),
    enough: f64,
) -> Result<Total> {
    let target = parts[0].0.target;
    let u = |(part, length, signs): &(&Part, f64, &[f64])| {
        let u = signs.iter().map(|sign| sign * length);
        (part.target.input, u.collect())
    };
    let u: Vec<(usize, Vec<f64>)> = parts.iter().map(u).collect();
    let column = derivative(exec, target, &u, v, scales, enough)?;
    let (mut analytic, mut squares) = (0., 0.);
    for ((part, length, _), (_, u)) in parts.iter().zip(&u) {
        analytic += product(gradient[part.target.slot].as_deref(), u);
        let moved = u.iter().filter(|u| **u != 0.).count() as f64;
        let rounding = part.target.judge.tolerance.unit * part.largest * length;
        squares += rounding.powi(2) * moved;
    }
    let kappa = target.judge.tolerance.kappa;
    Ok(Total {
        analytic,
        numeric: column.value[0],
        bound: column.bound[0],
        threshold: kappa * column.bound[0] + ROUNDING * squares.sqrt(),
        beside: column.slope[0],
    })
}

/// The derivative by t of vᵀf(x + t·u), with steps of each of `scales`; at the first of them the inputs move by their
/// own scales. The search for steps ends at a bound of `enough`, or where rounding ends it.
fn derivative(
    exec: &impl Exec,
    target: &Target,
    u: &[(usize, Vec<f64>)],
    v: &[f64],
    scales: &[f64],
    enough: f64,
) -> Result<Column> {
    let reference = target.reference;
    let p0 = [dot(&reference.f0, v)];
    let noise = [noise(target, v, p0[0])];
    // x is less than twice as large as its scale.
    let grid = Grid::new(2. * scales[0], scales, reference.unit);
    let enough = enough.max(8. * noise[0] * 2f64.powi(grid.first()) / scales[0]);
    let mut line = reference.toward(exec, u);
    let mut line = |t: f64| {
        let Point { t, y } = line(t)?;
        let y = vec![dot(&y, v)];
        Ok(Point { t, y })
    };
    search(&mut line, &p0, &noise, &grid, &|_, _, e| e <= enough)
}

/// g·u over the elements that move; a gradient that is missing is zero.
fn product(gradient: Option<&[f64]>, u: &[f64]) -> f64 {
    let moved = gradient.unwrap_or_default().iter().zip(u);
    let moved = moved.map(|(g, u)| if *u == 0. { 0. } else { *g });
    dot(&moved.collect::<Vec<f64>>(), u)
}

/// vᵀf's own rounding, from that of every output: independent errors add in quadrature.
fn noise(target: &Target, v: &[f64], p0: f64) -> f64 {
    let weighted = target.noise.iter().zip(v).map(|(e, v)| (e * v).powi(2));
    let rounding = target.reference.unit * p0.abs();
    weighted.sum::<f64>().sqrt().max(rounding)
}
