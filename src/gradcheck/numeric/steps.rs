//! The search for steps on which the derivative is known well.

use candle_core::Result;

use super::grid::{Grid, ODDER};
use super::line::{Column, Point};
use super::tableau::{Descent, End};

/// Searches the steps until every output is `done(output, value, bound)`, or nothing is left.
pub(crate) fn search(
    line: &mut impl FnMut(f64) -> Result<Point>,
    f0: &[f64],
    noise: &[f64],
    grid: &Grid,
    done: &impl Fn(usize, f64, f64) -> bool,
) -> Result<Column> {
    let mut best = Column::unknown(f0.len());
    for (s, &scale) in grid.scales.iter().enumerate() {
        let mut descent = || Descent::new(f0, noise, grid, done);
        if on_scale(line, &mut descent, grid, scale, &mut best)? {
            if let Some(farther) = grid.sharper(s) {
                let mut far = Column::unknown(f0.len());
                let mut descent = Descent::new(f0, noise, grid, &|_, _, _| false);
                descent.run(line, Grid::step(farther, grid.start), LEVELS, &mut far)?;
                best.absorb(&far);
            }
            break;
        }
    }
    Ok(best)
}

/// The steps of one scale. True when every output is done.
fn on_scale<'a, D: Fn(usize, f64, f64) -> bool + 'a>(
    line: &mut impl FnMut(f64) -> Result<Point>,
    descent: &mut impl FnMut() -> Descent<'a, D>,
    grid: &Grid,
    scale: f64,
    best: &mut Column,
) -> Result<bool> {
    if grid.start < grid.first() {
        let mut large = Column::unknown(best.value.len());
        let mut steps = descent();
        let end = steps.run(line, Grid::step(scale, grid.start), LEVELS, &mut large)?;
        if end == End::Done {
            best.absorb(&large);
            return Ok(true);
        }
        best.evaluations += large.evaluations;
    }
    let (mut steps, mut fine) = (descent(), Column::unknown(best.value.len()));
    let end = steps.run(line, Grid::step(scale, grid.first()), LEVELS, &mut fine)?;
    if end == End::Truncation {
        // As many halvings more as reach about 2^-27 of the scale in f64: half the bits of its significand.
        steps.resume(line, 2 * grid.first() + 3, &mut fine)?;
    }
    best.absorb(&fine);
    if !steps.all_done(best) && end != End::NotFinite {
        let mut wide = Column::unknown(best.value.len());
        let levels = grid.first() as usize + 2;
        descent().run(line, Grid::step(scale, 0), levels, &mut wide)?;
        best.absorb(&wide);
    }
    Ok(steps.all_done(best))
}

/// The levels of a first tableau: eight evaluations, and an error of the order of h⁸.
const LEVELS: usize = 4;

/// Of the first steps 2^-start of the scale, the one from which [`LEVELS`] levels know every output
/// best: where f varies slowly the steps may be large, and rounding, which goes as 1/h, is small.
///
/// Found on one line, it serves as the start for others like it; a line that it does not suit begins again at
/// [`Grid::first`].
pub(crate) fn best_start(
    line: &mut impl FnMut(f64) -> Result<Point>,
    f0: &[f64],
    noise: &[f64],
    grid: &Grid,
) -> Result<i32> {
    let Some(scale) = grid.scales.first() else {
        return Ok(grid.start);
    };
    let mut seen: Vec<(f64, Point)> = Vec::new();
    let mut line = |t: f64| {
        if let Some((_, point)) = seen.iter().find(|(at, _)| *at == t) {
            return Ok(point.clone());
        }
        let point = line(t)?;
        seen.push((t, point.clone()));
        Ok(point)
    };
    let (mut best, mut least) = (grid.start, f64::INFINITY);
    for start in (-2..=grid.first()).rev() {
        let mut column = Column::unknown(f0.len());
        let mut descent = Descent::new(f0, noise, grid, &|_, _, _| false);
        let h = Grid::step(*scale, start);
        descent.run(&mut line, h, LEVELS, &mut column)?;
        let known = (f0.iter().zip(&column.bound)).filter(|(f0, _)| f0.is_finite());
        let error: f64 = known.map(|(_, bound)| bound).sum();
        if descent.first != h || error.is_nan() || error >= least {
            break;
        }
        (best, least) = (start, error);
    }
    Ok(best)
}

/// A tableau on other steps than [`search`] takes, so that a function that repeats itself on those
/// cannot mislead both.
pub(crate) fn recheck(
    line: &mut impl FnMut(f64) -> Result<Point>,
    f0: &[f64],
    noise: &[f64],
    grid: &Grid,
) -> Result<Column> {
    let mut best = Column::unknown(f0.len());
    for &scale in grid.scales {
        let mut descent = Descent::new(f0, noise, grid, &|_, _, _| false);
        let mut fine = Column::unknown(f0.len());
        let start = scale * ODDER * 2f64.powi(1 - grid.first());
        if descent.run(line, start, 6, &mut fine)? == End::Truncation {
            descent.resume(line, 2 * grid.first(), &mut fine)?;
        }
        best.absorb(&fine);
    }
    Ok(best)
}

/// A tableau of 12 levels whose last step is 32 times `near`: for an f that varies on a far smaller scale than x.
pub(crate) fn closer(
    line: &mut impl FnMut(f64) -> Result<Point>,
    f0: &[f64],
    noise: &[f64],
    grid: &Grid,
    near: f64,
) -> Result<Column> {
    const LEVELS: i32 = 12;
    let mut fine = Column::unknown(f0.len());
    let mut descent = Descent::new(f0, noise, grid, &|_, _, _| false);
    descent.run(
        line,
        near * 2f64.powi(LEVELS + 4),
        LEVELS as usize,
        &mut fine,
    )?;
    Ok(fine)
}
