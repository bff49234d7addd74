//! Ridders' tableau: differences at halved steps, extrapolated, with the error of each entry.

use candle_core::Result;

use super::grid::Grid;
use super::line::{Column, Point};

/// Why a descent stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// Smaller steps would add more rounding than they remove truncation.
    Rounding,
    /// Out of levels, with truncation still the larger part.
    Truncation,
    /// f is not finite beside x, however small the step.
    NotFinite,
}

/// The highest order of extrapolation: beyond 4⁶ the weights no longer matter.
const ORDER: usize = 6;

/// D(i,k) of one output, for each order k.
type Row = [f64; ORDER + 1];

/// One tableau, level by level, for all outputs at once.
pub(crate) struct Descent<'a, D> {
    f0: &'a [f64],
    noise: &'a [f64],
    unit: f64,
    x: f64,
    done: &'a D,
    /// What the level before left behind, for every output.
    outputs: Vec<Before>,
    levels: usize,
    /// The first step, and the last.
    pub(crate) first: f64,
    h: f64,
}

/// One output at the level before.
#[derive(Clone, Copy, Default)]
struct Before {
    row: Row,
    /// f(x+h) + f(x-h) - 2f(x)
    bend: f64,
    /// The rounding of D(i,0).
    round: f64,
    /// The larger of |f(x+h) - f(x)| and |f(x-h) - f(x)|.
    change: f64,
    /// The level at which the tableau began.
    start: usize,
}

/// Where a polynomial of degree 6 describes f, its change over a step falls by at most 2^6 from one step to the next.
/// Where it falls faster (that of exp(10⁴x) does, at the first steps), the levels before say nothing: the tableau
/// begins anew.
const STEEP: f64 = 64.;

impl<'a, D: Fn(usize, f64, f64) -> bool> Descent<'a, D> {
    pub(crate) fn new(f0: &'a [f64], noise: &'a [f64], grid: &Grid, done: &'a D) -> Self {
        Self {
            f0,
            noise,
            unit: grid.unit,
            x: grid.x,
            done,
            outputs: vec![Before::default(); f0.len()],
            levels: 0,
            first: 0.,
            h: 0.,
        }
    }

    pub(crate) fn all_done(&self, best: &Column) -> bool {
        (0..self.f0.len()).all(|i| !self.f0[i].is_finite() || self.is_done(i, best))
    }

    fn is_done(&self, i: usize, best: &Column) -> bool {
        (self.done)(i, best.value[i], best.bound[i])
    }

    /// Starts at the largest of h, h/4, h/16, ... where f is finite on both sides.
    pub(crate) fn run(
        &mut self,
        line: &mut impl FnMut(f64) -> Result<Point>,
        mut h: f64,
        levels: usize,
        best: &mut Column,
    ) -> Result<End> {
        for _ in 0..24 {
            let pair = self.pair(line, h, best)?;
            if self.finite(&pair) {
                (self.first, self.h) = (h, h);
                self.push(&pair, best);
                return self.resume(line, levels as i32 - 1, best);
            }
            h /= 4.;
        }
        Ok(End::NotFinite)
    }

    /// Goes on for up to `levels` more halvings.
    pub(crate) fn resume(
        &mut self,
        line: &mut impl FnMut(f64) -> Result<Point>,
        levels: i32,
        best: &mut Column,
    ) -> Result<End> {
        for _ in 0..levels {
            self.h /= 2.;
            let pair = self.pair(line, self.h, best)?;
            let rounding = self.push(&pair, best);
            if self.all_done(best) {
                return Ok(End::Done);
            }
            if rounding {
                return Ok(End::Rounding);
            }
        }
        Ok(End::Truncation)
    }

    fn pair(
        &self,
        line: &mut impl FnMut(f64) -> Result<Point>,
        h: f64,
        best: &mut Column,
    ) -> Result<(Point, Point)> {
        best.evaluations += 2;
        Ok((line(h)?, line(-h)?))
    }

    /// Whether f is finite on both sides, in the outputs that are finite at x itself.
    fn finite(&self, (plus, minus): &(Point, Point)) -> bool {
        plus.t > minus.t
            && (self.f0.iter().zip(&plus.y).zip(&minus.y))
                .all(|((f0, p), m)| !f0.is_finite() || (p.is_finite() && m.is_finite()))
    }

    /// Adds a level. True when rounding is the larger error in every output that is not done.
    fn push(&mut self, (plus, minus): &(Point, Point), best: &mut Column) -> bool {
        let width = plus.t - minus.t;
        let mut rounding = true;
        for i in 0..self.f0.len() {
            let (p, m, f0) = (plus.y[i], minus.y[i], self.f0[i]);
            let change = (p - f0).abs().max((m - f0).abs());
            let before = self.before(i, change);
            let bend = (p - f0) + (m - f0);
            let round = self
                .rounding(i, p.abs().max(m.abs()), width)
                .max(before.round / 3.);
            let argument = self.argument(bend, width);
            let orders = self.levels - before.start;
            let (row, value, error) = extrapolate((p - m) / width, &before.row, orders);
            let error = error.max(self.unresolved(bend, i) / width);
            let bound = error + round + argument;
            if bound < best.bound[i] {
                best.value[i] = value;
                best.bound[i] = bound;
            }
            best.slope[i] = best.slope[i].max(2. * change / width);
            if bend.abs() > 16. * self.noise[i] {
                best.curvature[i] = 4. * bend.abs() / (width * width);
            }
            best.kinked[i] |= self.halves(bend, (p - m).abs(), i);
            rounding = rounding && (error <= round + argument || self.is_done(i, best));
            self.outputs[i] = Before {
                row,
                bend,
                round,
                change,
                start: before.start,
            };
        }
        self.levels += 1;
        rounding
    }

    /// The level before; all but its bend is dropped where the change of f has fallen too fast since.
    fn before(&self, i: usize, change: f64) -> Before {
        match self.outputs[i] {
            before if before.change <= STEEP * change => before,
            before => Before {
                bend: before.bend,
                start: self.levels,
                ..Before::default()
            },
        }
    }

    /// 2ε/h for the values of this level; the level before hands on a share of at most 1/3.
    fn rounding(&self, i: usize, size: f64, width: f64) -> f64 {
        // A few units of rounding grow with f; more than that is cancellation inside f, and stays.
        let relative = self.noise[i] / self.f0[i].abs(); // NaN where both are 0
        let relative = relative.max(self.unit).min(4. * self.unit);
        4. * self.noise[i].max(relative * size) / width
    }

    /// 4u|x||f''|: f may round x twice before it does anything, by 2u|x| together, and its slope at
    /// x ± h is larger than at x by |f''|h.
    fn argument(&self, bend: f64, width: f64) -> f64 {
        16. * self.unit * self.x * bend.abs() / (width * width)
    }

    /// Whether the one-sided slopes stay apart by as much as at the level before.
    fn halves(&self, bend: f64, change: f64, i: usize) -> bool {
        let ratio = (bend / self.outputs[i].bend).abs();
        let clear = bend.abs() > 64. * self.noise[i] && bend.abs() > 1e-3 * change;
        self.levels > 0 && clear && (0.48..0.52).contains(&ratio)
    }

    /// f(x+h) + f(x-h) - 2f(x) falls as h² where the steps resolve f, as h at a kink. Where it does
    /// not fall, f varies on a smaller scale than h, and differences that agree mean nothing: the
    /// one-sided slopes bend by this much.
    fn unresolved(&self, bend: f64, i: usize) -> f64 {
        let falls = self.levels > 0 && bend.abs() <= 0.6 * self.outputs[i].bend.abs();
        if falls || bend.abs() <= 16. * self.noise[i] {
            0.
        } else {
            2. * bend.abs()
        }
    }
}

/// 1/(4ᵏ - 1): D(i,k) is D(i,k-1) and this share of its difference from D(i-1,k-1).
const SHARES: Row = [
    0.,
    1. / 3.,
    1. / 15.,
    1. / 63.,
    1. / 255.,
    1. / 1023.,
    1. / 4095.,
];

/// D(i,k) from D(i,k-1) and D(i-1,k-1), k up to the `levels` before this one; and the entry of least
/// error with that error, which is infinite while there is nothing to compare with.
#[inline]
fn extrapolate(slope: f64, before: &Row, levels: usize) -> (Row, f64, f64) {
    let mut row = [0.; ORDER + 1];
    row[0] = slope;
    let (mut best, mut least) = (slope, f64::INFINITY);
    for k in 1..=levels.min(ORDER) {
        let (fine, coarse) = (row[k - 1], before[k - 1]);
        let value = fine + (fine - coarse) * SHARES[k];
        row[k] = value;
        let error = (value - fine).abs().max((value - coarse).abs());
        best = if error < least { value } else { best };
        least = if error < least { error } else { least };
    }
    (row, best, least)
}
