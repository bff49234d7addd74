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
