//! The table a person acts on.

use std::fmt;

use super::data::{Dissent, Entry, InputReport, ManualReport, Outcome, ProbeReport, Report};
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Mode;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            Mode::Fast => "random projections",
            _ => "every entry",
        };
        let verdict = self.verdict();
        writeln!(
            f,
            "gradcheck: {} ({verdict}); {mode}, numeric derivative in {}, {} evaluations, \
             {} backward passes",
            ok(verdict),
            self.oracle.as_str(),
            self.evaluations,
            self.backwards,
        )?;
        for input in &self.inputs {
            write!(f, "{input}")?;
        }
        if !self.probes.is_empty() {
            write_probes(f, &self.probes)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

/// What failed or was not run a line each; what passed on one line an input.
fn write_probes(f: &mut fmt::Formatter<'_>, probes: &[ProbeReport]) -> fmt::Result {
    writeln!(f)?;
    for same_input in probes.chunk_by(|a, b| a.input == b.input) {
        let passed = same_input
            .iter()
            .filter(|p| matches!(p.outcome, Outcome::Pass));
        let passed: Vec<&str> = passed.map(|p| p.probe.name()).collect();
        if !passed.is_empty() {
            writeln!(
                f,
                "probes of input {}: OK: {}",
                same_input[0].input,
                passed.join(", ")
            )?;
        }
        for probe in same_input
            .iter()
            .filter(|p| !matches!(p.outcome, Outcome::Pass))
        {
            write!(f, "{probe}")?;
        }
    }
    Ok(())
}

fn ok(verdict: Verdict) -> &'static str {
    if verdict == Verdict::Pass {
        "OK"
    } else {
        "NOT OK"
    }
}

impl fmt::Display for InputReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\ninput {} {:?} {}: {} ({})",
            self.input,
            self.shape,
            self.dtype.as_str(),
            ok(self.verdict),
            self.verdict,
        )?;
        match self.smallest_visible {
            Some(least) => writeln!(
                f,
                "  {} entries; an error of one entry below {least:.1e} could not have been seen",
                self.entries
            )?,
            None => writeln!(
                f,
                "  {} of {} entries certified",
                self.certified, self.entries
            )?,
        }
        if let Some(resolution) = self.resolution {
            writeln!(
                f,
                "  settled by the gradient theorem along segments: a gradient wrong by {resolution:.1e} \
                 of itself as a whole would have shown"
            )?;
        }
        if let Some(worst) = &self.worst {
            write_entry(f, worst, "autograd")?;
        }
        if let Some(manual) = &self.manual {
            write_manual(f, manual)?;
        }
        if self.verdict != Verdict::Pass {
            writeln!(f, "  {}: {}", self.verdict, self.verdict.meaning())?;
            writeln!(f, "  try: {}", self.verdict.advice())?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        Ok(())
    }
}

fn write_entry(f: &mut fmt::Formatter<'_>, entry: &Entry, side: &str) -> fmt::Result {
    writeln!(
        f,
        "  {} d output{:?} / d input{:?}",
        if entry.verdict == Verdict::Pass {
            "furthest entry:"
        } else {
            "worst entry:"
        },
        entry.output,
        entry.input,
    )?;
    writeln!(f, "    {side:<9} {:>23.15e}", entry.analytic)?;
    writeln!(
        f,
        "    numeric   {:>23.15e}  ± {:.1e}",
        entry.numeric, entry.bound
    )?;
    if entry.verdict != Verdict::Pass {
        writeln!(
            f,
            "    off by    {:>23.15e}  ({:.1e} of its size)",
            entry.analytic - entry.numeric,
            entry.rel_err(),
        )?;
    }
    Ok(())
}

fn write_manual(f: &mut fmt::Formatter<'_>, manual: &ManualReport) -> fmt::Result {
    writeln!(f, "  by hand: {} ({})", ok(manual.verdict), manual.verdict)?;
    if let Some(worst) = &manual.worst {
        write_entry(f, worst, "by hand")?;
    }
    if let Some(autograd) = manual.autograd {
        writeln!(f, "    autograd  {autograd:>23.15e}")?;
    }
    let stands_alone = match manual.dissent {
        Dissent::None => return Ok(()),
        Dissent::Manual => "the hand-written gradient disagrees with the other two",
        Dissent::Autograd => "autograd disagrees with the other two",
        Dissent::Numeric => {
            "the numeric derivative disagrees with the other two: a kink, or one mistake made twice"
        }
        Dissent::All => "no two of the three agree",
    };
    writeln!(f, "  {stands_alone}")
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "probe {:<14} input {}: ", self.probe.name(), self.input)?;
        match &self.outcome {
            Outcome::Pass => writeln!(f, "OK"),
            Outcome::Skipped { reason } => writeln!(f, "not run ({reason})"),
            Outcome::Failed {
                verdict, note, at, ..
            } if at.is_empty() && !note.is_empty() && self.has_no_numbers() => {
                writeln!(f, "NOT OK ({verdict}): {note}")
            }
            Outcome::Failed {
                verdict,
                at,
                found,
                expected,
                note,
            } => writeln!(
                f,
                "NOT OK ({verdict}) at {at:?}: gradient {found:e}, expected {expected:e}\n  {note}"
            ),
            Outcome::Forward {
                at,
                found,
                expected,
            } => writeln!(
                f,
                "NOT OK (forward): output{at:?} is {found:e} here and {expected:e} on a plain input"
            ),
        }
    }
}

impl ProbeReport {
    fn has_no_numbers(&self) -> bool {
        matches!(&self.outcome, Outcome::Failed { expected, .. } if expected.is_nan())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::report::Probe;
    use candle_core::DType;

    fn entry(verdict: Verdict, analytic: f64) -> Option<Entry> {
        Some(Entry {
            output: vec![0],
            input: vec![1, 2],
            analytic,
            numeric: 1.5,
            bound: 1e-10,
            verdict,
        })
    }

    fn input(verdict: Verdict) -> InputReport {
        InputReport {
            input: 0,
            shape: vec![2, 3],
            dtype: DType::F32,
            verdict,
            worst: entry(verdict, 3.),
            certified: 4,
            entries: 6,
            counts: Vec::new(),
            max_rel_err: 0.5,
            max_abs_err: 1.5,
            evaluations: 9,
            smallest_visible: None,
            resolution: None,
            manual: None,
            notes: Vec::new(),
        }
    }

    fn report(inputs: Vec<InputReport>, probes: Vec<ProbeReport>, mode: Mode) -> Report {
        Report {
            inputs,
            probes,
            mode,
            output_shape: vec![1],
            oracle: DType::F64,
            evaluations: 40,
            backwards: 5,
            notes: vec!["the end".into()],
        }
    }

    #[test]
    fn every_entry_and_what_is_wrong_with_it() {
        let passed = InputReport {
            smallest_visible: Some(1e-7),
            resolution: Some(0.02),
            notes: vec!["near".into()],
            ..input(Verdict::Pass)
        };
        let shown = report(vec![passed, input(Verdict::Wrong)], vec![], Mode::Full);
        assert_eq!(
            shown.to_string(),
            r"gradcheck: NOT OK (wrong); every entry, numeric derivative in f64, 40 evaluations, 5 backward passes

input 0 [2, 3] f32: OK (pass)
  6 entries; an error of one entry below 1.0e-7 could not have been seen
  settled by the gradient theorem along segments: a gradient wrong by 2.0e-2 of itself as a whole would have shown
  furthest entry: d output[0] / d input[1, 2]
    autograd      3.000000000000000e0
    numeric       1.500000000000000e0  ± 1.0e-10
  note: near

input 0 [2, 3] f32: NOT OK (wrong)
  4 of 6 entries certified
  worst entry: d output[0] / d input[1, 2]
    autograd      3.000000000000000e0
    numeric       1.500000000000000e0  ± 1.0e-10
    off by        1.500000000000000e0  (5.0e-1 of its size)
  wrong: the gradient is not the derivative
  try: derive the entry above by hand; ratios of -1, 2 or 1/n often name the fault
note: the end
"
        );
    }

    #[test]
    fn the_three_gradients_and_which_stands_alone() {
        let by_hand = |dissent, verdict| {
            let manual = ManualReport {
                verdict,
                worst: entry(verdict, 2.),
                dissent,
                autograd: Some(1.25),
                at_autograds_worst: None,
            };
            InputReport {
                manual: Some(manual),
                worst: None,
                ..input(Verdict::Pass)
            }
            .to_string()
        };
        assert_eq!(
            by_hand(Dissent::Manual, Verdict::Wrong),
            r"
input 0 [2, 3] f32: OK (pass)
  4 of 6 entries certified
  by hand: NOT OK (wrong)
  worst entry: d output[0] / d input[1, 2]
    by hand       2.000000000000000e0
    numeric       1.500000000000000e0  ± 1.0e-10
    off by       5.000000000000000e-1  (2.5e-1 of its size)
    autograd      1.250000000000000e0
  the hand-written gradient disagrees with the other two
"
        );
        let last = |dissent| {
            by_hand(dissent, Verdict::Wrong)
                .lines()
                .last()
                .map(String::from)
        };
        for (dissent, said) in [
            (Dissent::Autograd, "  autograd disagrees with the other two"),
            (Dissent::All, "  no two of the three agree"),
            (
                Dissent::Numeric,
                "  the numeric derivative disagrees with the other two: a kink, or one mistake made twice",
            ),
        ] {
            assert_eq!(last(dissent).as_deref(), Some(said));
        }
        assert_eq!(
            by_hand(Dissent::None, Verdict::Pass),
            "
input 0 [2, 3] f32: OK (pass)
  4 of 6 entries certified
  by hand: OK (pass)
  furthest entry: d output[0] / d input[1, 2]
    by hand       2.000000000000000e0
    numeric       1.500000000000000e0  ± 1.0e-10
    autograd      1.250000000000000e0
"
        );
    }

    #[test]
    fn probes_that_pass_share_a_line() {
        let probe = |probe, input, outcome| ProbeReport {
            probe,
            input,
            outcome,
        };
        let failed = |at: &[usize], expected, note: &str| Outcome::Failed {
            verdict: Verdict::Wrong,
            at: at.to_vec(),
            found: 3.,
            expected,
            note: note.into(),
        };
        let forward = Outcome::Forward {
            at: vec![0],
            found: 1.,
            expected: 2.,
        };
        let skipped = Outcome::Skipped {
            reason: "a scalar".into(),
        };
        let probes = vec![
            probe(Probe::Twice, 0, Outcome::Pass),
            probe(Probe::Strided, 0, failed(&[1], 2., "a view")),
            probe(Probe::Linear, 0, Outcome::Pass),
            probe(Probe::Offset, 0, forward),
            probe(Probe::Strided, 1, skipped),
            probe(Probe::Offset, 1, failed(&[], f64::NAN, "it panicked")),
            probe(Probe::Linear, 1, failed(&[], 2., "numbers")),
        ];
        let shown = report(vec![], probes, Mode::Fast);
        assert_eq!(
            shown.to_string(),
            r"gradcheck: NOT OK (wrong); random projections, numeric derivative in f64, 40 evaluations, 5 backward passes

probes of input 0: OK: f(x) + f(x), linear
probe strided        input 0: NOT OK (wrong) at [1]: gradient 3e0, expected 2e0
  a view
probe offset         input 0: NOT OK (forward): output[0] is 1e0 here and 2e0 on a plain input
probe strided        input 1: not run (a scalar)
probe offset         input 1: NOT OK (wrong): it panicked
probe linear         input 1: NOT OK (wrong) at []: gradient 3e0, expected 2e0
  numbers
note: the end
"
        );
    }
}
