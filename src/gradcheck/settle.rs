//! One input's verdict. The numeric derivative at the point gives the first one; where that is not the last word,
//! [`next`] asks questions, and [`Input`] answers them by calls of f.

use candle_core::{DType, Result};

use super::ask::Input;
use super::autograd::graph::{Products, Source, is_zero};
use super::check::Check;
use super::compare::found::{Found, Worst};
use super::compare::single::QUANTISED;
use super::judge::input::{Known, Next, next};
use super::judge::law::Pair;
use super::judge::verdict::Verdict;
use super::report::{Entry, InputReport, ManualReport, OddOneOut};
use super::support::exec::Exec;
use super::support::values::{rel_err, unit_roundoff, unit_vector};

impl<E: Exec> Check<'_, E> {
    /// Writes into an input's report what was found of autograd's gradient, and of one by hand where there is one, and
    /// autograd's verdict. `gradients` are autograd's vᵀJ.
    pub(crate) fn conclude(
        &self,
        slot: usize,
        found: &[Found],
        gradients: &[Products],
        report: &mut InputReport,
    ) -> Result<()> {
        let (autograd, point) = (&found[0], found[0].verdict);
        let (verdict, known) = self.settle(slot, autograd, gradients)?;
        let whole = known.whole.filter(|_| verdict == Verdict::Pass);
        let missing = gradients.iter().all(|g| g[slot].is_none());
        report.verdict = verdict;
        report.resolution = whole.and_then(|whole| whole.resolution);
        report.worst = autograd.worst.map(|worst| Entry {
            verdict: if worst.verdict == point {
                verdict
            } else {
                worst.verdict
            },
            ..self.entry(slot, &worst)
        });
        report.certified = autograd.certified();
        report.counts = autograd.verdicts();
        report.max_abs_err = autograd.max_abs_err;
        report.smallest_visible = autograd.smallest_visible;
        let note = autograd.note.map(str::to_string);
        report
            .notes
            .extend(note.into_iter().chain(why(&known, verdict, missing)));
        report.manual = found
            .get(1)
            .map(|by_hand| self.beside(slot, by_hand, verdict));
        Ok(())
    }

    /// Asks what can change the verdict of the point, until it stands.
    fn settle(
        &self,
        slot: usize,
        found: &Found,
        gradients: &[Products],
    ) -> Result<(Verdict, Known)> {
        let worst = found.worst.as_ref();
        let mut known = Known {
            point: found.verdict,
            rel_err: worst.map_or(0., |w| rel_err(w.pair.analytic, w.pair.numeric)),
            double: self.reference.unit <= unit_roundoff(DType::F64),
            narrow: self.inputs[self.checked[slot]].dtype() != DType::F64,
            cut: gradients.iter().all(|g| is_zero(g, slot)),
            jumps: None,
            bends: None,
            element: None,
            whole: None,
        };
        let finite = |w: &Worst| w.pair.analytic.is_finite() && w.pair.numeric.is_finite();
        if !worst.is_none_or(finite) {
            return Ok((known.point, known));
        }
        loop {
            match next(&known) {
                Next::Verdict(verdict) => return Ok((verdict, known)),
                Next::Ask(question) => {
                    Input::new(self, slot)?.answer(question, worst, &mut known)?
                }
            }
        }
    }

    /// What the numeric derivative says of a gradient by hand, beside autograd's `verdict`.
    fn beside(&self, slot: usize, by_hand: &Found, verdict: Verdict) -> ManualReport {
        let worst = by_hand.worst;
        let autograd = worst.and_then(|w| {
            let row = self.graph.vjp(&unit_vector(self.y.len(), w.output)).ok()?;
            Some(row[slot].as_ref().map_or(0., |row| row[w.input]))
        });
        let differ = worst.zip(autograd).is_some_and(|(w, autograd)| {
            let Pair {
                analytic, numeric, ..
            } = w.pair;
            (autograd - analytic).abs() > 1e-3 * (analytic - numeric).abs()
        });
        ManualReport {
            verdict: by_hand.verdict,
            worst: worst.map(|worst| self.entry(slot, &worst)),
            odd_one_out: odd_one_out(verdict, by_hand.verdict, differ),
            autograd,
        }
    }
}

/// Why a verdict is what it is, where there is more to say than the verdict does.
fn why(known: &Known, verdict: Verdict, missing: bool) -> Option<String> {
    let refuted = known.point == Verdict::Wrong && known.whole.is_some();
    Some(match (verdict, missing) {
        (Verdict::Severed, true) => "autograd gave no gradient at all".into(),
        (Verdict::Severed, false) => "the gradient is all zeros".into(),
        (Verdict::Pass, true) if known.point == Verdict::Pass => {
            "no gradient, and the derivative is zero: f ignores this input here".into()
        }
        _ if known.jumps == Some(true) => "f jumps here: it has no derivative".into(),
        _ if refuted => {
            format!("the worst entry's numeric derivative was set aside: {QUANTISED}")
        }
        _ => return None,
    })
}

/// Which of the three disagrees with the other two.
fn odd_one_out(autograd: Verdict, by_hand: Verdict, differ: bool) -> OddOneOut {
    let fine = |v: Verdict| !v.is_defect() && v != Verdict::Kink;
    match (fine(autograd), fine(by_hand)) {
        (true, true) => OddOneOut::None,
        (true, false) => OddOneOut::Manual,
        (false, true) => OddOneOut::Autograd,
        (false, false) if differ => OddOneOut::All,
        (false, false) => OddOneOut::Numeric,
    }
}
