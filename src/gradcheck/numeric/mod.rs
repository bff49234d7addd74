//! The numeric derivative, with a bound on its error.
//!
//! Ridders' tableau (C. J. F. Ridders 1982, "Accurate computation of F'(x) and F'(x)F''(x)";
//! Numerical Recipes, third edition, section 5.7) with steps hᵢ = h₀/2ⁱ:
//!
//! ```text
//! D(i,0) = [f(x+hᵢ) - f(x-hᵢ)] / 2hᵢ
//! D(i,k) = (4ᵏ D(i,k-1) - D(i-1,k-1)) / (4ᵏ - 1)
//! error  = max(|D(i,k) - D(i,k-1)|, |D(i,k) - D(i-1,k-1)|) + 2 ε/hᵢ + 4u |x f''|
//! ```
//!
//! The entry of least error is kept. ε is the error of one value of f: at least u·|f|, and as much
//! as f is seen to scatter (its differences at tiny steps). Each D(i,0) then carries at most ε/hᵢ, and the weights of
//! the extrapolation amplify it by ∏(4ᵏ + 1/2)/(4ᵏ - 1) < 2, which is the 2 above. The last term is for an f that
//! rounds x. Where f(x+h) + f(x-h) - 2f(x) does not fall with h, the steps do not resolve f, and the first term is at
//! least the difference of the one-sided slopes.
//!
//! Steps are halvings of one near the scale of x, and the difference is divided by the step really
//! taken. The first steps suit an f that varies on the scale of x. Where rounding is the larger error, larger
//! steps follow; where truncation is, smaller ones: at the edge of a domain, near a kink, for a fast
//! oscillation. Where a value is not finite the step shrinks before anything is concluded.

pub(crate) mod function;
pub(crate) mod grid;
pub(crate) mod kink;
pub(crate) mod line;
pub(crate) mod noise;
pub(crate) mod steps;
mod tableau;

use grid::{Grid, scales};
use line::Point;
use noise::{SAMPLES, noise, offset, sampling_step};
use steps::search;

/// The derivative at a point, with a bound on its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Derivative {
    /// The extrapolated value.
    pub value: f64,
    /// A bound on |value - f'(x)|: extrapolation error and round-off. Infinite where f is not finite
    /// on both sides of x.
    pub bound: f64,
    /// How many times f was called.
    pub evaluations: usize,
}

/// f'(x) by Ridders' extrapolation, with a bound on its error.
///
/// The step adapts to the scale of x, or of 1 where f does not move on that of x. Does not fail: a
/// function that is not finite beside x has a NaN derivative and an infinite bound. At a jump there
/// is no derivative: the value is then the slope of a chord across it.
///
/// ```
/// use candle_sine::gradcheck::numeric::derivative;
/// let d = derivative(f64::sin, 1.);
/// assert!((d.value - 1f64.cos()).abs() <= d.bound);
/// assert!(d.bound < 1e-12);
/// // The edge of a domain shrinks the step.
/// let d = derivative(f64::ln, 0.01);
/// assert!((d.value - 100.).abs() <= d.bound && d.bound < 1e-9);
/// ```
pub fn derivative(mut f: impl FnMut(f64) -> f64, x: f64) -> Derivative {
    let unit = f64::EPSILON / 2.;
    let f0 = [f(x)];
    let scales = scales(x, x.abs(), 1.);
    let step = sampling_step(scales[0], unit);
    let mut sampled = 0;
    let noise = noise(&f0, unit, |closer| {
        sampled += SAMPLES;
        let at = |k| vec![f(x + offset(k) * step * closer)];
        (0..SAMPLES).map(at).collect()
    });
    let grid = Grid::new(x.abs(), &scales, unit);
    let mut line = |t: f64| {
        let t = t * grid::UNEVEN;
        let t = (x.abs() + t.abs() - x.abs()).copysign(t);
        let y = vec![f(x + t)];
        Ok(Point { t, y })
    };
    let column = search(&mut line, &f0, &noise, &grid, &|_, _, _| false).unwrap_or_default();
    Derivative {
        value: column.value.first().copied().unwrap_or(f64::NAN),
        bound: column.bound.first().copied().unwrap_or(f64::INFINITY),
        evaluations: column.evaluations + 1 + sampled,
    }
}
