//! The numeric derivative, with a bound on its error.
//!
//! Ridders' tableau (C. J. F. Ridders 1982, "Accurate computation of F'(x) and F'(x)F''(x)";
//! Numerical Recipes, third edition, section 5.7) with steps hᵢ = h₀/2ⁱ:
//!
//! ```text
//! D(i,0) = [f(x+hᵢ) - f(x-hᵢ)] / 2hᵢ
//! D(i,k) = (4ᵏ D(i,k-1) - D(i-1,k-1)) / (4ᵏ - 1)
//! error  = max(|D(i,k) - D(i,k-1)|, |D(i,k) - D(i-1,k-1)|) + 2 ε/hᵢ
//! ```
//!
//! The entry of least error is kept. ε is the error of one value of f: at least u·|f|, and as much
//! as f is seen to scatter (its differences at tiny steps). Each D(i,0) then carries at most ε/hᵢ, and the weights of
//! the extrapolation amplify it by ∏(4ᵏ + 1/2)/(4ᵏ - 1) < 2, which is the 2 above.
//!
//! Steps are halvings of one near the scale of x, and the difference is divided by the step really
//! taken. The first steps suit an f that varies on the scale of x. Where rounding rules, larger
//! ones follow; where truncation does, smaller ones: at the edge of a domain, near a kink, for a
//! fast oscillation. Values that are not finite shrink the step before anything is concluded.

use candle_core::Result;

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

/// One evaluation on a line through x.
#[derive(Clone)]
pub(crate) struct Point {
    /// The offset really taken; x + t is rounded.
    pub(crate) t: f64,
    /// Every output there.
    pub(crate) y: Vec<f64>,
}

/// The derivative of every output along one line.
#[derive(Clone, Default)]
pub(crate) struct Column {
    pub(crate) value: Vec<f64>,
    pub(crate) bound: Vec<f64>,
    pub(crate) evaluations: usize,
}

impl Column {
    fn unknown(outputs: usize) -> Self {
        Self {
            value: vec![f64::NAN; outputs],
            bound: vec![f64::INFINITY; outputs],
            evaluations: 0,
        }
    }

    /// Takes over what another tableau knows better. Where the two contradict each other the first is
    /// kept: its steps were nearer to the scale of x, and steps far beyond the scale on which f
    /// varies see a flat function and say so with confidence.
    fn absorb(&mut self, other: &Self) {
        self.evaluations += other.evaluations;
        for i in 0..self.value.len() {
            let apart = (self.value[i] - other.value[i]).abs();
            let first = self.bound[i] == f64::INFINITY;
            let consistent = apart <= self.bound[i] + other.bound[i];
            if other.bound[i] < self.bound[i] && (first || consistent) {
                self.value[i] = other.value[i];
                self.bound[i] = other.bound[i];
            }
        }
    }
}

/// Functions like to repeat themselves on whole numbers and on their halves, quarters and eighths
/// (sin(2πkx), x - floor(x), positions encoded by waves), and a difference over a period is 0,
/// whatever the slope. So no step is such a number: each is this times a power of two. It has few
/// digits, so that adding a step to x is as exact as adding a power of two.
const ODD: f64 = 1049. / 1024.;

/// The same for [`second_opinion`].
const ODDER: f64 = 749. / 1024.;

/// Where to take steps: the scales on which f may vary, and the precision of its values.
pub(crate) struct Grid<'a> {
    /// |x|, which f may round.
    pub(crate) x: f64,
    pub(crate) scales: &'a [f64],
    pub(crate) unit: f64,
    /// The first step is 2^-start of the scale.
    pub(crate) start: i32,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(x: f64, scales: &'a [f64], unit: f64) -> Self {
        let mut grid = Self {
            x,
            scales,
            unit,
            start: 0,
        };
        grid.start = grid.first();
        grid
    }

    /// The bits of a significand over 7.5: the step that balances u/h against a few orders of
    /// truncation. 2^-7 of the scale in f64, 2^-3 in f32.
    pub(crate) fn first(&self) -> i32 {
        (-self.unit.log2() / 7.5) as i32
    }

    /// The step 2^-k of a scale, or nearly: see [`ODD`].
    fn step(scale: f64, k: i32) -> f64 {
        scale * ODD * 2f64.powi(-k)
    }

    /// The next scale where it is far above this one and other lines have been smooth on it:
    /// rounding is smaller there.
    fn sharper(&self, scale: usize) -> Option<f64> {
        let next = *self.scales.get(scale + 1)?;
        (self.start < self.first() && 64. * self.scales[scale] <= next).then_some(next)
    }
}

/// The scales worth trying, in order, each a power of two: that of x and its tensor, that of x
/// alone, the tensor's largest, and 1. `typical` is the root mean square of the tensor. An x far
/// below it goes first by its own scale: 1/x near its pole looks smooth from afar.
pub(crate) fn scales(x: f64, typical: f64, largest: f64) -> Vec<f64> {
    let mut scales: Vec<f64> = Vec::with_capacity(4);
    let both = x.abs().max(typical);
    let (first, second) = if x.abs() < both / 64. {
        (x.abs(), both)
    } else {
        (both, x.abs())
    };
    for size in [first, second, largest, 1.] {
        let scale = power_of_two(size);
        if size > 0. && !scales.contains(&scale) {
            scales.push(scale);
        }
    }
    scales
}

/// The power of two at or below `size`, kept where steps can still be taken above and below it.
pub(crate) fn power_of_two(size: f64) -> f64 {
    2f64.powi(size.log2().floor().clamp(-960., 960.) as i32)
}

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
        steps.run(line, Grid::step(scale, grid.start), LEVELS, &mut large)?;
        if steps.all_done(&large) {
            best.absorb(&large);
            return Ok(true);
        }
        best.evaluations += large.evaluations;
    }
    let (mut steps, mut fine) = (descent(), Column::unknown(best.value.len()));
    let end = steps.run(line, Grid::step(scale, grid.first()), LEVELS, &mut fine)?;
    if end == End::Truncation {
        // Half the bits again below the first steps: about 2^-27 of the scale in f64.
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
/// Found on one line, it serves as the start for others like it; a line it does not suit begins anew
/// where any other does.
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
pub(crate) fn second_opinion(
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

/// Why a descent stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
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
struct Descent<'a, D> {
    f0: &'a [f64],
    noise: &'a [f64],
    unit: f64,
    x: f64,
    done: &'a D,
    /// What the level before left behind, for every output.
    outputs: Vec<Before>,
    levels: usize,
    /// The first step, and the last.
    first: f64,
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
}

impl<'a, D: Fn(usize, f64, f64) -> bool> Descent<'a, D> {
    fn new(f0: &'a [f64], noise: &'a [f64], grid: &Grid, done: &'a D) -> Self {
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

    fn all_done(&self, best: &Column) -> bool {
        (0..self.f0.len()).all(|i| !self.f0[i].is_finite() || self.is_done(i, best))
    }

    fn is_done(&self, i: usize, best: &Column) -> bool {
        (self.done)(i, best.value[i], best.bound[i])
    }

    /// Starts at the largest of h, h/4, h/16, ... where f is finite on both sides.
    fn run(
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
    fn resume(
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

    /// Outputs that are not finite at x itself are not waited for.
    fn finite(&self, (plus, minus): &(Point, Point)) -> bool {
        plus.t > minus.t
            && (self.f0.iter().zip(&plus.y).zip(&minus.y))
                .all(|((f0, p), m)| !f0.is_finite() || (p.is_finite() && m.is_finite()))
    }

    /// Adds a level. True when rounding rules in every output that is not done.
    fn push(&mut self, (plus, minus): &(Point, Point), best: &mut Column) -> bool {
        let width = plus.t - minus.t;
        let mut rounding = true;
        for i in 0..self.f0.len() {
            let (p, m, f0) = (plus.y[i], minus.y[i], self.f0[i]);
            let before = self.outputs[i];
            let bend = (p - f0) + (m - f0);
            let round = self.rounding(i, p.abs().max(m.abs()), width);
            let argument = self.argument(bend, width);
            let (row, value, error) = extrapolate((p - m) / width, &before.row, self.levels);
            let error = error.max(self.unresolved(bend, i) / width);
            let bound = error + round + argument;
            if bound < best.bound[i] {
                best.value[i] = value;
                best.bound[i] = bound;
            }
            rounding &= error <= round + argument || self.is_done(i, best);
            self.outputs[i] = Before { row, bend, round };
        }
        self.levels += 1;
        rounding
    }

    /// 2ε/h for the values of this level, no less than the share that the level before hands on
    /// (its weight is at most 1/3).
    fn rounding(&self, i: usize, size: f64, width: f64) -> f64 {
        // A few units of rounding grow with f; more than that is cancellation inside f, and stays.
        let relative = (self.noise[i] / self.f0[i].abs()).clamp(self.unit, 4. * self.unit);
        let values = 4. * self.noise[i].max(relative * size) / width;
        values.max(self.outputs[i].round / 3.)
    }

    /// 4u|x||f''|: f may round x twice before it does anything, by 2u|x| together, and its slope at
    /// x ± h is larger than at x by |f''|h.
    fn argument(&self, bend: f64, width: f64) -> f64 {
        16. * self.unit * self.x * bend.abs() / (width * width)
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

/// The evaluations [`noise`] takes beside f(x).
pub(crate) const SAMPLES: usize = 8;

/// The spacing of [`noise`]'s samples: as large as can be while its fourth power stays 2^-40 below u,
/// so that f does not seem to scatter because it curves.
///
/// It is a whole number of units in the last place at `scale`, so that adding it to x is exact while
/// x keeps all its digits; and its own digits are those of 5/7 = 0.101101...b, so that whatever
/// place f rounds at, neighbouring samples do not round alike (they did, at some places, for a
/// power of two and for an odd number taken at random).
pub(crate) fn sampling_step(scale: f64, unit: f64) -> f64 {
    let ulp = 2. * unit;
    let bits = ((unit.log2() - 40.) / 4. - ulp.log2()).round().max(1.);
    scale * ulp * (2f64.powf(bits) * 5. / 7.).floor()
}

/// ε: the error of one value of f, for every output.
///
/// Fourth differences of nine values at steps too small for f to curve are pure rounding; their mean
/// square is 70 = 8!/4!² times the variance of one value (Hamming 1962; Moré and Wild 2011,
/// "Estimating computational noise"). Three standard deviations, and never less than u·|f|.
///
/// `sample` gives f at [`offset`] steps from x, each times the factor it is called with. Where f
/// oscillates fast enough to curve even there, what looks like scatter falls by 16⁴ at steps 16 times
/// smaller, as rounding does not; where f is a staircase it vanishes.
pub(crate) fn noise(
    f0: &[f64],
    unit: f64,
    mut sample: impl FnMut(f64) -> Vec<Vec<f64>>,
) -> Vec<f64> {
    let least = |i: usize| unit * f0[i].abs();
    let finite = f0.iter().filter(|f| f.is_finite());
    let largest = unit * finite.fold(0f64, |m, f| m.max(f.abs()));
    let mut noise = scatter(f0, &sample(1.));
    for closer in [1. / 16., 1. / 256.] {
        if noise.iter().all(|e| *e <= 4096. * largest) {
            break;
        }
        for (e, again) in noise.iter_mut().zip(scatter(f0, &sample(closer))) {
            if again > 0. && again < *e / 1024. {
                *e = again;
            }
        }
    }
    let all = noise.into_iter().enumerate();
    all.map(|(i, e)| least(i).max(e)).collect()
}

/// Three standard deviations of a value of every output, from samples on both sides of f0; 0 where
/// there are none that are finite.
fn scatter(f0: &[f64], samples: &[Vec<f64>]) -> Vec<f64> {
    let (before, after) = samples.split_at(samples.len() / 2);
    let before = before.iter().map(Vec::as_slice);
    let after = after.iter().map(Vec::as_slice);
    let values: Vec<&[f64]> = before.chain([f0]).chain(after).collect();
    let deviation = |i| match fourth_difference(&values, i) {
        deviation if deviation.is_finite() => 3. * deviation,
        _ => 0.,
    };
    (0..f0.len()).map(deviation).collect()
}

/// How many steps from x a sample of [`noise`] is: -4, ..., -1, 1, ..., 4.
pub(crate) fn offset(sample: usize) -> f64 {
    let half = (SAMPLES / 2) as f64;
    let k = sample as f64 - half;
    if k < 0. { k } else { k + 1. }
}

/// The standard deviation of one value, from the fourth differences of output i.
fn fourth_difference(values: &[&[f64]], i: usize) -> f64 {
    let windows = values.windows(5);
    let count = windows.len() as f64;
    let squares =
        windows.map(|w| (w[0][i] - 4. * w[1][i] + 6. * w[2][i] - 4. * w[3][i] + w[4][i]).powi(2));
    (squares.sum::<f64>() / count / 70.).sqrt()
}

/// The one-sided slopes of every output at a sequence of steps, to tell a kink from an error.
pub(crate) struct Slopes {
    /// (step, slopes to the right, slopes to the left)
    steps: Vec<(f64, Vec<f64>, Vec<f64>)>,
}

/// Takes steps 16 times apart, from a little above [`search`]'s first down to near its last, and not
/// below 8 units of round-off of the dtype the gradient is in (`resolution`): there a branch may
/// go either way.
pub(crate) fn slopes(
    line: &mut impl FnMut(f64) -> Result<Point>,
    f0: &[f64],
    grid: &Grid,
    resolution: f64,
) -> Result<Slopes> {
    let scale = grid.scales.first().copied().unwrap_or(1.);
    let least = (8. * resolution).max(2f64.powi(1 - 4 * grid.first()));
    let mut step = 2f64.powi(1 - grid.first()).max(16. * least);
    let mut steps = Vec::new();
    while step >= least {
        let (plus, minus) = (line(scale * step)?, line(-scale * step)?);
        if plus.t <= 0. || minus.t >= 0. {
            break;
        }
        let right = (0..f0.len()).map(|i| (plus.y[i] - f0[i]) / plus.t);
        let left = (0..f0.len()).map(|i| (minus.y[i] - f0[i]) / minus.t);
        steps.push((plus.t - minus.t, right.collect(), left.collect()));
        step /= 16.;
    }
    Ok(Slopes { steps })
}

impl Slopes {
    /// Whether output i has a kink or a jump at x, and `slope` lies between its one-sided slopes.
    ///
    /// The gap between them shrinks as h where f is smooth, 16 times from step to step. Where it has
    /// not even halved over the last two steps at which it stands out of the noise, f is not smooth.
    pub(crate) fn kink(&self, i: usize, noise: f64, slope: f64) -> bool {
        let clear: Vec<_> = (self.steps.iter())
            .map(|(width, right, left)| (*width, right[i], left[i]))
            .filter(|(width, right, left)| (right - left).abs() > 16. * 4. * noise / width)
            .collect();
        let [.., (_, right0, left0), (width, right, left)] = clear[..] else {
            return false;
        };
        if (right - left).abs() < 0.5 * (right0 - left0).abs() {
            return false;
        }
        // The kink may lie a little beside x, within the steps taken.
        let slack = 0.05 * (right - left).abs() + 4. * noise / width;
        (right.min(left) - slack..=right.max(left) + slack).contains(&slope)
    }
}
