//! Every entry of the Jacobian: rows from gradients, columns from numeric derivatives.
//!
//! The rows are kept (8 bytes an entry); the columns are compared as they come and dropped.

use std::ops::Range;

use candle_core::Result;

use super::found::{Found, Worst};
use super::target::Target;
use crate::gradcheck::autograd::graph::Products;
use crate::gradcheck::judge::constants::PEERS;
use crate::gradcheck::judge::law::Pair;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::numeric::grid::{Grid, ODDER, power_of_two};
use crate::gradcheck::numeric::kink::{Slopes, slopes};
use crate::gradcheck::numeric::line::{Column, Point};
use crate::gradcheck::numeric::noise::nearer;
use crate::gradcheck::numeric::steps::{best_start, closer, recheck, search};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::values::largest;

/// A gradient of one input, output by output: autograd's, or one by hand.
pub(crate) struct Rows<'a> {
    slot: usize,
    rows: &'a [Products],
    /// The same in f64, where the dtype is narrower and the backward runs in it.
    wide: Option<&'a [Products]>,
    /// The largest finite magnitude of each row.
    largest: Vec<f64>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(slot: usize, rows: &'a [Products], wide: Option<&'a [Products]>) -> Self {
        let largest = |row: &Products| largest(row[slot].iter().flatten());
        Self {
            slot,
            rows,
            wide,
            largest: rows.iter().map(largest).collect(),
        }
    }

    fn row(&self, i: usize) -> Option<&[f64]> {
        self.rows[i][self.slot].as_deref()
    }

    /// Column j; 0 where there is no gradient.
    fn column(&self, rows: &[Products], j: usize) -> Vec<f64> {
        let at = |row: &Products| row[self.slot].as_ref().map_or(0., |row| row[j]);
        rows.iter().map(at).collect()
    }
}

/// Compares every entry of one input's Jacobian with each of the `gradients`.
pub(crate) fn compare<E: Exec>(
    exec: &E,
    target: &Target,
    gradients: &[Rows],
) -> Result<Vec<Found>> {
    let start = start(exec, target)?;
    let outputs = 0..target.noise.len();
    let columns = exec.map(target.values().len(), |exec, j| {
        column(exec, target, gradients, outputs.clone(), start, j)
    });
    let mut all = vec![Found::pass(None); gradients.len()];
    for column in columns {
        for (found, more) in all.iter_mut().zip(&column?) {
            found.merge(more);
        }
    }
    Ok(all)
}

/// Compares entry (`output`, `input`) alone; `row` is the gradient of that output.
pub(crate) fn entry<E: Exec>(
    exec: &E,
    target: &Target,
    row: Rows,
    (output, input): (usize, usize),
) -> Result<Option<Worst>> {
    let found = column(exec, target, &[row], output..output + 1, None, input)?;
    Ok(found.first().and_then(|found| found.worst))
}

/// Columns for each trial of a first step: a trial takes some twenty evaluations, and saves a few in each of the
/// other columns.
const COLUMNS_A_TRIAL: usize = 32;

/// A first step that suits up to three columns: the smallest of their best ones, as the exponent of
/// [`best_start`]. None where there are too few columns to try.
fn start<E: Exec>(exec: &E, target: &Target) -> Result<Option<i32>> {
    let (reference, values) = (target.reference, target.values());
    let trials = (values.len() / COLUMNS_A_TRIAL).min(3);
    let tried = exec.map(trials, |exec, c| {
        let j = (2 * c + 1) * values.len() / (2 * trials);
        let scales = reference.scales(target.input, j, target.size);
        let grid = Grid::new(values[j].abs(), &scales, reference.unit);
        let mut line = reference.along(exec, target.input, j);
        best_start(&mut line, &reference.f0, target.noise, &grid)
    });
    let steps: Result<Vec<i32>> = tried.into_iter().collect();
    Ok(steps?.into_iter().max())
}

/// Compares some outputs of column `j` with each of the gradients, whose rows are those outputs'. The first step is
/// that of `start`, if there is one.
fn column<E: Exec>(
    exec: &E,
    target: &Target,
    gradients: &[Rows],
    outputs: Range<usize>,
    start: Option<i32>,
    j: usize,
) -> Result<Vec<Found>> {
    let reference = target.reference;
    let scales = reference.scales(target.input, j, target.size);
    let mut grid = Grid::new(target.values()[j].abs(), &scales, reference.unit);
    grid.start = start.unwrap_or(grid.start);
    let mut entries = Entries {
        exec,
        target,
        f0: &reference.f0[outputs.clone()],
        noise: &target.noise[outputs.clone()],
        outputs,
        j,
        numeric: Column::default(),
        again: None,
        near_noise: None,
        slopes: None,
        grid,
    };
    let claims: Vec<Claim> = gradients.iter().map(|rows| Claim::new(rows, j)).collect();
    let enough = |i: usize, n: f64, e: f64| {
        let sharp = |claim| target.judge.sharp(&entries.pair(claim, i, n, e));
        claims.iter().all(sharp)
    };
    let (f0, noise) = (entries.f0, entries.noise);
    entries.numeric = search(&mut entries.line(), f0, noise, &entries.grid, &enough)?;
    claims.iter().map(|claim| entries.compare(claim)).collect()
}

/// One gradient's values in one column.
struct Claim<'a> {
    rows: &'a Rows<'a>,
    analytic: Vec<f64>,
    wide: Option<Vec<f64>>,
}

impl<'a> Claim<'a> {
    fn new(rows: &'a Rows<'a>, j: usize) -> Self {
        Self {
            analytic: rows.column(rows.rows, j),
            wide: rows.wide.map(|wide| rows.column(wide, j)),
            rows,
        }
    }
}

/// The numeric derivatives of some outputs by element j, of which doubtful ones are taken again before any is flagged.
struct Entries<'a, E> {
    exec: &'a E,
    target: &'a Target<'a>,
    outputs: Range<usize>,
    f0: &'a [f64],
    noise: &'a [f64],
    j: usize,
    grid: Grid<'a>,
    numeric: Column,
    /// Where an entry was in doubt: the same from other steps, and f on both sides at a distance far below all steps
    /// and at half of it.
    again: Option<(Column, [Point; 4])>,
    /// The error of a value of each output, from samples near x, where an entry was in doubt.
    near_noise: Option<Vec<f64>>,
    /// The one-sided slopes, where f may have a kink.
    slopes: Option<Slopes>,
}

impl<'a, E: Exec> Entries<'a, E> {
    /// f along element j, of these outputs.
    fn line(&self) -> impl FnMut(f64) -> Result<Point> + use<'a, E> {
        let target = self.target;
        let mut line = target.reference.along(self.exec, target.input, self.j);
        let (outputs, all) = (self.outputs.clone(), target.noise.len());
        move |t| {
            let mut point = line(t)?;
            if outputs.len() < all {
                point.y = point.y[outputs.clone()].to_vec();
            }
            Ok(point)
        }
    }

    fn compare(&mut self, claim: &Claim) -> Result<Found> {
        let mut found = Found::pass(None);
        for i in 0..self.f0.len() {
            found.add(self.judge(claim, i)?);
        }
        Ok(found)
    }

    fn judge(&mut self, claim: &Claim, i: usize) -> Result<Worst> {
        let judge = &self.target.judge;
        let mut pair = self.entry(claim, i);
        let mut verdict = judge.verdict(&pair);
        if verdict != Verdict::Pass || self.numeric.kinked[i] {
            if judge.doubts(&pair) {
                self.sharpen(i, pair.analytic)?;
                pair = self.entry(claim, i);
            }
            if judge.doubts_smoothness(&pair, self.numeric.kinked[i]) {
                pair.kink = self.slopes()?.kink(i, pair.analytic);
            }
            verdict = judge.verdict(&pair);
        }
        Ok(Worst {
            verdict,
            excess: judge.excess(&pair),
            output: self.outputs.start + i,
            input: self.j,
            pair,
        })
    }

    /// What tells whether a numeric derivative is known well enough.
    fn pair(&self, claim: &Claim, i: usize, numeric: f64, bound: f64) -> Pair {
        let (target, scale) = (self.target, self.grid.scales[0]);
        let output = self.outputs.start + i;
        let made_of = target.made_of(output, target.noise);
        Pair {
            analytic: claim.analytic[i],
            numeric,
            bound,
            row: claim.rows.largest[i],
            ignored: target.constant.get(output).copied().unwrap_or(false),
            natural: made_of / target.size.largest.max(scale),
            own: made_of / scale,
            ..Pair::default()
        }
    }

    /// All that the verdict on an entry depends on, but whether f has a kink.
    fn entry(&self, claim: &Claim, i: usize) -> Pair {
        let numeric = &self.numeric;
        let given = claim.rows.row(i).is_some();
        let x = self.target.values()[self.j];
        Pair {
            wide: claim.wide.as_ref().map(|wide| wide[i]),
            peers: self.peers(claim, i),
            beside: if given { numeric.slope[i] } else { 0. },
            bends: x.abs() * numeric.curvature[i],
            single: self.target.single,
            undefined: !x.is_finite(),
            ..self.pair(claim, i, numeric.value[i], numeric.bound[i])
        }
    }

    /// The largest gradient of row i. Where element j is far smaller than others, only among elements no larger than
    /// [`PEERS`] times itself: the others' gradients do not say how exactly its own must be known.
    fn peers(&self, claim: &Claim, i: usize) -> f64 {
        let values = self.target.values();
        let most = PEERS * values[self.j].abs();
        if most > 0. && most < self.target.size.largest {
            let row = claim.rows.row(i).unwrap_or_default().iter().zip(values);
            largest(row.filter(|(_, x)| x.abs() <= most).map(|(g, _)| g))
        } else {
            claim.rows.largest[i]
        }
    }

    /// Takes the numeric value again from other steps. Keeps the better of the two, and where they do not agree, a
    /// bound at least as wide as their difference; then looks for a kink [`beside`](Self::beside) x, and [`closer`](Self::closer).
    fn sharpen(&mut self, i: usize, slope: f64) -> Result<()> {
        let again = match self.again.take() {
            Some(again) => again,
            None => {
                let (mut line, near) = (self.line(), self.near());
                let second = recheck(&mut line, self.f0, self.noise, &self.grid)?;
                let half = near / 2.;
                (
                    second,
                    [line(near)?, line(-near)?, line(half)?, line(-half)?],
                )
            }
        };
        let (second, near) = &again;
        let kappa = self.target.judge.tolerance.kappa;
        let first = &mut self.numeric;
        let apart = (first.value[i] - second.value[i]).abs();
        let allowed = kappa * (first.bound[i] + second.bound[i]);
        if second.bound[i] < first.bound[i] {
            first.value[i] = second.value[i];
            first.bound[i] = second.bound[i];
        }
        if apart > allowed {
            first.bound[i] = first.bound[i].max(apart);
        }
        self.beside(i, slope)?;
        self.closer(i, near)?;
        self.again = Some(again);
        Ok(())
    }

    /// A distance far below all steps.
    fn near(&self) -> f64 {
        self.grid.scales[0] * ODDER * self.grid.unit.powf(0.75)
    }

    /// Takes one difference over the distance [`near`](Self::near). Where f is more than twice as steep there as the
    /// steps say, they met f's oscillation always at the same phase, and their bound means nothing. If a tableau of
    /// steps near that distance gives the same slope as the difference, its value and bound are taken.
    fn closer(&mut self, i: usize, near: &[Point; 4]) -> Result<()> {
        let near_noise = self.near_noise()?[i];
        let (grid, f0, kappa) = (&self.grid, self.f0, self.target.judge.tolerance.kappa);
        let [plus, minus, half_plus, half_minus] = near;
        let difference =
            |plus: &Point, minus: &Point| (plus.y[i] - minus.y[i]) / (plus.t - minus.t);
        let width = plus.t - minus.t;
        let (slope, again) = (difference(plus, minus), difference(half_plus, half_minus));
        // At so small a distance, that f rounds x counts too: it changes f by the slope times that rounding.
        let rounds = 2. * grid.x * slope.abs();
        let noise_i = self.noise[i]
            .min(near_noise)
            .max(grid.unit * f0[i].abs().max(rounds));
        let rounding = 4. * noise_i / width;
        let value = self.numeric.value[i];
        let apart = (slope - value).abs();
        // A slope that is nothing but rounding is another at half the distance.
        let steeper = slope.abs() > 2. * value.abs() && (again - slope).abs() < slope.abs() / 2.;
        if !(width > 0. && steeper && apart > kappa * rounding) {
            return Ok(());
        }
        let mut noise = self.noise.to_vec();
        noise[i] = noise_i;
        let close = closer(&mut self.line(), f0, &noise, grid, self.near())?;
        self.numeric.bound[i] = f64::INFINITY;
        if (close.value[i] - slope).abs() <= kappa * (close.bound[i] + rounding) {
            self.numeric.value[i] = close.value[i];
            self.numeric.bound[i] = close.bound[i];
            self.numeric.curvature[i] = close.curvature[i];
            self.numeric.kinked[i] = close.kinked[i];
        }
        Ok(())
    }

    /// The larger of x's own scale and that of its tensor.
    fn scale(&self) -> f64 {
        self.grid.scales[0].max(power_of_two(self.target.size.typical))
    }

    fn near_noise(&mut self) -> Result<&[f64]> {
        let noise = match self.near_noise.take() {
            Some(noise) => noise,
            None => {
                let mut noise = self.noise.to_vec();
                let sizes = (self.scale(), self.grid.unit);
                nearer(&mut self.line(), self.f0, &mut noise, sizes)?;
                noise
            }
        };
        Ok(self.near_noise.insert(noise))
    }

    fn slopes(&mut self) -> Result<&Slopes> {
        let slopes = match self.slopes.take() {
            Some(slopes) => slopes,
            None => {
                let noise = self.near_noise()?.to_vec();
                let sizes = (self.scale(), self.target.judge.tolerance.unit);
                slopes(&mut self.line(), self.f0, noise, &self.grid, sizes)?
            }
        };
        Ok(self.slopes.insert(slopes))
    }

    /// Where x is at no kink, and the difference over the smallest step of the [`slopes`](Self::slopes) contradicts
    /// the numeric value, larger steps met a kink beside x: that difference is taken instead.
    fn beside(&mut self, i: usize, slope: f64) -> Result<()> {
        let kappa = self.target.judge.tolerance.kappa;
        let slopes = self.slopes()?;
        let (kink, nearest) = (slopes.kink(i, slope), slopes.nearest(i));
        if let (false, Some((near, error, change))) = (kink, nearest) {
            let apart = (near - self.numeric.value[i]).abs();
            if apart > kappa * (self.numeric.bound[i] + error) {
                (self.numeric.value[i], self.numeric.bound[i]) = (near, error + change);
            }
        }
        Ok(())
    }
}
