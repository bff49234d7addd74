//! One input's verdict. The numeric derivative at the point gives the first one; where that is not the last word,
//! [`next`] asks questions, and [`Input`] answers them by calls of f.

use candle_core::{DType, Result};

use super::ask::Input;
use super::check::Check;
use super::compare::alone::QUANTISED;
use super::compare::summary::Worst;
use super::judge::input::{Known, Next, next};
use super::judge::verdict::Verdict;
use super::report::{Entry, InputReport};
use super::support::exec::Exec;
use super::support::values::{rel_err, unit_roundoff};

/// The verdict on an input, and why.
pub(crate) struct Settled {
    pub(crate) verdict: Verdict,
    /// The relative error that would have shown, where segments made it a pass.
    pub(crate) resolution: Option<f64>,
    pub(crate) note: Option<String>,
}

/// Settles the input in `slot`, of which the numeric derivative says `point`; `cut` where no gradient flows though
/// f moves.
pub(crate) fn settle<E: Exec>(
    check: &Check<E>,
    slot: usize,
    point: Verdict,
    worst: Option<&Worst>,
    cut: bool,
) -> Result<Settled> {
    let mut known = Known {
        point,
        rel_err: worst.map_or(0., |w| rel_err(w.pair.analytic, w.pair.numeric)),
        double: check.reference.unit <= unit_roundoff(DType::F64),
        narrow: check.inputs[check.checked[slot]].dtype() != DType::F64,
        cut,
        jumps: None,
        bends: None,
        element: None,
        whole: None,
    };
    let finite = |w: &Worst| w.pair.analytic.is_finite() && w.pair.numeric.is_finite();
    if !worst.is_none_or(finite) {
        return Ok(settled(&known, point));
    }
    let mut asked = None;
    loop {
        let question = match next(&known) {
            Next::Verdict(verdict) => return Ok(settled(&known, verdict)),
            Next::Ask(question) => question,
        };
        let input = match &mut asked {
            Some(input) => input,
            none => none.insert(Input::new(check, slot)?),
        };
        input.answer(question, worst, &mut known)?;
    }
}

fn settled(known: &Known, verdict: Verdict) -> Settled {
    let refuted = known.point == Verdict::Wrong && known.whole.is_some();
    let note = match known.jumps {
        Some(true) => Some("f jumps here: it has no derivative".to_string()),
        _ if refuted => Some(format!(
            "the worst entry's numeric derivative was set aside: {QUANTISED}"
        )),
        _ => None,
    };
    let whole = known.whole.filter(|_| verdict == Verdict::Pass);
    Settled {
        verdict,
        resolution: whole.and_then(|whole| whole.resolution),
        note,
    }
}

impl<E: Exec> Check<'_, E> {
    /// Writes one input's verdict, its worst entry and the reason into its report.
    pub(crate) fn conclude(
        &self,
        slot: usize,
        (point, worst): (Verdict, Option<Worst>),
        settled: Settled,
        missing: bool,
        report: &mut InputReport,
    ) {
        report.verdict = settled.verdict;
        report.resolution = settled.resolution;
        report.worst = worst.map(|worst| Entry {
            verdict: match worst.verdict {
                verdict if verdict == point => settled.verdict,
                verdict => verdict,
            },
            ..self.entry(slot, &worst)
        });
        let why = match (settled.verdict, missing) {
            (Verdict::Severed, true) => Some("autograd gave no gradient at all"),
            (Verdict::Severed, false) => Some("the gradient is all zeros"),
            (Verdict::Pass, true) if point == Verdict::Pass => {
                Some("no gradient, and the derivative is zero: f ignores this input here")
            }
            _ => None,
        };
        let notes = why.map(str::to_string).into_iter().chain(settled.note);
        report.notes.extend(notes);
    }
}
