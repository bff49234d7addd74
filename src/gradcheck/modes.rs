//! Full mode and fast mode: every input's gradient, by autograd and by hand, compared with its numeric derivatives.

use candle_core::{Error, Result};

use super::autograd::by_hand::ByHand;
use super::autograd::graph::{Failure, Graph, Products, Source, is_zero};
use super::check::Check;
use super::compare::fast::{Fast, Projected};
use super::compare::full::{self, Rows};
use super::compare::projection::{Part, together, weights};
use super::judge::verdict::Verdict;
use super::options::Mode;
use super::report::Report;
use super::support::exec::Exec;
use super::support::values::unit_vector;

/// A source of gradients: autograd, or one by hand.
struct Side<'a> {
    source: &'a dyn Source,
    /// The same in f64, where the dtype is narrower and the backward runs in it.
    wide: Option<&'a Graph>,
    /// vᵀJ: in full mode of every output, in fast mode of every round.
    gradients: Vec<Products>,
}

impl<E: Exec> Check<'_, E> {
    /// Compares the gradients of the inputs in `slots`. A backward pass that fails is a finding; a gradient by hand
    /// that does is an error.
    pub(crate) fn compare(
        &self,
        slots: &[usize],
        by_hand: Option<&ByHand>,
        report: &mut Report,
    ) -> Result<std::result::Result<(), Failure>> {
        let (outputs, fast) = (self.y.len(), report.mode == Mode::Fast);
        let n = if fast { self.options.rounds } else { outputs };
        let seed = self.options.seed;
        let v = |k| match fast {
            true => weights(seed, k, outputs),
            false => unit_vector(outputs, k),
        };
        let mut sides = match self.graph.each(n, &v) {
            Ok(gradients) => vec![Side {
                source: &self.graph,
                wide: self.wide.as_ref(),
                gradients,
            }],
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(source) = by_hand {
            let gradients = source.each(n, &v);
            sides.push(Side {
                source,
                wide: None,
                gradients: gradients.map_err(|failure| Error::msg(failure.message))?,
            });
        }
        match fast {
            true => self.projections(slots, &sides, report)?,
            false => self.entries(slots, &sides, report)?,
        }
        Ok(Ok(()))
    }

    /// Compares every entry of the Jacobian.
    fn entries(&self, slots: &[usize], sides: &[Side], report: &mut Report) -> Result<()> {
        let outputs = self.y.len();
        let rows = |graph: &Graph| graph.each(outputs, &|i| unit_vector(outputs, i)).ok();
        let wides: Vec<_> = sides.iter().map(|side| side.wide.and_then(rows)).collect();
        for &slot in slots {
            let before = self.exec.calls();
            let noise = self.noise(&[slot]);
            let zero = sides[0].gradients.iter().any(|row| is_zero(row, slot));
            let target = self.target(slot, &noise, zero);
            let rows: Vec<Rows> = (sides.iter().zip(&wides))
                .map(|(side, wide)| Rows::new(slot, &side.gradients, wide.as_deref()))
                .collect();
            let all = full::compare(self.exec, &target, &rows)?;
            let input = &mut report.inputs[slot];
            input.certified = all[0].count(Verdict::Pass);
            input.max_abs_err = all[0].max_abs_err;
            input.counts = all[0].verdicts();
            self.conclude(
                slot,
                (all[0].verdict(), all[0].worst),
                &sides[0].gradients,
                input,
            )?;
            input.evaluations = self.exec.calls() - before;
            if let Some(by_hand) = all.get(1) {
                self.beside(slot, (by_hand.verdict(), by_hand.worst), input);
            }
            self.probe(slot, &noise, report)?;
        }
        Ok(())
    }

    /// Compares random projections of the Jacobian: of all inputs at once, or where that is not a pass, of each.
    fn projections(&self, slots: &[usize], sides: &[Side], report: &mut Report) -> Result<()> {
        let together = sides
            .iter()
            .map(|side| self.together(slots, &side.gradients));
        let together = together.collect::<Result<Vec<Together>>>()?;
        for (n, &slot) in slots.iter().enumerate() {
            let before = self.exec.calls();
            let noise = match &together[0] {
                Some((noise, _)) => noise.clone(),
                None => self.noise(&[slot]),
            };
            let project = |k: usize| match &together[k] {
                Some((_, smallest)) => Ok(Projected::pass(smallest[n])),
                None => self.project(slot, &noise, &sides[k]),
            };
            let autograd = project(0)?;
            let input = &mut report.inputs[slot];
            input.smallest_visible = Some(autograd.smallest_visible);
            input.notes.extend(autograd.note.map(str::to_string));
            self.conclude(
                slot,
                (autograd.verdict, autograd.worst),
                &sides[0].gradients,
                input,
            )?;
            input.evaluations = self.exec.calls() - before;
            if sides.len() > 1 {
                let by_hand = project(1)?;
                self.beside(slot, (by_hand.verdict, by_hand.worst), input);
            }
            self.probe(slot, &noise, report)?;
        }
        Ok(())
    }

    /// The projections of one input.
    fn project(&self, slot: usize, noise: &[f64], side: &Side) -> Result<Projected> {
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

    /// The projections of several inputs at once, each of which has a gradient that is finite and not zero.
    fn together(&self, slots: &[usize], gradients: &[Products]) -> Result<Together> {
        let finite = |slot: usize| {
            let gradient =
                |g: &Products| (g[slot].as_ref()).is_some_and(|g| g.iter().all(|g| g.is_finite()));
            gradients.iter().all(gradient) && !gradients.iter().all(|g| is_zero(g, slot))
        };
        if slots.len() < 2 || !slots.iter().all(|&slot| finite(slot)) {
            return Ok(None);
        }
        let noise = self.noise(slots);
        let targets: Vec<_> = (slots.iter())
            .map(|&slot| self.target(slot, &noise, false))
            .collect();
        let parts: Vec<_> = targets
            .iter()
            .map(|target| Part::new(target, gradients))
            .collect();
        let smallest = together(self.exec, &parts, gradients, self.options.seed)?;
        Ok(smallest.map(|smallest| (noise, smallest)))
    }
}

/// Where projections of all inputs at once pass: the noise of every output, and the smallest visible error of each
/// input.
type Together = Option<(Vec<f64>, Vec<f64>)>;
