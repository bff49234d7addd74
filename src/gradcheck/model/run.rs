//! What a check of a model holds while it goes on, and the walks that it takes.

use candle_core::{Result, Tensor};

use super::names::fold;
use super::parameters::Parameters;
use super::plain::Plain;
use super::report::{ModelReport, ParameterReport, Segment};
use crate::gradcheck::autograd::graph::Failure;
use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::displace::Move;
use crate::gradcheck::compare::walk::{Walked, Walker, signs};
use crate::gradcheck::judge::constants::{ROUNDING, SINGLE};
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Options;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::to_f64;

/// f is called so many times more before anything is compared, and run backward once more.
const CALLS: usize = 2;

/// A segment that contradicts parameter t, and how it moves.
pub(crate) struct Against {
    pub(crate) t: usize,
    pub(crate) evidence: Evidence,
    pub(crate) way: Move,
}

pub(crate) struct Run<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) walker: Walker<'a>,
    pub(crate) options: &'a Options,
    pub(crate) rng: SplitMix64,
    pub(crate) report: ModelReport,
    pub(crate) plain: Vec<Plain>,
    /// σ of the loss, as far as it is known.
    pub(crate) scatter: f64,
    /// What contradicts the parameters that are wrong.
    pub(crate) against: Vec<Against>,
    /// Those that passed though only an error of the gradient as a whole, by a factor, would have shown.
    pub(crate) by_factor: Vec<usize>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        parameters: &'a Parameters,
        walker: Walker<'a>,
        options: &'a Options,
    ) -> Self {
        let all = parameters.names.iter().zip(&parameters.vars);
        let blank = all.map(|(name, var)| ParameterReport::new(name, var.dims(), var.dtype()));
        let buffers = parameters.buffers.iter().map(|(name, ..)| name.clone());
        let report = ModelReport::new(blank.collect(), buffers.collect());
        Self {
            parameters,
            walker,
            options,
            rng: SplitMix64::new(options.seed, 0),
            report,
            plain: Vec::new(),
            scatter: 0.,
            against: Vec::new(),
            by_factor: Vec::new(),
        }
    }

    pub(crate) fn failed(mut self, failure: &Failure) -> ModelReport {
        for p in &mut self.report.parameters {
            p.verdict = failure.verdict;
            p.notes.push(format!("backward: {}", failure.message));
        }
        self.report
    }

    /// Whether the loss or its gradient is another when f is called again, or run backward again: asked first,
    /// and more than once, since noise in one value may be rare.
    pub(crate) fn varies(&mut self) -> Result<bool> {
        let loss = self.report.loss;
        let far = |value: f64| (value - loss).abs() > ROUNDING * self.scatter;
        for _ in 0..CALLS {
            if far(self.walker.value()?) {
                return Ok(true);
            }
        }
        let Ok(again) = self.walker.pass()? else {
            return Ok(false);
        };
        let mut varies = far(again.value);
        for (plain, gradient) in self.plain.iter().zip(&again.gradients) {
            let n = gradient.as_ref().map_or(0, Tensor::elem_count);
            let norm = Plain::new(gradient.as_ref(), n)?.norm;
            let (most, unit) = (norm.max(plain.norm), self.scatter / loss.abs());
            // Sums taken in another order differ by rounding, and what is rounding alone by all of itself.
            let rounding = (1e4 * unit * most).max(self.kappa() * self.scatter);
            varies |= (norm - plain.norm).abs() > rounding;
        }
        Ok(varies)
    }

    pub(crate) fn nondeterministic(&mut self) {
        for p in &mut self.report.parameters {
            p.verdict = Verdict::Nondeterministic;
        }
        let note = "f gave two losses or two gradients for the same parameters. Dropout: call the model with \
                    train false, or build it with a rate of 0; noise: draw it once, outside of f; a tensor \
                    that the model draws in its constructor, since the checkpoint has none: give it one, or \
                    build the model once and check it with gradcheck::vars";
        self.report.notes.push(note.to_string());
    }

    /// Notes the first tensor of the graph that differs from call to call.
    pub(crate) fn differs(&mut self, f: &dyn Fn() -> Result<Tensor>) -> Result<()> {
        let (one, other) = (f()?, f()?);
        let (one, other) = (one.sorted_nodes(), other.sorted_nodes());
        if one.len() != other.len() {
            return Ok(());
        }
        for (a, b) in one.iter().zip(&other).rev() {
            if a.dims() == b.dims() && to_f64(a)? == to_f64(b)? {
                continue;
            }
            let before = a.sorted_nodes();
            let made = |k: &usize| {
                before
                    .iter()
                    .any(|n| n.id() == self.parameters.vars[*k].id())
            };
            let of = (0..self.parameters.vars.len()).filter(made);
            let names: Vec<&str> = of.map(|k| &self.parameters.names[k][..]).collect();
            let note = format!(
                "the first tensor of the graph that differs has shape {:?}, and is made of {}",
                a.dims(),
                fold(&names).join(", ")
            );
            self.report.notes.push(note);
            break;
        }
        Ok(())
    }

    /// The parameters that are not severed.
    pub(crate) fn open(&self) -> impl Iterator<Item = usize> {
        let all = self.report.parameters.iter().enumerate();
        all.filter(|(_, p)| p.verdict != Verdict::Severed)
            .map(|(t, _)| t)
    }

    pub(crate) fn kappa(&self) -> f64 {
        self.options.kappa
    }

    /// The rounding of the gradient itself, as a share of it. In f64 too what is right to single precision
    /// agrees (candle's gelu has constants of six digits); the resolution says how far off it was.
    pub(crate) fn rtol(&self, t: usize) -> f64 {
        let tolerance = self.options.tolerance(self.parameters.vars[t].dtype());
        tolerance.segment().max(SINGLE)
    }

    pub(crate) fn walk(&mut self, moves: &[Move]) -> Result<Walked> {
        self.walker.walk(&self.parameters.origin, moves)
    }

    pub(crate) fn range(&mut self, moves: &[Move]) -> Result<Option<(f64, f64)>> {
        self.walker.range(&self.parameters.origin, moves)
    }

    /// A blind move of some elements of one parameter.
    pub(crate) fn blind(&mut self, t: usize, step: f64, only: Option<Bits>) -> Move {
        let n = self.parameters.vars[t].elem_count();
        let minus = signs(n, &self.plain[t].negative, 0., &mut self.rng, false);
        Move {
            var: t,
            step,
            minus,
            only,
        }
    }
}

pub(crate) fn segment(evidence: &Evidence) -> Segment {
    Segment {
        difference: evidence.difference,
        integral: evidence.difference - evidence.apart,
        error: evidence.error,
    }
}
