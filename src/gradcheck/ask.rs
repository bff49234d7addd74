//! Answers to what [`next`](super::judge::input::next) asks of one input, by calls of f: whether f jumps, whether its
//! gradient bends, and what segments say.

use candle_core::{DType, Result, Tensor, Var};

use super::autograd::graph::{Graph, Source};
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

impl<E: Exec> Check<'_, E> {
    /// Adds one answer to what is known. Where there is no `worst` entry, the verdict is one on sums of entries: then
    /// the answers to whether f jumps or bends at the entry are no, and segments take the whole input for its element.
    pub(crate) fn answer(
        &self,
        slot: usize,
        question: Question,
        worst: Option<&Worst>,
        known: &mut Known,
    ) -> Result<()> {
        let all = || Moved {
            v: self.weights.clone(),
            only: None,
            size: self.typical(slot),
            share: 1.,
        };
        match question {
            Question::Jumps => {
                let jumps = worst.map(|worst| self.jumps(slot, worst)).transpose()?;
                known.jumps = Some(jumps.unwrap_or(false));
            }
            Question::Bends => {
                let bends = worst.map(|worst| self.bends(slot, worst)).transpose()?;
                known.bends = Some(bends.unwrap_or(false));
            }
            Question::Element => {
                let moved = worst.map_or_else(all, |worst| self.element(slot, worst));
                known.element = Some(self.segments(slot, &moved)?);
            }
            Question::Whole => known.whole = Some(self.segments(slot, &all())?),
        }
        Ok(())
    }

    /// The root mean square of an input's elements, or 1.
    fn typical(&self, slot: usize) -> f64 {
        let typical = self.reference.size(self.checked[slot]).typical;
        if typical > 0. { typical } else { 1. }
    }

    /// |x| of one element, or the input's own size.
    fn own(&self, slot: usize, element: usize) -> f64 {
        let x = self.reference.values(self.checked[slot])[element].abs();
        if x > 0. { x } else { self.typical(slot) }
    }

    /// Whether f jumps at the worst entry's element: it changes within a few units in the last place, beyond
    /// rounding, and by less than twice that, in the same direction, within sixteen times as many.
    fn jumps(&self, slot: usize, worst: &Worst) -> Result<bool> {
        let unit = self.reference.unit;
        let f0 = self.reference.f0[worst.output];
        let mut line = (self.reference).along(self.exec, self.checked[slot], worst.input);
        let step = ROUNDING * unit * self.own(slot, worst.input);
        for side in [-step, step] {
            let near = line(side)?.y[worst.output] - f0;
            let far = line(16. * side)?.y[worst.output] - f0;
            let rounding = 64. * unit * f0.abs().max((f0 + near).abs());
            if near.abs() > rounding && far.abs() < 2. * near.abs() && far * near > 0. {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether autograd's own gradient of the worst entry changes by more than a tenth within a few units in the last
    /// place: then the kink is where the input is.
    fn bends(&self, slot: usize, worst: &Worst) -> Result<bool> {
        let (k, j) = (self.checked[slot], worst.input);
        let x = &self.inputs[k];
        let v = unit_vector(self.y.len(), worst.output);
        let mut beside = Vec::with_capacity(2);
        for side in [-ROUNDING, ROUNDING] {
            let mut values = to_f64(x)?;
            let own = if values[j] == 0. { 1. } else { values[j].abs() };
            values[j] += side * unit_roundoff(x.dtype()) * own;
            let mut inputs = self.inputs.to_vec();
            inputs[k] = tensor(&values, x.dims(), x.dtype(), x.device())?;
            let gradient = Graph::new(self.exec, &inputs, &self.checked)?.vjp(&v);
            beside.extend(gradient.ok().and_then(|all| Some(all[slot].as_ref()?[j])));
        }
        let [left, right] = beside[..] else {
            return Ok(false);
        };
        Ok((left - right).abs() > GROSS * left.abs().max(right.abs()))
    }

    /// The worst entry's element, and its output.
    fn element(&self, slot: usize, worst: &Worst) -> Moved {
        let mut only = Bits::new(self.inputs[self.checked[slot]].elem_count());
        only.set(worst.input);
        let x = self.reference.values(self.checked[slot])[worst.input];
        let moves = (worst.pair.analytic * x).abs();
        Moved {
            v: unit_vector(self.y.len(), worst.output),
            only: Some(only),
            size: self.own(slot, worst.input),
            share: self.y[worst.output].abs().max(moves),
        }
    }

    /// What segments say. f's values are coarse, as those of f32 are rather than of f64, where they scatter by more
    /// than the geometric mean of the two units of round-off.
    fn segments(&self, slot: usize, moved: &Moved) -> Result<Segments> {
        let k = self.checked[slot];
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        let origin = arguments[k].contiguous()?;
        let var = Var::from_tensor(&origin.copy()?)?;
        arguments[k] = var.as_tensor().clone();
        let walker = Walker {
            vars: &[var],
            f: &|| self.exec.call(&arguments),
            weights: &moved.v,
            passes: self.exec.passes(),
        };
        let finding = self.finding(slot, &walker, &origin, moved)?;
        let between = (unit_roundoff(DType::F32) * unit_roundoff(DType::F64)).sqrt();
        let largest = self.y.iter().fold(0f64, |m, y| m.max(y.abs()));
        Ok(Segments {
            verdict: finding.verdict,
            resolution: finding.resolution,
            coarse: finding.scatter > between * largest,
            quantised: finding.quantised,
            rounding: finding.scatter / moved.share,
        })
    }

    fn finding(
        &self,
        slot: usize,
        walker: &Walker,
        origin: &Tensor,
        moved: &Moved,
    ) -> Result<Finding> {
        let Ok(pass) = walker.pass()? else {
            return Ok(Finding::none());
        };
        let only = moved.only.as_ref();
        let gradient = pass.gradients[0].as_ref().map(to_f64).transpose()?;
        let (negative, sum) = signs(gradient.as_deref(), origin.elem_count(), only);
        let one = One {
            var: 0,
            negative: &negative,
            sum,
            size: moved.size,
            only,
        };
        let parts = self.y.iter().zip(&moved.v);
        let loss: f64 = parts.map(|(y, v)| (y * v).abs()).sum();
        let alone = Alone {
            walker,
            origin: std::slice::from_ref(origin),
            loss,
            scatter: unit_roundoff(self.graph.y.dtype()) * loss,
            flagged: true,
            strict: false,
            typical: self.typical(slot),
            kappa: self.options.kappa,
        };
        let mut rng = SplitMix64::new(self.options.seed, 500);
        let tolerance = self.options.tolerance(origin.dtype());
        alone.settle(&one, tolerance.segment(), &mut rng)
    }
}

/// Where the gradient of n elements is negative, and Σ|g| of those that move.
fn signs(gradient: Option<&[f64]>, n: usize, only: Option<&Bits>) -> (Bits, f64) {
    let (mut negative, mut sum) = (Bits::new(n), 0.);
    for (i, g) in gradient.unwrap_or_default().iter().enumerate() {
        if *g < 0. {
            negative.set(i);
        }
        if only.is_none_or(|only| only.get(i)) {
            sum += g.abs();
        }
    }
    (negative, sum)
}
