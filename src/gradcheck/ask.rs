//! Answers to what [`next`](super::judge::input::next) asks of one input: whether f jumps, whether its gradient bends,
//! and what segments say. [`Input`] finds them by calls of f.

use candle_core::{DType, Result, Tensor, Var};

use super::check::Check;
use super::compare::alone::{Alone, Finding, One};
use super::compare::bits::Bits;
use super::compare::found::Worst;
use super::compare::walk::Walker;
use super::judge::constants::{GROSS, ROUNDING};
use super::judge::input::{Known, Question, Segments};
use super::support::exec::Exec;
use super::support::rng::SplitMix64;
use super::support::values::{tensor, to_f64, unit_roundoff, unit_vector};

/// One input as a variable, with f behind it.
pub(crate) struct Input<'a, E> {
    check: &'a Check<'a, E>,
    input: usize,
    vars: [Var; 1],
    origin: [Tensor; 1],
    arguments: Vec<Tensor>,
}

/// What moves along a segment, and what it is measured by.
struct Moved {
    /// The weights of the outputs.
    v: Vec<f64>,
    /// The elements that move, where it is not all of them.
    only: Option<Bits>,
    /// The size of what moves.
    size: f64,
    /// What f's scatter is a share of.
    share: f64,
}

impl<'a, E: Exec> Input<'a, E> {
    pub(crate) fn new(check: &'a Check<'a, E>, slot: usize) -> Result<Self> {
        let input = check.checked[slot];
        let mut arguments: Vec<Tensor> = check.inputs.iter().map(Tensor::detach).collect();
        let origin = arguments[input].contiguous()?;
        let var = Var::from_tensor(&origin.copy()?)?;
        arguments[input] = var.as_tensor().clone();
        Ok(Self {
            check,
            input,
            vars: [var],
            origin: [origin],
            arguments,
        })
    }

    /// Adds one answer to what is known. Where there is no `worst` entry, the verdict is one on sums of entries: then
    /// the answers to whether f jumps or bends at the entry are no, and segments take the whole input for its element.
    pub(crate) fn answer(
        &self,
        question: Question,
        worst: Option<&Worst>,
        known: &mut Known,
    ) -> Result<()> {
        match question {
            Question::Jumps => known.jumps = Some(worst.map_or(Ok(false), |w| self.jumps(w))?),
            Question::Bends => known.bends = Some(worst.map_or(Ok(false), |w| self.bends(w))?),
            Question::Element => {
                let moved = worst.map_or_else(|| self.all(), |worst| self.element(worst));
                known.element = Some(self.segments(&moved)?);
            }
            Question::Whole => known.whole = Some(self.segments(&self.all())?),
        }
        Ok(())
    }

    /// The root mean square of the elements, or 1.
    fn typical(&self) -> f64 {
        let typical = self.check.reference.size(self.input).typical;
        if typical > 0. { typical } else { 1. }
    }

    /// Whether f jumps at the worst entry's element: it changes within a few units in the last place, beyond
    /// rounding, and by less than twice that, in the same direction, within sixteen times as many.
    fn jumps(&self, worst: &Worst) -> Result<bool> {
        let reference = &self.check.reference;
        let x = reference.values(self.input)[worst.input].abs();
        let own = if x > 0. { x } else { self.typical() };
        let f0 = reference.f0[worst.output];
        let mut line = reference.along(self.check.exec, self.input, worst.input);
        let step = ROUNDING * reference.unit * own;
        for side in [-step, step] {
            let near = line(side)?.y[worst.output] - f0;
            let far = line(16. * side)?.y[worst.output] - f0;
            let rounding = 64. * reference.unit * f0.abs().max((f0 + near).abs());
            if near.abs() > rounding && far.abs() < 2. * near.abs() && far * near > 0. {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether autograd's own gradient of the worst entry changes by more than a tenth within a few units in the last
    /// place: then the kink is where the input is.
    fn bends(&self, worst: &Worst) -> Result<bool> {
        let (var, origin, j) = (&self.vars[0], &self.origin[0], worst.input);
        let weights = unit_vector(self.check.y.len(), worst.output);
        let x = to_f64(origin)?;
        let own = if x[j] == 0. { 1. } else { x[j].abs() };
        let mut beside = Vec::with_capacity(2);
        for side in [-ROUNDING, ROUNDING] {
            let mut x = x.clone();
            x[j] += side * unit_roundoff(var.dtype()) * own;
            var.set(&tensor(&x, var.dims(), var.dtype(), var.device())?)?;
            let pass = self.walker(&weights, |walker| walker.pass())?;
            if let Ok(pass) = pass
                && let Some(gradient) = &pass.gradients[0]
            {
                beside.push(to_f64(gradient)?[j]);
            }
        }
        var.set(origin)?;
        let [left, right] = beside[..] else {
            return Ok(false);
        };
        Ok((left - right).abs() > GROSS * left.abs().max(right.abs()))
    }

    /// The worst entry's element, and its output.
    fn element(&self, worst: &Worst) -> Moved {
        let mut only = Bits::new(self.vars[0].elem_count());
        only.set(worst.input);
        let x = self.check.reference.values(self.input)[worst.input].abs();
        let moves = (worst.pair.analytic * x).abs();
        Moved {
            v: unit_vector(self.check.y.len(), worst.output),
            only: Some(only),
            size: if x > 0. { x } else { self.typical() },
            share: self.check.y[worst.output].abs().max(moves),
        }
    }

    /// All elements, and the outputs together.
    fn all(&self) -> Moved {
        Moved {
            v: self.check.weights.clone(),
            only: None,
            size: self.typical(),
            share: 1.,
        }
    }

    /// What segments say. f's values are coarse, as those of f32 are rather than of f64, where they scatter by more
    /// than the geometric mean of the two units of round-off.
    fn segments(&self, moved: &Moved) -> Result<Segments> {
        let finding = self.walker(&moved.v, |walker| self.finding(walker, moved))?;
        let between = (unit_roundoff(DType::F32) * unit_roundoff(DType::F64)).sqrt();
        let largest = self.check.y.iter().fold(0f64, |m, y| m.max(y.abs()));
        Ok(Segments {
            verdict: finding.verdict,
            resolution: finding.resolution,
            coarse: finding.scatter > between * largest,
            quantised: finding.quantised,
            rounding: finding.scatter / moved.share,
        })
    }

    fn walker<T>(&self, weights: &[f64], job: impl FnOnce(&Walker) -> T) -> T {
        job(&Walker {
            vars: &self.vars,
            f: &|| self.check.exec.call(&self.arguments),
            weights,
            passes: self.check.exec.passes(),
        })
    }

    fn finding(&self, walker: &Walker, moved: &Moved) -> Result<Finding> {
        let Ok(pass) = walker.pass()? else {
            return Ok(Finding::none());
        };
        let only = moved.only.as_ref();
        let (negative, sum) = self.signs(pass.gradients[0].as_ref(), only)?;
        let parts = self.check.y.iter().zip(&moved.v);
        let loss: f64 = parts.map(|(y, v)| (y * v).abs()).sum();
        let alone = Alone {
            walker,
            origin: &self.origin,
            loss,
            scatter: unit_roundoff(self.check.graph.y.dtype()) * loss,
            flagged: true,
            strict: false,
            typical: self.typical(),
            kappa: self.check.options.kappa,
        };
        let one = One {
            var: 0,
            negative: &negative,
            sum,
            size: moved.size,
            only,
        };
        let mut rng = SplitMix64::new(self.check.options.seed, 500);
        let tolerance = self.check.options.tolerance(self.vars[0].dtype());
        alone.settle(&one, tolerance.segment(), &mut rng)
    }

    /// Where the gradient is negative, and Σ|g| of the elements that move.
    fn signs(&self, gradient: Option<&Tensor>, only: Option<&Bits>) -> Result<(Bits, f64)> {
        let mut negative = Bits::new(self.vars[0].elem_count());
        let mut sum = 0.;
        let gradient = gradient.map(to_f64).transpose()?.unwrap_or_default();
        for (i, g) in gradient.into_iter().enumerate() {
            if only.is_none_or(|only| only.get(i)) {
                sum += g.abs();
            }
            if g < 0. {
                negative.set(i);
            }
        }
        Ok((negative, sum))
    }
}
