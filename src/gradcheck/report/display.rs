//! The table a person acts on.

use std::fmt::{Display, Formatter, Result};

use candle_core::DType;

use super::data::{Entry, InputReport, ManualReport, OddOneOut, Outcome, ProbeReport, Report};
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Mode;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mode = match self.mode {
            Mode::Fast => "random projections",
            _ => "every entry",
        };
        writeln!(
            f,
            "gradcheck: {}; {mode}, numeric derivative in {}, {} evaluations, {} backward passes",
            ok(self.verdict()),
            self.numeric_dtype.as_str(),
            self.evaluations,
            self.backwards,
        )?;
        for input in &self.inputs {
            write_input(f, input, self.numeric_dtype)?;
        }
        for probes in self.probes.chunk_by(|a, b| a.input == b.input) {
            write_probes(f, probes)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn ok(verdict: Verdict) -> String {
    match verdict {
        Verdict::Pass => "OK (pass)".to_string(),
        _ => format!("NOT OK ({verdict})"),
    }
}

fn write_input(f: &mut Formatter<'_>, input: &InputReport, numeric: DType) -> Result {
    let (k, shape, dtype, entries) = (
        input.input,
        &input.shape,
        input.dtype.as_str(),
        input.entries,
    );
    writeln!(f, "\ninput {k} {shape:?} {dtype}: {}", ok(input.verdict))?;
    match input.smallest_visible {
        Some(least) => writeln!(
            f,
            "  {entries} entries; an error of one entry below {least:.1e} could not have been seen"
        )?,
        None => writeln!(f, "  {} of {entries} entries certified", input.certified)?,
    }
    if let Some(resolution) = input.resolution {
        writeln!(
            f,
            "  settled by the gradient theorem along segments: a gradient wrong by {resolution:.1e} \
             of itself as a whole would have shown"
        )?;
    }
    if let Some(worst) = &input.worst {
        write_entry(f, worst, "autograd")?;
    }
    if let Some(manual) = &input.manual {
        write_manual(f, manual)?;
    }
    if input.verdict != Verdict::Pass {
        writeln!(f, "  {}: {}", input.verdict, input.verdict.meaning())?;
        writeln!(f, "  try: {}", advice(input, numeric))?;
    }
    for note in &input.notes {
        writeln!(f, "  note: {note}")?;
    }
    Ok(())
}

/// What to try next: of what stayed open, what would settle it.
fn advice(input: &InputReport, numeric: DType) -> &'static str {
    if input.verdict != Verdict::Inconclusive || numeric != DType::F64 {
        return input.verdict.advice();
    }
    let known = |w: &&Entry| w.bound < w.numeric.abs();
    // exp(-100) has a gradient of 42 digits after the point in f64 and of one digit in f32;
    // 1 - erf(10) is 0 in both.
    match &input.worst {
        Some(worst) if worst.numeric == 0. && worst.bound == 0. => {
            "an input where f changes with this element: here its values are all the same, in f64 too"
        }
        _ if input.dtype == DType::F64 => {
            "inputs nearer to 1 in size, or a smoother point; a larger rtol if less will do"
        }
        worst if worst.as_ref().filter(known).is_some() => {
            "f64 inputs: the derivative is known here, and the gradient is too small for the digits of \
             this dtype"
        }
        _ => Verdict::Inconclusive.advice(),
    }
}

fn write_entry(f: &mut Formatter<'_>, entry: &Entry, side: &str) -> Result {
    let passed = entry.verdict == Verdict::Pass;
    let which = if passed { "furthest" } else { "worst" };
    let (output, input) = (&entry.output, &entry.input);
    writeln!(f, "  {which} entry: d output{output:?} / d input{input:?}")?;
    writeln!(f, "    {side:<9} {:>23.15e}", entry.analytic)?;
    let (numeric, bound) = (entry.numeric, entry.bound);
    writeln!(f, "    numeric   {numeric:>23.15e}  ± {bound:.1e}")?;
    if !passed {
        let (off, size) = (entry.analytic - numeric, entry.rel_err());
        writeln!(f, "    off by    {off:>23.15e}  ({size:.1e} of its size)")?;
    }
    Ok(())
}

fn write_manual(f: &mut Formatter<'_>, manual: &ManualReport) -> Result {
    writeln!(f, "  by hand: {}", ok(manual.verdict))?;
    if let Some(worst) = &manual.worst {
        write_entry(f, worst, "by hand")?;
    }
    if let Some(autograd) = manual.autograd {
        writeln!(f, "    autograd  {autograd:>23.15e}")?;
    }
    let odd_one_out = match manual.odd_one_out {
        OddOneOut::None => return Ok(()),
        OddOneOut::Manual => "the hand-written gradient disagrees with the other two",
        OddOneOut::Autograd => "autograd disagrees with the other two",
        OddOneOut::Numeric => {
            "the numeric derivative disagrees with the other two: a kink, or one mistake made twice"
        }
        OddOneOut::All => "no two of the three agree",
    };
    writeln!(f, "  {odd_one_out}")
}

/// The probes of one input: what passed on one line, the rest a line each.
fn write_probes(f: &mut Formatter<'_>, probes: &[ProbeReport]) -> Result {
    let (passed, others): (Vec<&ProbeReport>, Vec<_>) =
        (probes.iter()).partition(|p| matches!(p.outcome, Outcome::Pass));
    if let Some(first) = passed.first() {
        let names: Vec<&str> = passed.iter().map(|p| p.probe.name()).collect();
        let names = names.join(", ");
        writeln!(f, "\nprobes of input {}: OK: {names}", first.input)?;
    }
    for ProbeReport {
        probe,
        input,
        outcome,
    } in others
    {
        writeln!(
            f,
            "probe {:<14} input {input}: {}",
            probe.name(),
            said(outcome)
        )?;
    }
    Ok(())
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Pass => ok(Verdict::Pass),
        Outcome::Skipped { reason } => format!("not run ({reason})"),
        Outcome::Failed {
            verdict,
            at,
            found,
            expected,
            note,
        } => match expected.is_nan() {
            true => format!("{}: {note}", ok(*verdict)),
            false => format!(
                "{} at {at:?}: gradient {found:e}, expected {expected:e}\n  {note}",
                ok(*verdict)
            ),
        },
        Outcome::Forward {
            at,
            found,
            expected,
        } => format!(
            "NOT OK (forward): output{at:?} is {found:e} here and {expected:e} on a plain input"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::report::Probe;

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

    #[test]
    fn the_whole_table() {
        let input = InputReport {
            verdict: Verdict::Wrong,
            worst: entry(Verdict::Wrong, 3.),
            smallest_visible: Some(1e-7),
            resolution: Some(0.02),
            manual: Some(ManualReport {
                verdict: Verdict::Wrong,
                worst: entry(Verdict::Wrong, 2.),
                odd_one_out: OddOneOut::Manual,
                autograd: Some(1.25),
            }),
            notes: vec!["near".into()],
            ..InputReport::new(0, &[2, 3], DType::F32, 1)
        };
        let failed = |expected, note: &str| Outcome::Failed {
            verdict: Verdict::Wrong,
            at: vec![1],
            found: 3.,
            expected,
            note: note.into(),
        };
        let (at, found, expected) = (vec![0], 1., 2.);
        let reason = "a scalar".to_string();
        let outcomes = [
            (Probe::Twice, 0, Outcome::Pass),
            (Probe::Strided, 0, failed(2., "a view")),
            (Probe::Linear, 0, Outcome::Pass),
            (
                Probe::Offset,
                0,
                Outcome::Forward {
                    at,
                    found,
                    expected,
                },
            ),
            (Probe::Strided, 1, Outcome::Skipped { reason }),
            (Probe::Offset, 1, failed(f64::NAN, "it panicked")),
        ];
        let probes = outcomes.map(|(probe, input, outcome)| ProbeReport {
            probe,
            input,
            outcome,
        });
        let report = Report {
            inputs: vec![input],
            probes: probes.into(),
            mode: Mode::Full,
            numeric_dtype: DType::F64,
            evaluations: 40,
            backwards: 5,
            notes: vec!["the end".into()],
        };
        assert_eq!(
            report.to_string(),
            r"gradcheck: NOT OK (wrong); every entry, numeric derivative in f64, 40 evaluations, 5 backward passes

input 0 [2, 3] f32: NOT OK (wrong)
  6 entries; an error of one entry below 1.0e-7 could not have been seen
  settled by the gradient theorem along segments: a gradient wrong by 2.0e-2 of itself as a whole would have shown
  worst entry: d output[0] / d input[1, 2]
    autograd      3.000000000000000e0
    numeric       1.500000000000000e0  ± 1.0e-10
    off by        1.500000000000000e0  (5.0e-1 of its size)
  by hand: NOT OK (wrong)
  worst entry: d output[0] / d input[1, 2]
    by hand       2.000000000000000e0
    numeric       1.500000000000000e0  ± 1.0e-10
    off by       5.000000000000000e-1  (2.5e-1 of its size)
    autograd      1.250000000000000e0
  the hand-written gradient disagrees with the other two
  wrong: the gradient is not the derivative
  try: derive the entry above by hand; ratios of -1, 2 or 1/n often name the fault
  note: near

probes of input 0: OK: f(x) + f(x), linear
probe strided        input 0: NOT OK (wrong) at [1]: gradient 3e0, expected 2e0
  a view
probe offset         input 0: NOT OK (forward): output[0] is 1e0 here and 2e0 on a plain input
probe strided        input 1: not run (a scalar)
probe offset         input 1: NOT OK (wrong): it panicked
note: the end
"
        );
    }
}
