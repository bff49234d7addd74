//! One check from start to report.

use candle_core::{Result, Tensor, bail};

use super::autograd::by_hand::{ByHand, Manual};
use super::autograd::graph::Failure;
use super::check::Check;
use super::judge::verdict::Verdict;
use super::options::Options;
use super::report::{Entry, Report};
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
        if let Err(failure) = check.compare(by_hand.as_ref(), &mut report)? {
            failed(&mut report, &failure);
        }
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

/// The backward pass failed: every input gets its verdict and its message.
fn failed(report: &mut Report, failure: &Failure) {
    for input in &mut report.inputs {
        input.verdict = failure.verdict;
        input.notes.push(format!("backward: {}", failure.message));
    }
}

impl<E: Exec> Check<'_, E> {
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
