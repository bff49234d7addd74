//! One check from start to report.

use candle_core::{Result, Tensor, bail};

use super::autograd::graph::{Failure, products};
use super::check::Check;
use super::compare::by_hand::{self, Manual};
use super::judge::verdict::Verdict;
use super::options::{Mode, Options};
use super::report::{Entry, Report};
use super::support::exec::Exec;

/// Checks f, and a hand-written gradient if there is one.
pub(crate) fn run<E: Exec>(
    exec: &E,
    manual: Option<Manual>,
    inputs: &[Tensor],
    options: &Options,
) -> Result<Report> {
    options.validate()?;
    // An f that writes to its arguments must not write to the caller's.
    let inputs: Vec<Tensor> = inputs.iter().map(Tensor::copy).collect::<Result<_>>()?;
    let check = Check::new(exec, &inputs, options)?;
    let mut report = check.blank();
    let mut wanders = options.determinism && check.wanders()?;
    if !wanders {
        check.compare(manual, &mut report)?;
        let flagged = options.determinism && report.verdict().is_defect();
        wanders = flagged && check.wanders_rarely();
    }
    if wanders {
        check.nondeterministic(&mut report);
    }
    check.notes(&mut report)?;
    report.evaluations = exec.calls();
    report.backwards = exec.passes().count();
    Ok(report)
}

impl<E: Exec> Check<'_, E> {
    fn nondeterministic(&self, report: &mut Report) {
        for input in &mut report.inputs {
            input.verdict = Verdict::Nondeterministic;
        }
        report.probes.clear();
        let note = "f gave two values, or two gradients, for the same inputs, so nothing else is said of them";
        report.notes.push(note.to_string());
    }

    /// Notes the errors that f gave: in f64, and beside its inputs.
    fn notes(&self, report: &mut Report) -> Result<()> {
        if let Some(reason) = &self.reference.not_wide {
            report.notes.push(format!(
                "the numeric derivative is in {}, since f does not run in f64: {reason}. Where f holds \
                 data of its own, x.to_dtype(t[0].dtype())? lets it, and the check is then sharper",
                self.reference.dtype.as_str()
            ));
        }
        let Some(reason) = self.reference.refused() else {
            return Ok(());
        };
        // A gradient that is not finite is a finding. That f has no value beside its inputs is not: it is f's error.
        let unknown = |w: &Entry| w.analytic.is_finite() && !w.numeric.is_finite();
        let worst = report.inputs.iter().filter_map(|i| i.worst.as_ref());
        if worst.into_iter().any(unknown) {
            bail!("gradcheck: f gives an error beside its inputs: {reason}")
        }
        let note = format!("f gives an error at some points beside its inputs: {reason}");
        report.notes.push(note);
        Ok(())
    }

    fn compare(&self, manual: Option<Manual>, report: &mut Report) -> Result<()> {
        let slots: Vec<usize> = (0..self.checked.len()).collect();
        let (slots, empty): (Vec<usize>, Vec<usize>) = slots
            .into_iter()
            .partition(|&slot| report.inputs[slot].entries > 0);
        for slot in empty {
            let note = "no elements, so nothing to differentiate";
            report.inputs[slot].notes.push(note.to_string());
        }
        self.empty(manual, report)?;
        if slots.is_empty() {
            return Ok(());
        }
        match report.mode {
            Mode::Fast => match self.rounds(&slots, manual)? {
                Ok(all) => (0..slots.len()).try_for_each(|n| self.projections(n, &all, report)),
                Err(failure) => self.no_gradient(&failure, report),
            },
            _ => match self.gradients(manual)? {
                Ok(given) => slots
                    .iter()
                    .try_for_each(|&slot| self.entries(slot, &given, report)),
                Err(failure) => self.no_gradient(&failure, report),
            },
        }
    }

    /// An input without elements has no entries to compare. What can be checked is whether the backward pass runs, and
    /// of a hand-written gradient the shapes and how many gradients there are.
    fn empty(&self, manual: Option<Manual>, report: &mut Report) -> Result<()> {
        if report.inputs.iter().all(|input| input.entries > 0) {
            return Ok(());
        }
        if let Some(manual) = &manual {
            by_hand::product(
                manual,
                self.inputs,
                &self.checked,
                &self.graph.y,
                &self.weights,
            )?;
        }
        // candle returns the first factor of a product without elements, so y is not multiplied by weights here.
        let plain = || self.graph.y.sum_all();
        if let Err(failure) = products(self.exec.passes(), &self.graph.vars, plain) {
            for input in report.inputs.iter_mut().filter(|input| input.entries == 0) {
                input.verdict = failure.verdict;
                input.notes.push(format!("backward: {}", failure.message));
            }
        }
        Ok(())
    }

    /// The backward pass failed: every input gets its verdict and its message.
    fn no_gradient(&self, failure: &Failure, report: &mut Report) -> Result<()> {
        for input in &mut report.inputs {
            input.verdict = failure.verdict;
            input.notes.push(format!("backward: {}", failure.message));
        }
        Ok(())
    }
}
