//! The full mode: every input is compared by every entry of its Jacobian.

use candle_core::Result;

use super::autograd::graph::{Failure, Products};
use super::check::Check;
use super::compare::by_hand::{self, Manual};
use super::compare::full::{self, Rows};
use super::compare::summary::{Summary, Worst};
use super::judge::verdict::Verdict;
use super::report::{InputReport, Report};
use super::settle::settle;
use super::support::exec::Exec;

/// The rows of the Jacobian, output by output: autograd's, autograd's in f64, and those of the gradient by hand.
pub(crate) struct Gradients {
    rows: Vec<Products>,
    wide: Option<Vec<Products>>,
    by_hand: Option<Vec<Products>>,
}

impl<E: Exec> Check<'_, E> {
    /// The rows. Each output takes one backward pass, one more in f64 where the inputs are narrower and f runs in f64,
    /// and one call of a gradient by hand where there is one.
    pub(crate) fn gradients(
        &self,
        manual: Option<Manual>,
    ) -> Result<std::result::Result<Gradients, Failure>> {
        let rows = match self.graph.rows() {
            Ok(rows) => rows,
            Err(failure) => return Ok(Err(failure)),
        };
        let y = &self.graph.y;
        let by_hand = manual.map(|manual| by_hand::rows(&manual, self.inputs, &self.checked, y));
        Ok(Ok(Gradients {
            rows,
            wide: self.wide.as_ref().and_then(|graph| graph.rows().ok()),
            by_hand: by_hand.transpose()?,
        }))
    }

    /// Compares every entry of one input, and probes it.
    pub(crate) fn entries(
        &self,
        slot: usize,
        given: &Gradients,
        report: &mut Report,
    ) -> Result<()> {
        let rows = &given.rows;
        let mut gradients = vec![Rows {
            rows,
            wide: given.wide.as_deref(),
        }];
        let by_hand = given.by_hand.as_deref();
        gradients.extend(by_hand.map(|rows| Rows { rows, wide: None }));
        let before = self.exec.calls();
        let noise = self.noise(&[slot]);
        let zero = |row: &Products| row[slot].iter().flatten().all(|g| *g == 0.);
        let constant = match rows.iter().any(zero) {
            true => self.reference.constant(self.exec, self.checked[slot]),
            false => Vec::new(),
        };
        let target = self.target(slot, &noise, &constant);
        let compared = full::compare(self.exec, &self.reference, &target, &gradients)?;
        let missing = rows.iter().all(|products| products[slot].is_none());
        let input = &mut report.inputs[slot];
        self.fill(slot, &compared.summaries[0], missing, input)?;
        input.evaluations = self.exec.calls() - before;
        if let Some(by_hand) = by_hand {
            let entry = |worst: &Worst| self.entry(slot, worst);
            by_hand::fill(slot, &compared, [rows, by_hand], entry, input);
        }
        self.probe(slot, &noise, report)
    }

    fn fill(
        &self,
        slot: usize,
        summary: &Summary,
        missing: bool,
        report: &mut InputReport,
    ) -> Result<()> {
        let point = summary.worst.map_or(Verdict::Pass, |w| w.verdict);
        let cut = summary.moving > 0 && summary.nonzero == 0;
        let settled = settle(self, slot, point, summary.worst.as_ref(), cut)?;
        self.conclude(slot, (point, summary.worst), settled, missing, report);
        report.certified = summary.certified;
        report.max_abs_err = summary.max_abs_err;
        report.counts = summary.verdicts();
        Ok(())
    }
}
