//! Full mode and fast mode: every input's gradient, by autograd and by hand, compared with its numeric derivatives.

use candle_core::{Error, Result};

use super::autograd::by_hand::ByHand;
use super::autograd::graph::{Backward, Graph, Products, Source, is_zero};
use super::check::Check;
use super::compare::fast::Fast;
use super::compare::found::Found;
use super::compare::full::{self, Rows};
use super::compare::projection::{Part, together, weights};
use super::options::Mode;
use super::report::Report;
use super::support::exec::Exec;
use super::support::values::unit_vector;

type Together = Option<(Vec<f64>, Vec<f64>)>;

/// A source of gradients: autograd, or one by hand.
struct Side<'a> {
    source: &'a dyn Source,
    /// The same in f64, where the dtype is narrower and the backward runs in it.
    wide: Option<&'a Graph>,
    /// vᵀJ: in full mode of every output, in fast mode of every round.
    gradients: Vec<Products>,
    /// In full mode, the same in f64.
    in_f64: Option<Vec<Products>>,
    /// In fast mode, where projections of all inputs at once pass: the noise of every output, and the smallest visible
    /// error of each input.
    together: Together,
}

impl<E: Exec> Check<'_, E> {
    /// Compares the gradients of all inputs, and probes them. A backward pass that fails is a finding; a gradient by
    /// hand that does is an error. Where there are no elements there is nothing more to compare.
    pub(crate) fn compare(
        &self,
        by_hand: Option<&ByHand>,
        report: &mut Report,
    ) -> Result<Backward<()>> {
        let fast = report.mode == Mode::Fast;
        let sides = match self.sides(by_hand, fast)? {
            Ok(sides) => sides,
            Err(failure) => return Ok(Err(failure)),
        };
        for slot in 0..self.checked.len() {
            if report.inputs[slot].entries == 0 {
                let note = "no elements, so nothing to differentiate";
                report.inputs[slot].notes.push(note.to_string());
                continue;
            }
            let before = self.exec.calls();
            let noise = match &sides[0].together {
                Some((noise, _)) => noise.clone(),
                None => self.noise(&[slot]),
            };
            let project = |side| self.projections(slot, &noise, side);
            let found = match fast {
                true => sides.iter().map(project).collect(),
                false => self.entries(slot, &noise, &sides),
            };
            let input = &mut report.inputs[slot];
            self.conclude(slot, &found?, &sides[0].gradients, input)?;
            input.evaluations = self.exec.calls() - before;
            self.probe(slot, &noise, report)?;
        }
        Ok(Ok(()))
    }

    fn sides<'s>(
        &'s self,
        by_hand: Option<&'s ByHand>,
        fast: bool,
    ) -> Result<Backward<Vec<Side<'s>>>> {
        let mut sides = match self.side(&self.graph, self.wide.as_ref(), fast)? {
            Ok(autograd) => vec![autograd],
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(by_hand) = by_hand {
            let side = self.side(by_hand, None, fast)?;
            sides.push(side.map_err(|failure| Error::msg(failure.message))?);
        }
        Ok(Ok(sides))
    }

    fn side<'s>(
        &self,
        source: &'s dyn Source,
        wide: Option<&'s Graph>,
        fast: bool,
    ) -> Result<Backward<Side<'s>>> {
        let outputs = self.y.len();
        // One at least: where there are no elements, a backward pass still has a shape.
        let n = if fast {
            self.options.rounds
        } else {
            outputs.max(1)
        };
        let seed = self.options.seed;
        let v = |k| match fast {
            true => weights(seed, k, outputs),
            false if outputs > 0 => unit_vector(outputs, k),
            false => Vec::new(),
        };
        let gradients = match source.each(n, &v) {
            Ok(gradients) => gradients,
            Err(failure) => return Ok(Err(failure)),
        };
        let in_f64 = wide.filter(|_| !fast);
        Ok(Ok(Side {
            source,
            wide,
            in_f64: in_f64.and_then(|graph| graph.each(n, &v).ok()),
            together: match fast {
                true => self.together(&gradients)?,
                false => None,
            },
            gradients,
        }))
    }

    /// Every entry of one input's Jacobian.
    fn entries(&self, slot: usize, noise: &[f64], sides: &[Side]) -> Result<Vec<Found>> {
        let zero = sides[0].gradients.iter().any(|row| is_zero(row, slot));
        let target = self.target(slot, noise, zero);
        let rows: Vec<Rows> = (sides.iter())
            .map(|side| Rows::new(slot, &side.gradients, side.in_f64.as_deref()))
            .collect();
        full::compare(self.exec, &target, &rows)
    }

    /// Random projections of one input's Jacobian.
    fn projections(&self, slot: usize, noise: &[f64], side: &Side) -> Result<Found> {
        if let Some((_, smallest)) = &side.together {
            return Ok(Found::pass(Some(smallest[slot])));
        }
        let gradients = &side.gradients;
        let zero = gradients.iter().all(|gradient| is_zero(gradient, slot));
        let target = self.target(slot, noise, zero);
        let fast = Fast {
            part: Part::new(&target, gradients),
            source: side.source,
            wide: side.wide,
            gradients,
            seed: self.options.seed,
        };
        fast.check(self.exec)
    }

    /// Random projections of all inputs at once, where there are several and each has a gradient that is finite and not
    /// zero.
    fn together(&self, gradients: &[Products]) -> Result<Together> {
        let given = |slot: usize| {
            let finite = |g: &Vec<f64>| g.iter().all(|g| g.is_finite());
            let mut all = gradients.iter().map(|g| g[slot].as_ref());
            all.all(|g| g.is_some_and(finite)) && !gradients.iter().all(|g| is_zero(g, slot))
        };
        let slots: Vec<usize> = (0..self.checked.len())
            .filter(|&slot| given(slot))
            .collect();
        if slots.len() < self.checked.len().max(2) {
            return Ok(None);
        }
        let noise = self.noise(&slots);
        let target = |&slot: &usize| self.target(slot, &noise, false);
        let targets: Vec<_> = slots.iter().map(target).collect();
        let part = |target| Part::new(target, gradients);
        let parts: Vec<Part> = targets.iter().map(part).collect();
        let smallest = together(self.exec, &parts, gradients, self.options.seed)?;
        Ok(smallest.map(|smallest| (noise, smallest)))
    }
}
