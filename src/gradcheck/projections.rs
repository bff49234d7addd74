//! The fast mode: every input is compared by random projections of its Jacobian.

use candle_core::Result;

use super::autograd::graph::{Failure, Products};
use super::check::Check;
use super::compare::by_hand::{self, Manual};
use super::compare::fast::{Fast, Projected};
use super::compare::projection::{Part, Projection, Round, rounds};
use super::report::{InputReport, Report};
use super::settle::settle;
use super::support::exec::Exec;

/// The rounds of the projections, and what they say of all inputs at once.
pub(crate) struct Rounds {
    rounds: Vec<Round>,
    /// vᵀJ by hand, of the first round.
    by_hand: Option<Products>,
    parts: Vec<Part>,
    /// The noise of every output, and the smallest visible error of every part, where projections of all inputs at
    /// once pass them all. Else None, and each input is projected by itself.
    together: Option<(Vec<f64>, Vec<f64>)>,
}

impl<E: Exec> Check<'_, E> {
    pub(crate) fn rounds(
        &self,
        slots: &[usize],
        manual: Option<Manual>,
    ) -> Result<std::result::Result<Rounds, Failure>> {
        let rounds = match rounds(&self.graph, self.options.rounds, self.options.seed) {
            Ok(rounds) => rounds,
            Err(failure) => return Ok(Err(failure)),
        };
        let y = &self.graph.y;
        let by_hand = (manual.zip(rounds.first())).map(|(manual, round)| {
            by_hand::product(&manual, self.inputs, &self.checked, y, &round.v)
        });
        let part = |&slot: &usize| {
            let input = self.checked[slot];
            Part::new(&self.reference, (slot, input), self.judge(slot), &rounds)
        };
        let parts: Vec<Part> = slots.iter().map(part).collect();
        Ok(Ok(Rounds {
            by_hand: by_hand.transpose()?,
            together: self.together(&parts, &rounds)?,
            parts,
            rounds,
        }))
    }

    fn together(&self, parts: &[Part], rounds: &[Round]) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
        if parts.len() < 2 || !parts.iter().all(|part| part.has_gradient(rounds)) {
            return Ok(None);
        }
        let slots: Vec<usize> = parts.iter().map(|part| part.slot).collect();
        let noise = self.noise(&slots);
        let projection = Projection {
            reference: &self.reference,
            noise: &noise,
        };
        let smallest = projection.together(self.exec, parts, rounds, self.options.seed)?;
        Ok(smallest.map(|smallest| (noise, smallest)))
    }

    /// Compares the projections of one input, the `n`th of those that have elements, and probes it.
    pub(crate) fn projections(&self, n: usize, all: &Rounds, report: &mut Report) -> Result<()> {
        let (part, rounds) = (all.parts[n], &all.rounds);
        let slot = part.slot;
        let before = self.exec.calls();
        let noise = match &all.together {
            Some((noise, _)) => noise.clone(),
            None => self.noise(&[slot]),
        };
        let zero = |round: &Round| round.products[slot].iter().flatten().all(|g| *g == 0.);
        let constant = match rounds.iter().all(zero) {
            true => self.reference.constant(self.exec, self.checked[slot]),
            false => vec![false],
        };
        let target = self.target(slot, &noise, &constant);
        let fast = Fast {
            reference: &self.reference,
            graph: &self.graph,
            wide: self.wide.as_ref(),
            target: &target,
            seed: self.options.seed,
            part,
        };
        let projected = match &all.together {
            Some((_, smallest)) => Projected::pass(smallest[n]),
            None => fast.check(self.exec, rounds)?,
        };
        let missing = rounds.iter().all(|round| round.products[slot].is_none());
        let input = &mut report.inputs[slot];
        self.fill_fast(slot, projected, missing, input)?;
        input.evaluations = self.exec.calls() - before;
        if let (Some(by_hand), Some(round)) = (&all.by_hand, rounds.first()) {
            by_hand::projected(self.exec, &fast, round, by_hand, input)?;
        }
        self.probe(slot, &noise, report)
    }

    fn fill_fast(
        &self,
        slot: usize,
        projected: Projected,
        missing: bool,
        report: &mut InputReport,
    ) -> Result<()> {
        report.smallest_visible = Some(projected.smallest_visible);
        report.notes.extend(projected.note);
        let (point, worst) = (projected.verdict, projected.worst);
        let settled = settle(self, slot, point, worst.as_ref(), missing)?;
        self.conclude(slot, (point, worst), settled, missing, report);
        Ok(())
    }
}
