//! Every entry of the Jacobian: rows by backward passes, columns by numeric derivatives.
//!
//! The rows are kept (8 bytes an entry); the columns are compared as they come and dropped.

use candle_core::{Error, Result};

use super::summary::{Summary, Worst};
use crate::gradcheck::autograd::graph::Products;
use crate::gradcheck::judge::constants::PEERS;
use crate::gradcheck::judge::law::{Judge, Pair};
use crate::gradcheck::numeric::function::{Reference, Size};
use crate::gradcheck::numeric::grid::{Grid, ODDER, power_of_two};
use crate::gradcheck::numeric::kink::{Slopes, slopes};
use crate::gradcheck::numeric::line::{Column, Point};
use crate::gradcheck::numeric::noise::nearer;
use crate::gradcheck::numeric::steps::{best_start, closer, recheck, search};
use crate::gradcheck::support::exec::Exec;

/// Columns compared together, so that reading a column of row-major rows uses whole cache lines.
const BLOCK: usize = 8;

/// A gradient to compare with one input's numeric Jacobian: autograd's, or one by hand.
pub(crate) struct Rows<'a> {
    /// Output by output, the gradients of the checked inputs.
    pub(crate) rows: &'a [Products],
    /// The same in f64, where the dtype is narrower and the backward runs in it.
    pub(crate) wide: Option<&'a [Products]>,
}

impl Rows<'_> {
    /// The largest finite magnitude of each row among some of its elements.
    fn peers(&self, slot: usize, among: impl Fn(usize) -> bool) -> Vec<f64> {
        let row = |products: &Products| {
            let values = products[slot].iter().flatten().enumerate();
            let peers = values.filter(|(k, a)| among(*k) && a.is_finite());
            peers.fold(0f64, |m, (_, a)| m.max(a.abs()))
        };
        self.rows.iter().map(row).collect()
    }

    /// The largest finite magnitude of each row.
    fn sizes(&self, slot: usize) -> Vec<f64> {
        let row = |products: &Products| {
            let finite = products[slot].iter().flatten().filter(|a| a.is_finite());
            finite.fold(0f64, |m, a| m.max(a.abs()))
        };
        self.rows.iter().map(row).collect()
    }
}

/// What is compared: one input, its place among those checked, its tolerances.
pub(crate) struct Target<'a> {
    pub(crate) input: usize,
    pub(crate) slot: usize,
    pub(crate) judge: Judge,
    pub(crate) noise: &'a [f64],
    /// f's values are single-precision numbers, and scatter like them.
    pub(crate) single: bool,
    /// The outputs that stay as they are, to the last bit, when the whole input moves far.
    pub(crate) constant: &'a [bool],
}

/// What the comparison of one input's Jacobian, or of a part of it, has found.
pub(crate) struct Compared {
    /// One for each of the gradients compared.
    pub(crate) summaries: Vec<Summary>,
}

/// Compares every entry of one input's Jacobian with each of the `gradients`.
pub(crate) fn compare<E: Exec>(
    exec: &E,
    reference: &Reference,
    target: &Target,
    gradients: &[Rows],
) -> Result<Compared> {
    let inputs = reference.values(target.input).len();
    let size = reference.size(target.input);
    let rows: Vec<Vec<f64>> = gradients.iter().map(|g| g.sizes(target.slot)).collect();
    let start = start(exec, reference, target)?;
    let blocks = exec.map(inputs.div_ceil(BLOCK), |exec, b| {
        let block = Block {
            reference,
            exec,
            target,
            gradients,
            rows: &rows,
            size,
            f0: &reference.f0,
            noise: target.noise,
            start,
            only: None,
        };
        block.compare(b * BLOCK..inputs.min((b + 1) * BLOCK))
    });
    let mut all = Compared {
        summaries: vec![Summary::default(); gradients.len()],
    };
    for block in blocks {
        let block = block?;
        for (summary, more) in all.summaries.iter_mut().zip(&block.summaries) {
            summary.merge(more);
        }
    }
    Ok(all)
}

/// Columns for each trial of a first step: a trial takes some twenty evaluations, and saves a few in each of the
/// other columns.
const COLUMNS_A_TRIAL: usize = 32;

/// A first step that suits up to three columns: the smallest of their best ones, as the exponent of
/// [`best_start`]. None where there are too few columns to try.
fn start<E: Exec>(exec: &E, reference: &Reference, target: &Target) -> Result<Option<i32>> {
    let values = reference.values(target.input);
    let trials = (values.len() / COLUMNS_A_TRIAL).min(3);
    let size = reference.size(target.input);
    let tried = exec.map(trials, |exec, c| {
        let j = (2 * c + 1) * values.len() / (2 * trials);
        let scales = reference.scales(target.input, j, size);
        let grid = Grid::new(values[j].abs(), &scales, reference.unit);
        let mut line = reference.along(exec, target.input, j);
        best_start(&mut line, &reference.f0, target.noise, &grid)
    });
    let steps: Result<Vec<i32>> = tried.into_iter().collect();
    Ok(steps?.into_iter().max())
}

/// Compares entry (`output`, `input`) alone; `row` is the gradient of that output.
pub(crate) fn entry(
    exec: &impl Exec,
    reference: &Reference,
    target: &Target,
    row: &Rows,
    output: usize,
    input: usize,
) -> Result<Summary> {
    let block = Block {
        reference,
        exec,
        target,
        gradients: std::slice::from_ref(row),
        rows: &[row.sizes(target.slot)],
        size: reference.size(target.input),
        f0: &reference.f0[output..=output],
        noise: &target.noise[output..=output],
        start: None,
        only: Some(output),
    };
    let mut compared = block.compare(input..input + 1)?;
    Ok(compared.summaries.swap_remove(0))
}

/// Some columns of one input's Jacobian, compared together.
struct Block<'a, E> {
    reference: &'a Reference,
    exec: &'a E,
    target: &'a Target<'a>,
    gradients: &'a [Rows<'a>],
    rows: &'a [Vec<f64>],
    size: Size,
    f0: &'a [f64],
    noise: &'a [f64],
    /// The exponent of the first step that suited the columns tried.
    start: Option<i32>,
    /// The one output to look at, where it is not all of them.
    only: Option<usize>,
}

/// One gradient's values in one column.
struct Claim<'a> {
    analytic: &'a [f64],
    wide: Option<&'a [f64]>,
    rows: &'a [f64],
    /// The largest gradient of each row among elements no larger than [`PEERS`] times this one; None where that is all
    /// of them.
    peers: Option<&'a [f64]>,
    /// Whether there is a gradient of each output at all.
    given: Vec<bool>,
}

impl<E: Exec> Block<'_, E> {
    fn compare(&self, columns: std::ops::Range<usize>) -> Result<Compared> {
        let gathered: Vec<_> = (self.gradients.iter())
            .map(|g| {
                (
                    self.gather(g.rows, &columns),
                    g.wide.map(|w| self.gather(w, &columns)),
                )
            })
            .collect();
        let outputs = self.f0.len();
        let mut all = Compared {
            summaries: vec![Summary::default(); self.gradients.len()],
        };
        for (c, j) in columns.enumerate() {
            let here = c * outputs..(c + 1) * outputs;
            let peers: Option<Vec<Vec<f64>>> = self.is_small(j).then(|| {
                let of = |g: &Rows| g.peers(self.target.slot, self.peers_of(j));
                self.gradients.iter().map(of).collect()
            });
            let claims: Vec<Claim> = (gathered.iter().zip(self.rows).enumerate())
                .map(|(g, ((analytic, wide), rows))| Claim {
                    analytic: &analytic[here.clone()],
                    wide: wide.as_ref().map(|w| &w[here.clone()]),
                    rows,
                    peers: peers.as_ref().map(|peers| &peers[g][..]),
                    given: self.given(&self.gradients[g]),
                })
                .collect();
            self.column(j, &claims, &mut all)?;
        }
        Ok(all)
    }

    /// Whether there is a gradient of each output.
    fn given(&self, gradient: &Rows) -> Vec<bool> {
        let rows = gradient.rows.iter();
        rows.map(|products| products[self.target.slot].is_some())
            .collect()
    }

    /// Whether element j is so much smaller than others that their gradients do not say how exactly its own must be
    /// known.
    fn is_small(&self, j: usize) -> bool {
        let x = self.reference.values(self.target.input)[j].abs();
        x > 0. && x * PEERS < self.size.largest
    }

    /// The elements that are no larger than [`PEERS`] times element j.
    fn peers_of(&self, j: usize) -> impl Fn(usize) -> bool {
        let values = self.reference.values(self.target.input);
        let most = PEERS * values[j].abs();
        move |k| values[k].abs() <= most
    }

    /// The entries of `rows` in these columns, column by column; 0 where there is no gradient.
    fn gather(&self, rows: &[Products], columns: &std::ops::Range<usize>) -> Vec<f64> {
        let mut block = vec![0.; columns.len() * rows.len()];
        for (i, products) in rows.iter().enumerate() {
            let Some(row) = &products[self.target.slot] else {
                continue;
            };
            for (c, value) in row[columns.clone()].iter().enumerate() {
                block[c * rows.len() + i] = *value;
            }
        }
        block
    }

    fn column(&self, j: usize, claims: &[Claim], all: &mut Compared) -> Result<()> {
        let (target, reference) = (self.target, self.reference);
        let scales = reference.scales(target.input, j, self.size);
        let mut grid = Grid::new(
            reference.values(target.input)[j].abs(),
            &scales,
            reference.unit,
        );
        grid.start = self.start.unwrap_or(grid.start);
        let mut line = self.line(j);
        let column = search(&mut line, self.f0, self.noise, &grid, &|i, n, e| {
            claims
                .iter()
                .all(|claim| target.judge.sharp(&self.pair(claim, i, n, e, scales[0])))
        })?;
        let mut doubts = Doubts {
            block: self,
            column,
            grid,
            j,
            second: None,
            noise: None,
            slopes: None,
        };
        for (claim, summary) in claims.iter().zip(&mut all.summaries) {
            for i in 0..self.f0.len() {
                summary.add(&target.judge, doubts.settle(claim, i)?);
            }
        }
        Ok(())
    }

    /// f along element j: every output, or the one of `only`.
    fn line(&self, j: usize) -> impl FnMut(f64) -> Result<Point> {
        let mut line = self.reference.along(self.exec, self.target.input, j);
        let only = self.only;
        move |t| {
            let mut point = line(t)?;
            if let Some(output) = only {
                point.y = vec![point.y[output]];
            }
            Ok(point)
        }
    }

    fn pair(&self, claim: &Claim, i: usize, numeric: f64, bound: f64, scale: f64) -> Pair {
        let made_of = self.f0[i].abs().max(self.noise[i] / self.reference.unit);
        let output = self.only.unwrap_or(i);
        Pair {
            analytic: claim.analytic[i],
            wide: claim.wide.map(|w| w[i]),
            numeric,
            bound,
            row: claim.rows[i],
            peers: claim.peers.map_or(claim.rows[i], |peers| peers[i]),
            ignored: self.target.constant.get(output).copied().unwrap_or(false),
            natural: made_of / self.size.largest.max(scale),
            own: made_of / scale,
            single: self.target.single,
            ..Pair::default()
        }
    }
}

/// One column, whose doubtful entries are checked again before any is flagged.
struct Doubts<'a, 'b, E> {
    block: &'a Block<'b, E>,
    column: Column,
    grid: Grid<'a>,
    j: usize,
    /// The same column from other steps, where an entry was in doubt.
    second: Option<Column>,
    /// The error of a value of each output, from samples near x.
    noise: Option<Vec<f64>>,
    /// The one-sided slopes, where f may have a kink.
    slopes: Option<Slopes>,
}

impl<E: Exec> Doubts<'_, '_, E> {
    fn settle(&mut self, claim: &Claim, i: usize) -> Result<Worst> {
        let judge = &self.block.target.judge;
        let mut pair = self.pair(claim, i);
        if judge.doubts(&pair) {
            self.sharpen(i)?;
            pair = self.pair(claim, i);
        }
        if judge.doubts_smoothness(&pair, self.column.kinked[i]) {
            let kink = self.kink(i, pair.analytic)?;
            pair = self.pair(claim, i);
            pair.kink = kink;
        }
        Ok(Worst {
            verdict: judge.verdict(&pair),
            excess: judge.excess(&pair),
            output: self.block.only.unwrap_or(i),
            input: self.j,
            pair,
        })
    }

    fn pair(&self, claim: &Claim, i: usize) -> Pair {
        let (n, e) = (self.column.value[i], self.column.bound[i]);
        let pair = self.block.pair(claim, i, n, e, self.grid.scales[0]);
        let given = claim.given.get(i).copied().unwrap_or(false);
        let beside = if given { self.column.slope[i] } else { 0. };
        let x = self.block.reference.values(self.block.target.input)[self.j];
        let bends = x.abs() * self.column.curvature[i];
        Pair {
            beside,
            bends,
            undefined: !x.is_finite(),
            ..pair
        }
    }

    /// Takes the numeric value again from other steps. Keeps the better of the two, and where they do not agree, a
    /// bound at least as wide as their difference; then looks [`closer`](Self::closer).
    fn sharpen(&mut self, i: usize) -> Result<()> {
        if self.second.is_none() {
            let (f0, noise) = (self.block.f0, self.block.noise);
            let mut line = self.block.line(self.j);
            self.second = Some(recheck(&mut line, f0, noise, &self.grid)?);
        }
        let Some(second) = &self.second else {
            return Ok(());
        };
        let kappa = self.block.target.judge.tolerance.kappa;
        reconcile(&mut self.column, second, i, kappa);
        self.closer(i, kappa)
    }

    /// Takes one difference over a distance far below all steps. Where f is more than twice as steep there as the
    /// steps say, they met f's oscillation always at the same phase, and their bound means nothing. If a tableau of
    /// steps near that distance gives the same slope as the difference, its value and bound are taken.
    fn closer(&mut self, i: usize, kappa: f64) -> Result<()> {
        let near = self.grid.scales[0] * ODDER * self.grid.unit.powf(0.75);
        let (f0, mut noise) = (self.block.f0, self.block.noise.to_vec());
        let mut line = self.block.line(self.j);
        let mut slope = |near: f64| {
            let (plus, minus) = (line(near)?, line(-near)?);
            let width = plus.t - minus.t;
            Ok::<_, Error>(((plus.y[i] - minus.y[i]) / width, width))
        };
        let ((slope, width), (again, _)) = (slope(near)?, slope(near / 2.)?);
        // At so small a distance, that f rounds x counts too: it changes f by the slope times that rounding.
        let rounds = self.grid.x * slope.abs();
        noise[i] = noise[i].max(self.grid.unit * f0[i].abs().max(2. * rounds));
        let rounding = 4. * noise[i] / width;
        let value = self.column.value[i];
        let apart = (slope - value).abs();
        // A slope that is nothing but rounding is another at half the distance.
        let steeper = slope.abs() > 2. * value.abs() && (again - slope).abs() < slope.abs() / 2.;
        if !(width > 0. && steeper && apart > kappa * rounding) {
            return Ok(());
        }
        let close = closer(&mut line, f0, &noise, &self.grid, near)?;
        let same = (close.value[i] - slope).abs() <= kappa * (close.bound[i] + rounding);
        self.column.bound[i] = f64::INFINITY;
        if same {
            self.column.value[i] = close.value[i];
            self.column.bound[i] = close.bound[i];
            self.column.curvature[i] = close.curvature[i];
            self.column.kinked[i] = close.kinked[i];
        }
        Ok(())
    }

    /// The larger of x's own scale and that of its tensor.
    fn scale(&self) -> f64 {
        self.grid.scales[0].max(power_of_two(self.block.size.typical))
    }

    fn noise(&mut self) -> Result<Vec<f64>> {
        if self.noise.is_none() {
            let mut noise = self.block.noise.to_vec();
            let sizes = (self.scale(), self.grid.unit);
            nearer(
                &mut self.block.line(self.j),
                self.block.f0,
                &mut noise,
                sizes,
            )?;
            self.noise = Some(noise);
        }
        Ok(self.noise.clone().unwrap_or_default())
    }

    /// Whether x is at a kink and `slope` between its slopes. Where it is not, and the difference over the smallest
    /// step contradicts the numeric value, that means nothing: its steps met a kink beside x.
    fn kink(&mut self, i: usize, slope: f64) -> Result<bool> {
        if self.slopes.is_none() {
            let mut line = self.block.line(self.j);
            let sizes = (self.scale(), self.block.target.judge.tolerance.unit);
            let noise = self.noise()?;
            let f0 = self.block.f0;
            self.slopes = Some(slopes(&mut line, f0, noise, &self.grid, sizes)?);
        }
        let Some(slopes) = &self.slopes else {
            return Ok(false);
        };
        let kink = slopes.kink(i, slope);
        if let (false, Some((near, bound))) = (kink, slopes.nearest(i)) {
            let kappa = self.block.target.judge.tolerance.kappa;
            let apart = (near - self.column.value[i]).abs();
            if apart > kappa * (self.column.bound[i] + bound) {
                self.column.bound[i] = f64::INFINITY;
            }
        }
        Ok(kink)
    }
}

/// Merges a second estimate of output i into the first.
pub(crate) fn reconcile(first: &mut Column, second: &Column, i: usize, kappa: f64) {
    let apart = (first.value[i] - second.value[i]).abs();
    let allowed = kappa * (first.bound[i] + second.bound[i]);
    if second.bound[i] < first.bound[i] {
        first.value[i] = second.value[i];
        first.bound[i] = second.bound[i];
    }
    if apart > allowed {
        first.bound[i] = first.bound[i].max(apart);
    }
}
