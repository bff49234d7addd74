//! The check of a model: one plain backward pass, then segments.
//!
//! 1. One backward pass where the parameters are: which get no gradient, or zeros.
//! 2. The elements without a gradient move together. Where the loss moves with them and no gradient
//!    appears on the way, each parameter's own are looked at: `severed`.
//! 3. All the others move together, twice. Where autograd's gradient accounts for the loss, each
//!    parameter passes that its share resolves.
//! 4. A parameter that is not settled moves alone. None is `wrong` before two segments say so.

use candle_core::{Result, Tensor, bail};

use super::marks;
use super::parameters::Parameters;
use super::report::{ModelReport, ParameterReport, Segment};
use super::suspects::SUSPECTS;
use crate::gradcheck::autograd::graph::Failure;
use crate::gradcheck::compare::alone::{Alone, CLEAR, FARTHEST, One, RESOLVED, STAIRS};
use crate::gradcheck::compare::segment::{Bits, Move, PASSES, Pass, Walker, chunks, signs};
use crate::gradcheck::judge::law::ROUNDING;
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Options;
use crate::gradcheck::support::rng::SplitMix64;

/// In a joint segment each parameter moves the loss by the first of these shares of it; where that
/// settles too little, by the second. The shorter, the fewer kinks on the way; the longer, the clearer
/// beside f's rounding, and a staircase (a cast to a narrower dtype inside f) averages out.
const JOINT: [f64; 2] = [1e-4, 1e-2];

/// Step of what has no gradient to say how far to go, in its root mean squares.
const BLIND: f64 = 0.3;

/// Steps of what is not in the graph at all, in root mean squares of all parameters: the first that
/// moves the loss beyond its rounding counts, however long it is, since nothing is compared on the way.
const UNTRACKED: [f64; 3] = [2., 8., 32.];

/// Holds each parameter's gradient against the loss.
pub(crate) fn check(
    parameters: &Parameters,
    f: &dyn Fn() -> Result<Tensor>,
    options: &Options,
) -> Result<ModelReport> {
    let (y, marks) = marks::passed(f)?;
    if y.elem_count() != 1 || !y.dtype().is_float() {
        bail!(
            "gradcheck: the loss is {:?} {:?}; it must be one float, e.g. .mean_all()",
            y.dtype(),
            y.dims()
        )
    }
    drop(y);
    let walker = Walker {
        vars: &parameters.vars,
        f,
        weights: &[1.],
    };
    let mut run = Run::new(parameters, walker, options)?;
    run.report.marks = marks;
    let pass = match run.walker.pass()? {
        Ok(pass) => pass,
        Err(failure) => return Ok(run.failed(&failure)),
    };
    run.report.passes += 1;
    run.report.loss = pass.value;
    if run.wanders(&pass)? {
        return Ok(run.nondeterministic());
    }
    run.settle(&pass)?;
    run.places(f)?;
    Ok(run.report)
}

/// One tensor of the plain backward pass.
struct Plain {
    /// Σ|g|
    sum: f64,
    /// The elements whose gradient is zero, where there are any.
    silent: Option<Bits>,
    /// The others, where some are silent.
    speaking: Option<Bits>,
    all_silent: bool,
}

struct Run<'a> {
    parameters: &'a Parameters,
    walker: Walker<'a>,
    options: &'a Options,
    rng: SplitMix64,
    report: ModelReport,
    plain: Vec<Plain>,
    /// σ of the loss, as far as it is known.
    scatter: f64,
}

impl<'a> Run<'a> {
    fn new(parameters: &'a Parameters, walker: Walker<'a>, options: &'a Options) -> Result<Self> {
        let all = parameters.names.iter().zip(&parameters.vars);
        let blank = all.map(|(name, var)| ParameterReport {
            name: name.clone(),
            shape: var.dims().to_vec(),
            dtype: var.dtype(),
            verdict: Verdict::Inconclusive,
            missing: false,
            resolution: None,
            worst: None,
            severed_rows: Vec::new(),
            severed_elements: 0,
            consequence: false,
            notes: Vec::new(),
        });
        let report = ModelReport {
            parameters: blank.collect(),
            buffers: parameters.buffers.iter().map(|b| b.0.clone()).collect(),
            unread: Vec::new(),
            marks: Vec::new(),
            cuts: Vec::new(),
            suspects: Vec::new(),
            loss: f64::NAN,
            passes: 0,
            forwards: 1,
            notes: Vec::new(),
        };
        Ok(Self {
            parameters,
            walker,
            options,
            rng: SplitMix64::new(options.seed, 0),
            report,
            plain: Vec::new(),
            scatter: 0.,
        })
    }

    fn failed(mut self, failure: &Failure) -> ModelReport {
        for p in &mut self.report.parameters {
            p.verdict = failure.verdict;
            p.notes.push(format!("backward: {}", failure.message));
        }
        self.report
    }

    fn wanders(&mut self, pass: &Pass) -> Result<bool> {
        self.report.forwards += 1;
        let again = self.walker.value()?;
        let apart = (again - pass.value).abs();
        self.scatter = pass.unit * pass.value.abs();
        Ok(apart > ROUNDING * self.scatter)
    }

    fn nondeterministic(mut self) -> ModelReport {
        for p in &mut self.report.parameters {
            p.verdict = Verdict::Nondeterministic;
        }
        let note = "f gave two losses for the same parameters. Dropout: call the model with train \
                    false, or build it with a rate of 0; noise: draw it once, outside of f";
        self.report.notes.push(note.to_string());
        self.report
    }

    /// Every parameter, from the plain pass to its verdict.
    fn settle(&mut self, pass: &Pass) -> Result<()> {
        for (t, gradient) in pass.gradients.iter().enumerate() {
            let plain = plain(gradient.as_ref(), self.parameters.vars[t].elem_count())?;
            self.report.parameters[t].missing = gradient.is_none();
            if !plain.sum.is_finite() || !pass.value.is_finite() {
                self.report.parameters[t].verdict = Verdict::NonFinite;
            }
            self.plain.push(plain);
        }
        if (self.report.parameters.iter()).any(|p| p.verdict == Verdict::NonFinite) {
            return Ok(());
        }
        self.silent()?;
        let gradients = &pass.gradients;
        let speaking: Vec<usize> = self.open().filter(|&t| !self.plain[t].all_silent).collect();
        let rest = self.together(&speaking, gradients)?;
        for t in rest {
            self.alone(t, gradients[t].as_ref())?;
        }
        let severed = (self.report.parameters.iter()).any(|p| p.verdict == Verdict::Severed);
        for p in &mut self.report.parameters {
            p.consequence = severed && p.verdict == Verdict::Wrong;
        }
        Ok(())
    }

    /// The parameters that are not severed.
    fn open(&self) -> impl Iterator<Item = usize> {
        let all = self.report.parameters.iter().enumerate();
        all.filter(|(_, p)| p.verdict != Verdict::Severed)
            .map(|(t, _)| t)
    }

    fn kappa(&self) -> f64 {
        self.options.kappa
    }

    /// The rounding of the gradient itself, as a share of it.
    fn rtol(&self, t: usize) -> f64 {
        let rtol = self.options.tolerance(self.parameters.vars[t].dtype()).rtol;
        (10. * rtol).min(0.05)
    }

    fn walk(&mut self, moves: &[Move]) -> Result<std::result::Result<Option<Evidence>, Failure>> {
        self.report.passes += PASSES;
        self.walker.walk(&self.parameters.origin, moves)
    }

    fn range(&mut self, moves: &[Move]) -> Result<Option<(f64, f64)>> {
        self.report.forwards += 3;
        self.walker.range(&self.parameters.origin, moves)
    }

    /// A blind move of some elements of one parameter.
    fn blind(&mut self, t: usize, step: f64, only: Option<Bits>) -> Result<Move> {
        let n = self.parameters.vars[t].elem_count();
        let minus = signs(n, None, 0., &mut self.rng, false)?;
        Ok(Move {
            var: t,
            step,
            minus,
            only,
        })
    }

    /// Looks for elements that move the loss without a gradient.
    fn silent(&mut self) -> Result<()> {
        let all = 0..self.plain.len();
        let silent: Vec<usize> = all.filter(|&t| self.plain[t].silent.is_some()).collect();
        if silent.is_empty() {
            return Ok(());
        }
        let mut moves = Vec::with_capacity(silent.len());
        for &t in &silent {
            let step = BLIND * self.parameters.sizes[t];
            moves.push(self.blind(t, step, self.plain[t].silent.clone())?);
        }
        let still = match self.walk(&moves)? {
            Ok(Some(evidence)) => {
                !evidence.moves(self.kappa())
                    || (evidence.alive && !evidence.contradicts(self.kappa(), self.rtol(silent[0])))
            }
            _ => false,
        };
        for &t in &silent {
            let missing = self.plain[t].all_silent;
            // What has some gradient is looked at alone only where something moves.
            if missing || !still {
                self.silent_alone(t)?;
            }
        }
        Ok(())
    }

    /// The silent elements of one parameter: severed if the loss moves with them and no gradient
    /// appears on the way.
    fn silent_alone(&mut self, t: usize) -> Result<()> {
        let size = self.parameters.sizes[t];
        let only = self.plain[t].silent.clone();
        let mut bitwise = true;
        let longest = size.max(self.parameters.typical);
        let mut steps = vec![BLIND * size, longest];
        if self.report.parameters[t].missing {
            steps.extend(UNTRACKED.map(|step| step * longest));
        }
        for step in steps {
            let moves = [self.blind(t, step, only.clone())?];
            let loss = self.report.loss;
            match self.range(&moves)? {
                Some((least, most)) if least == loss && most == loss => continue,
                None => continue,
                Some(_) => bitwise = false,
            }
            let Ok(Some(evidence)) = self.walk(&moves)? else {
                continue;
            };
            if evidence.moves(self.kappa()) && !evidence.alive {
                return self.sever(t, &evidence);
            }
            if evidence.alive && evidence.contradicts(self.kappa(), self.rtol(t)) {
                self.report.parameters[t].notes.push(
                    "its gradient is zero here, and does not account for the loss nearby".into(),
                );
                return Ok(());
            }
        }
        let plain = &self.plain[t];
        let p = &mut self.report.parameters[t];
        match (plain.all_silent, bitwise, p.missing) {
            (true, true, true) => self.report.unread.push(p.name.clone()),
            (true, true, false) => p.verdict = Verdict::Pass,
            (true, false, _) => p.notes.push(
                "no gradient, and the loss moves by no more than its own rounding: nothing is \
                 certified"
                    .into(),
            ),
            _ => {}
        }
        Ok(())
    }

    fn sever(&mut self, t: usize, evidence: &Evidence) -> Result<()> {
        let dims = self.parameters.vars[t].dims().to_vec();
        let silent = self.plain[t].silent.as_ref();
        let p = &mut self.report.parameters[t];
        p.verdict = Verdict::Severed;
        p.severed_elements = silent.map_or(0, Bits::count);
        p.worst = Some(segment(evidence));
        if let (Some(silent), false, [rows, ..]) = (silent, self.plain[t].all_silent, &dims[..]) {
            p.severed_rows = whole_rows(silent, *rows, dims.iter().product());
        }
        Ok(())
    }

    /// All of these at once; gives back those that this does not settle.
    fn together(&mut self, which: &[usize], gradients: &[Option<Tensor>]) -> Result<Vec<usize>> {
        let mut rest = which.to_vec();
        for share in JOINT {
            if rest.is_empty() {
                break;
            }
            let Some(sharpest) = self.joint(&rest, gradients, share)? else {
                continue;
            };
            let seen: Vec<(usize, f64)> = rest.into_iter().zip(sharpest).collect();
            rest = Vec::new();
            for (t, sharpest) in seen {
                match sharpest <= RESOLVED {
                    true => self.pass(t, sharpest),
                    false => rest.push(t),
                }
            }
        }
        Ok(rest)
    }

    /// Two joint segments of one length: what each parameter's share resolves; None where one of them
    /// contradicts.
    fn joint(
        &mut self,
        which: &[usize],
        gradients: &[Option<Tensor>],
        share: f64,
    ) -> Result<Option<Vec<f64>>> {
        let mut sharpest = vec![f64::INFINITY; which.len()];
        let rtol = which.iter().map(|&t| self.rtol(t)).fold(0., f64::max);
        let target = (share * self.report.loss.abs()).max(CLEAR * self.scatter);
        for aligned in [true, false] {
            let mut moves = Vec::with_capacity(which.len());
            for &t in which {
                let limits = (target, FARTHEST * self.parameters.sizes[t]);
                let mut rng = self.rng.clone();
                let one = self.one(t, gradients[t].as_ref());
                moves.push(one.toward(&self.parameters.vars[t], limits, aligned, &mut rng)?);
                self.rng = rng;
            }
            let Ok(Some(evidence)) = self.walk(&moves)? else {
                return Ok(None);
            };
            if evidence.contradicts(self.kappa(), rtol) {
                return Ok(None);
            }
            for (k, sharpest) in sharpest.iter_mut().enumerate() {
                *sharpest = sharpest.min(evidence.resolution(k, self.kappa()));
            }
        }
        Ok(Some(sharpest))
    }

    fn pass(&mut self, t: usize, resolution: f64) {
        let p = &mut self.report.parameters[t];
        p.verdict = Verdict::Pass;
        p.resolution = Some(resolution);
    }

    /// One parameter by itself, at steps that suit it.
    fn alone(&mut self, t: usize, gradient: Option<&Tensor>) -> Result<()> {
        let alone = Alone {
            walker: &self.walker,
            origin: &self.parameters.origin,
            loss: self.report.loss.abs(),
            scatter: self.scatter,
            typical: self.parameters.typical,
            kappa: self.kappa(),
        };
        let mut rng = self.rng.clone();
        let opinion = alone.settle(&self.one(t, gradient), self.rtol(t), &mut rng)?;
        self.rng = rng;
        self.report.passes += opinion.passes;
        let p = &mut self.report.parameters[t];
        p.verdict = opinion.verdict;
        p.resolution = opinion.resolution;
        if opinion.verdict != Verdict::Pass {
            p.worst = opinion.against.as_ref().map(segment);
        } else if opinion.against.is_some() {
            p.notes.push(STAIRS.to_string());
        }
        Ok(())
    }

    fn one<'g>(&'g self, t: usize, gradient: Option<&'g Tensor>) -> One<'g> {
        One {
            var: t,
            gradient,
            sum: self.plain[t].sum,
            size: self.parameters.sizes[t],
            only: self.plain[t].speaking.as_ref(),
        }
    }

    /// Where the graph ends, if something is severed or wrong.
    fn places(&mut self, f: &dyn Fn() -> Result<Tensor>) -> Result<()> {
        let accused = |p: &ParameterReport| matches!(p.verdict, Verdict::Severed | Verdict::Wrong);
        if !self.report.parameters.iter().any(accused) {
            return Ok(());
        }
        if !self.report.marks.is_empty() {
            self.report.forwards += self.report.marks.len() + 1;
            self.report.cuts = marks::cuts(f)?;
        }
        let severed = self.report.verdict() == Verdict::Severed;
        if self.report.cuts.is_empty() && severed {
            self.report.suspects = SUSPECTS.to_vec();
        }
        Ok(())
    }
}

fn segment(evidence: &Evidence) -> Segment {
    Segment {
        difference: evidence.difference,
        integral: evidence.difference - evidence.apart,
        error: evidence.error,
    }
}

/// What a plain backward pass says of one parameter.
fn plain(gradient: Option<&Tensor>, n: usize) -> Result<Plain> {
    let (mut sum, mut silent, mut speaking) = (0., Bits::new(n), Bits::new(n));
    match gradient {
        None => (0..n).for_each(|i| silent.set(i)),
        Some(gradient) => chunks(gradient, |from, g| {
            for (i, g) in g.iter().enumerate() {
                sum += g.abs();
                match *g == 0. {
                    true => silent.set(from + i),
                    false => speaking.set(from + i),
                }
            }
            Ok(())
        })?,
    }
    let count = silent.count();
    let some = count > 0;
    Ok(Plain {
        sum,
        silent: some.then_some(silent),
        speaking: some.then_some(speaking),
        all_silent: count == n,
    })
}

/// The rows all of whose elements are set, as ranges.
fn whole_rows(bits: &Bits, rows: usize, elements: usize) -> Vec<std::ops::Range<usize>> {
    let width = elements / rows.max(1);
    let whole = |r: usize| (r * width..(r + 1) * width).all(|i| bits.get(i));
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for r in (0..rows).filter(|&r| whole(r)) {
        match ranges.last_mut() {
            Some(last) if last.end == r => last.end += 1,
            _ => ranges.push(r..r + 1),
        }
    }
    ranges
}
