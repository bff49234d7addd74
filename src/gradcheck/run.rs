//! One check from start to report.

use candle_core::{Result, Tensor, bail};

use super::autograd::by_hand::{ByHand, Manual};
use super::autograd::graph::{Failure, Source, products};
use super::check::Check;
use super::judge::verdict::Verdict;
use super::options::Options;
use super::report::{Entry, InputReport, Report};
use super::support::exec::Exec;

/// Checks f, and a hand-written gradient if there is one.
pub(crate) fn run<E: Exec>(
    exec: &E,
    manual: Option<&Manual>,
    inputs: &[Tensor],
    options: &Options,
) -> Result<Report> {
    options.validate()?;
    // An f that writes to its arguments must not write to the caller's.
    let inputs: Vec<Tensor> = inputs.iter().map(Tensor::copy).collect::<Result<_>>()?;
    let check = Check::new(exec, &inputs, options)?;
    let by_hand = manual.map(|manual| ByHand {
        manual,
        inputs: &inputs,
        checked: &check.checked,
        y: &check.graph.y,
    });
    let mut report = check.blank();
    let mut wanders = options.determinism && check.wanders()?;
    if !wanders {
        check.inputs(by_hand.as_ref(), &mut report)?;
        let flagged = options.determinism && report.verdict().is_defect();
        wanders = flagged && check.wanders_rarely();
    }
    if wanders {
        nondeterministic(&mut report);
    }
    check.notes(&mut report)?;
    report.evaluations = exec.calls();
    report.backwards = exec.passes().count();
    Ok(report)
}

fn nondeterministic(report: &mut Report) {
    for input in &mut report.inputs {
        input.verdict = Verdict::Nondeterministic;
    }
    report.probes.clear();
    let note =
        "f gave two values, or two gradients, for the same inputs, so nothing else is said of them";
    report.notes.push(note.to_string());
}

/// The backward pass failed: an input gets its verdict and its message.
fn failed(input: &mut InputReport, failure: &Failure) {
    input.verdict = failure.verdict;
    input.notes.push(format!("backward: {}", failure.message));
}

impl<E: Exec> Check<'_, E> {
    /// Compares the inputs that have elements.
    fn inputs(&self, by_hand: Option<&ByHand>, report: &mut Report) -> Result<()> {
        let all = 0..self.checked.len();
        let (slots, empty): (Vec<usize>, Vec<usize>) =
            all.partition(|&slot| report.inputs[slot].entries > 0);
        if !empty.is_empty() {
            self.empty(&empty, by_hand, report)?;
        }
        if slots.is_empty() {
            return Ok(());
        }
        if let Err(failure) = self.compare(&slots, by_hand, report)? {
            report
                .inputs
                .iter_mut()
                .for_each(|input| failed(input, &failure));
        }
        Ok(())
    }

    /// An input without elements has no entries to compare. What can be checked is whether the backward pass runs, and
    /// of a hand-written gradient the shapes and how many gradients there are.
    fn empty(&self, slots: &[usize], by_hand: Option<&ByHand>, report: &mut Report) -> Result<()> {
        if let Some(by_hand) = by_hand
            && let Err(failure) = by_hand.vjp(&self.weights)
        {
            bail!("{}", failure.message)
        }
        // candle returns the first factor of a product without elements, so y is not multiplied by weights here.
        let plain = || self.graph.y.sum_all();
        let passed = products(self.exec.passes(), &self.graph.vars, plain);
        for &slot in slots {
            let input = &mut report.inputs[slot];
            let note = "no elements, so nothing to differentiate";
            input.notes.push(note.to_string());
            if let Err(failure) = &passed {
                failed(input, failure);
            }
        }
        Ok(())
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
        let mut worst = report.inputs.iter().filter_map(|i| i.worst.as_ref());
        if worst.any(unknown) {
            bail!("gradcheck: f gives an error beside its inputs: {reason}")
        }
        let note = format!("f gives an error at some points beside its inputs: {reason}");
        report.notes.push(note);
        Ok(())
    }
}
