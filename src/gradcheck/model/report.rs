//! What was found of a model, by the names of its parameters.

use std::fmt;

use candle_core::DType;

use super::marks::{Cut, Mark};
use super::names::fold;
use super::suspects::Suspect;
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;

/// Everything one check of a model found. `{}` prints a screen with names folded, `{:#}` a line a
/// parameter; with the `serde` feature it serializes.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModelReport {
    /// One for each parameter that was judged, in the order of the names.
    pub parameters: Vec<ParameterReport>,
    /// Not parameters, and judged by nobody: BatchNorm's running statistics, and what the caller
    /// named.
    pub buffers: Vec<String>,
    /// Not judged: f does not read them, or nothing that it returns depends on them.
    pub unread: Vec<String>,
    /// The marks in the order passed.
    pub marks: Vec<Mark>,
    /// Between which marks the graph ends; empty where nothing is severed or wrong.
    pub cuts: Vec<Cut>,
    /// Where something is severed and no two marks are around it: functions known to do that.
    pub suspects: Vec<Suspect>,
    /// The loss where the parameters are.
    pub loss: f64,
    /// Forward and backward passes together.
    pub passes: usize,
    /// Forward passes alone.
    pub forwards: usize,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// What was found for one parameter.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ParameterReport {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its dtype.
    #[cfg_attr(feature = "serde", serde(serialize_with = "dtype_name"))]
    pub dtype: DType,
    /// What is concluded.
    pub verdict: Verdict,
    /// Whether a plain backward pass gives it no gradient at all.
    pub missing: bool,
    /// The relative error of its gradient, as a whole, that this check could have seen: 0.02 means
    /// that a gradient 2% too large would have shown. None where nothing could be seen.
    pub resolution: Option<f64>,
    /// Along the segment that contradicts the gradient most: the change of the loss, autograd's
    /// integral of it, and the error that separates them at most by chance (one standard error).
    pub worst: Option<Segment>,
    /// The entry that moves along that segment, where it is one alone: looked for in the parameter that
    /// is contradicted most, by halves. None where no entry shows by itself.
    pub worst_entry: Option<Vec<usize>>,
    /// The rows (of the first dimension) whose gradient is zero though the loss moves with them, as
    /// ranges from the first to beyond the last.
    pub severed_rows: Vec<std::ops::Range<usize>>,
    /// The elements whose gradient is zero though the loss moves with them.
    pub severed_elements: usize,
    /// Wrong in a model in which something else is severed: what lies before a cut misses a branch.
    pub consequence: bool,
    /// What the backward pass said when it failed, and the like.
    pub notes: Vec<String>,
}

/// f(x+u) - f(x-u) beside autograd's integral of ∇f·u.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Segment {
    /// The change of the loss.
    pub difference: f64,
    /// Autograd's account of it.
    pub integral: f64,
    /// The standard error of what separates the two.
    pub error: f64,
}

impl Segment {
    pub(crate) fn of(evidence: &Evidence) -> Self {
        Self {
            difference: evidence.difference,
            integral: evidence.difference - evidence.apart,
            error: evidence.error,
        }
    }
}

impl ModelReport {
    /// The worst verdict, where a cut comes before what follows from it: severed before wrong.
    pub fn verdict(&self) -> Verdict {
        let all = self.parameters.iter().map(|p| p.verdict);
        all.max_by_key(|v| v.rank()).unwrap_or(Verdict::Pass)
    }

    /// Whether every parameter passed.
    pub fn is_pass(&self) -> bool {
        self.verdict() == Verdict::Pass
    }

    /// For tests: does nothing if the check passed.
    ///
    /// # Panics
    ///
    /// With the whole report if it did not pass.
    #[track_caller]
    #[allow(clippy::panic)] // to panic in a test is what it is for
    pub fn assert_pass(&self) {
        if !self.is_pass() {
            panic!("{self}");
        }
    }

    /// What was found for the parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&ParameterReport> {
        self.parameters.iter().find(|p| p.name == name)
    }

    /// The parameters with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &ParameterReport> {
        self.parameters.iter().filter(move |p| p.verdict == verdict)
    }
}

impl ParameterReport {
    /// Nothing but the verdict.
    pub(crate) fn new(name: &str, shape: &[usize], dtype: DType, verdict: Verdict) -> Self {
        Self {
            name: name.to_string(),
            shape: shape.to_vec(),
            dtype,
            verdict,
            missing: false,
            resolution: None,
            worst: None,
            worst_entry: None,
            severed_rows: Vec::new(),
            severed_elements: 0,
            consequence: false,
            notes: Vec::new(),
        }
    }

    /// What is said of it, the same for parameters that are to be folded into one line.
    fn says(&self) -> String {
        match self.verdict {
            Verdict::Pass if self.resolution.is_none() => {
                "the loss is flat in it here, to rounding, so there is nothing to compare"
                    .to_string()
            }
            Verdict::Pass => "agrees".to_string(),
            Verdict::Severed if self.missing => {
                "no gradient at all, though the loss moves with it".to_string()
            }
            Verdict::Severed if !self.severed_rows.is_empty() => format!(
                "rows {} of {} have a zero gradient, though the loss moves with them",
                rows(&self.severed_rows),
                self.shape[0]
            ),
            Verdict::Severed => "a zero gradient, though the loss moves with it".to_string(),
            Verdict::Wrong if self.consequence => {
                "wrong, and something is severed: what lies before a cut misses a branch. Repair \
                 the cut, then check again"
                    .to_string()
            }
            verdict => verdict.meaning().to_string(),
        }
    }
}

/// A model's parameters cannot be given in f64, nor its point be chosen as an op's can.
const fn advice(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Inconclusive => {
            "another seed of the check, or another batch; f32 where the model computes in f16 or bf16"
        }
        verdict => verdict.advice(),
    }
}

fn rows(ranges: &[std::ops::Range<usize>]) -> String {
    let one = |r: &std::ops::Range<usize>| match r.len() {
        1 => r.start.to_string(),
        _ => format!("{}..{}", r.start, r.end),
    };
    let shown: Vec<String> = ranges.iter().take(4).map(one).collect();
    let more = if ranges.len() > 4 { ", ..." } else { "" };
    shown.join(", ") + more
}

/// Lines of one verdict that a screen has room for.
const LINES: usize = 8;

impl fmt::Display for ModelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: usize = self
            .parameters
            .iter()
            .map(|p| p.shape.iter().product::<usize>())
            .sum();
        let verdict = self.verdict();
        writeln!(
            f,
            "gradcheck of a model: {} ({verdict}); {} parameters, {numbers} numbers, loss {:.6}; \
             {} passes forward and backward, {} forward",
            if verdict == Verdict::Pass {
                "OK"
            } else {
                "NOT OK"
            },
            self.parameters.len(),
            self.loss,
            self.passes,
            self.forwards,
        )?;
        match f.alternate() {
            true => self.parameters.iter().try_for_each(|p| write_one(f, p))?,
            false => self.write_folded(f)?,
        }
        self.write_places(f)?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl ModelReport {
    /// The worst first; what is said of several parameters on one line.
    fn write_folded(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut verdicts: Vec<Verdict> = self.parameters.iter().map(|p| p.verdict).collect();
        verdicts.sort_by_key(|v| std::cmp::Reverse(v.rank()));
        verdicts.dedup();
        for verdict in verdicts {
            let of: Vec<&ParameterReport> = self.with(verdict).collect();
            writeln!(f, "\n{verdict}: {} of {}", of.len(), self.parameters.len())?;
            let mut said: Vec<String> = of.iter().map(|p| p.says()).collect();
            said.sort();
            said.dedup();
            for says in said.iter().take(LINES) {
                let same = of.iter().filter(|p| p.says() == *says).copied();
                write_group(f, says, &same.collect::<Vec<_>>())?;
            }
            if said.len() > LINES {
                writeln!(
                    f,
                    "  and {} more; {{:#}} prints a line each",
                    said.len() - LINES
                )?;
            }
            if verdict != Verdict::Pass && verdict != Verdict::Severed {
                writeln!(f, "  try: {}", advice(verdict))?;
            }
        }
        Ok(())
    }

    /// Where the graph ends, what was not judged.
    fn write_places(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for cut in &self.cuts {
            writeln!(
                f,
                "\nthe graph ends between {:?} and {:?}",
                cut.from, cut.to
            )?;
        }
        if !self.cuts.is_empty() {
            let name = |m: &Mark| match m.tracked {
                true => m.name.clone(),
                false => format!("{} (not tracked)", m.name),
            };
            let names: Vec<String> = self.marks.iter().map(name).collect();
            writeln!(f, "marks, in the order passed: {}", names.join(" -> "))?;
        }
        if !self.suspects.is_empty() {
            writeln!(
                f,
                "\ncandle 0.11.1's functions that could have cut this graph:"
            )?;
            for suspect in &self.suspects {
                let names = suspect.functions.join(", ");
                writeln!(f, "  {names}\n    use {}", suspect.instead)?;
            }
            writeln!(
                f,
                "gradcheck::mark(\"a name\", &x) in the model shows between which two places"
            )?;
        }
        for (title, names) in [("buffers", &self.buffers), ("not read by f", &self.unread)] {
            if !names.is_empty() {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                writeln!(f, "\n{title}, not judged: {}", fold(&names).join(", "))?;
            }
        }
        Ok(())
    }
}

fn write_group(f: &mut fmt::Formatter<'_>, says: &str, of: &[&ParameterReport]) -> fmt::Result {
    let names: Vec<&str> = of.iter().map(|p| p.name.as_str()).collect();
    let folded = fold(&names);
    for pattern in folded.iter().take(LINES) {
        writeln!(f, "  {pattern}")?;
    }
    if folded.len() > LINES {
        writeln!(f, "  and {} more", folded.len() - LINES)?;
    }
    writeln!(f, "    {says}")?;
    let resolved = of.iter().filter_map(|p| p.resolution.map(|r| (r, p)));
    if let Some((r, p)) = resolved.max_by(|a, b| a.0.total_cmp(&b.0))
        && p.verdict == Verdict::Pass
    {
        writeln!(
            f,
            "    a gradient wrong by {} as a whole would have shown (least sharp: {})",
            percent(r),
            p.name
        )?;
    }
    // One that was narrowed down to an entry says most.
    let narrow = of.iter().any(|p| p.worst_entry.is_some());
    let told = of.iter().filter(|p| p.worst_entry.is_some() == narrow);
    let worst = told.filter_map(|p| p.worst.map(|w| (w, p)));
    let off = |w: &Segment| (w.difference - w.integral).abs() / w.error;
    if let Some((w, p)) = worst.max_by(|a, b| off(&a.0).total_cmp(&off(&b.0))) {
        write_segment(f, p, &w)?;
    }
    of.iter()
        .flat_map(|p| &p.notes)
        .take(1)
        .try_for_each(|note| writeln!(f, "    note: {note}"))
}

fn write_segment(f: &mut fmt::Formatter<'_>, p: &ParameterReport, w: &Segment) -> fmt::Result {
    let entry = p.worst_entry.as_ref();
    let name = entry.map_or(p.name.clone(), |at| format!("{}{at:?}", p.name));
    writeln!(
        f,
        "    {name}: moving it changes the loss by {:e}; autograd's gradient makes that {:e} ± {:.1e}",
        w.difference, w.integral, w.error,
    )
}

fn write_one(f: &mut fmt::Formatter<'_>, p: &ParameterReport) -> fmt::Result {
    let sees = match p.resolution {
        Some(r) => format!("; sees {}", percent(r)),
        None => String::new(),
    };
    writeln!(
        f,
        "{:<13} {} {:?}: {}{sees}",
        p.verdict,
        p.name,
        p.shape,
        p.says()
    )?;
    if let Some(worst) = &p.worst {
        write_segment(f, p, worst)?;
    }
    p.notes
        .iter()
        .try_for_each(|note| writeln!(f, "    note: {note}"))
}

/// Two digits of a share.
fn percent(share: f64) -> String {
    match share {
        s if s >= 0.1 => format!("{:.0}%", 100. * s),
        s if s >= 0.001 => format!("{:.1}%", 100. * s),
        s => format!("{:.0e}", s),
    }
}

#[cfg(feature = "serde")]
fn dtype_name<S: serde::Serializer>(dtype: &DType, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(dtype.as_str())
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // one range of rows is meant
mod tests {
    use super::*;

    fn parameter(name: &str, verdict: Verdict) -> ParameterReport {
        ParameterReport::new(name, &[20, 2], DType::F32, verdict)
    }

    fn report(parameters: Vec<ParameterReport>) -> ModelReport {
        ModelReport {
            parameters,
            buffers: vec![],
            unread: vec![],
            marks: vec![],
            cuts: vec![],
            suspects: vec![],
            loss: 2.5,
            passes: 7,
            forwards: 3,
            notes: vec![],
        }
    }

    fn sharp(name: &str, resolution: f64) -> ParameterReport {
        ParameterReport {
            resolution: Some(resolution),
            ..parameter(name, Verdict::Pass)
        }
    }

    /// Off by so much along a segment, of which so much is blur.
    fn wrong(name: &str, apart: f64, error: f64, at: Option<Vec<usize>>) -> ParameterReport {
        ParameterReport {
            worst: Some(Segment {
                difference: 1. + apart,
                integral: 1.,
                error,
            }),
            worst_entry: at,
            ..parameter(name, Verdict::Wrong)
        }
    }

    /// Cut in some rows.
    fn severed(name: &str, rows: &[std::ops::Range<usize>]) -> ParameterReport {
        ParameterReport {
            severed_rows: rows.to_vec(),
            ..parameter(name, Verdict::Severed)
        }
    }

    fn mixed() -> ModelReport {
        let told = ParameterReport {
            notes: vec!["one".into(), "two".into()],
            ..wrong("c", 3., 0.5, Some(vec![1, 0]))
        };
        let behind = ParameterReport {
            consequence: true,
            ..parameter("g", Verdict::Wrong)
        };
        let missing = ParameterReport {
            missing: true,
            ..parameter("h", Verdict::Severed)
        };
        let all = vec![
            sharp("a.weight", 0.0004),
            sharp("b.weight", 0.25),
            parameter("unmoved", Verdict::Pass),
            wrong("d", 8., 0.125, None),
            told,
            wrong("e", -3., 0.125, Some(vec![3, 1])),
            behind,
            missing,
            parameter("i", Verdict::Severed),
            severed("j", &[0..1, 3..5]),
        ];
        ModelReport {
            notes: vec!["the end".into()],
            ..report(all)
        }
    }

    #[test]
    fn a_screen_folds_what_is_said_of_several() {
        assert_eq!(
            format!("{}", mixed()),
            r"gradcheck of a model: NOT OK (severed); 10 parameters, 400 numbers, loss 2.500000; 7 passes forward and backward, 3 forward

severed: 3 of 10
  i
    a zero gradient, though the loss moves with it
  h
    no gradient at all, though the loss moves with it
  j
    rows 0, 3..5 of 20 have a zero gradient, though the loss moves with them

wrong: 4 of 10
  {d,c,e}
    the gradient is not the derivative
    e[3, 1]: moving it changes the loss by -2e0; autograd's gradient makes that 1e0 ± 1.2e-1
    note: one
  g
    wrong, and something is severed: what lies before a cut misses a branch. Repair the cut, then check again
  try: derive the entry above by hand; ratios of -1, 2 or 1/n often name the fault

pass: 3 of 10
  {a,b}.weight
    agrees
    a gradient wrong by 25% as a whole would have shown (least sharp: b.weight)
  unmoved
    the loss is flat in it here, to rounding, so there is nothing to compare
note: the end
"
        );
    }

    #[test]
    fn a_line_each_says_what_each_check_sees() {
        assert_eq!(
            format!("{:#}", mixed()),
            r"gradcheck of a model: NOT OK (severed); 10 parameters, 400 numbers, loss 2.500000; 7 passes forward and backward, 3 forward
pass          a.weight [20, 2]: agrees; sees 4e-4
pass          b.weight [20, 2]: agrees; sees 25%
pass          unmoved [20, 2]: the loss is flat in it here, to rounding, so there is nothing to compare
wrong         d [20, 2]: the gradient is not the derivative
    d: moving it changes the loss by 9e0; autograd's gradient makes that 1e0 ± 1.2e-1
wrong         c [20, 2]: the gradient is not the derivative
    c[1, 0]: moving it changes the loss by 4e0; autograd's gradient makes that 1e0 ± 5.0e-1
    note: one
    note: two
wrong         e [20, 2]: the gradient is not the derivative
    e[3, 1]: moving it changes the loss by -2e0; autograd's gradient makes that 1e0 ± 1.2e-1
wrong         g [20, 2]: wrong, and something is severed: what lies before a cut misses a branch. Repair the cut, then check again
severed       h [20, 2]: no gradient at all, though the loss moves with it
severed       i [20, 2]: a zero gradient, though the loss moves with it
severed       j [20, 2]: rows 0, 3..5 of 20 have a zero gradient, though the loss moves with them
note: the end
"
        );
    }

    #[test]
    fn marks_buffers_and_suspects_follow() {
        let mark = |name: &str, tracked| Mark {
            name: name.into(),
            tracked,
        };
        let shown = ModelReport {
            buffers: vec!["bn.running_mean".into()],
            unread: vec!["spare.0".into(), "spare.1".into()],
            marks: vec![mark("in", true), mark("out", false)],
            cuts: vec![Cut {
                from: "in".into(),
                to: "out".into(),
            }],
            suspects: vec![Suspect {
                functions: &["f", "g"],
                instead: "h",
            }],
            ..report(vec![sharp("w", 0.004)])
        };
        assert_eq!(
            shown.to_string(),
            r#"gradcheck of a model: OK (pass); 1 parameters, 40 numbers, loss 2.500000; 7 passes forward and backward, 3 forward

pass: 1 of 1
  w
    agrees
    a gradient wrong by 0.4% as a whole would have shown (least sharp: w)

the graph ends between "in" and "out"
marks, in the order passed: in -> out (not tracked)

candle 0.11.1's functions that could have cut this graph:
  f, g
    use h
gradcheck::mark("a name", &x) in the model shows between which two places

buffers, not judged: bn.running_mean

not read by f, not judged: spare.{0,1}
"#
        );
    }

    /// Eight lines of a kind, and how many more there are.
    #[test]
    fn a_screen_has_room_for_eight() {
        let rows = |n: usize| (0..n).map(|k| severed(&format!("w{k}"), &[k..k + 1]));
        let names = |n: usize| (0..n).map(|k| sharp(&"w.".repeat(k + 1), 0.004));
        for (few, many) in [
            (report(rows(8).collect()), report(rows(9).collect())),
            (report(names(8).collect()), report(names(10).collect())),
        ] {
            assert!(!few.to_string().contains("more"), "{few}");
            let more = many.parameters.len() - 8;
            let more = format!("  and {more} more");
            assert!(many.to_string().contains(&more), "{many}");
            assert_eq!(
                many.to_string().lines().count(),
                few.to_string().lines().count() + 1
            );
        }
    }

    #[test]
    fn four_ranges_of_rows_are_shown() {
        let ranges: Vec<_> = (0..5).map(|k| 4 * k..4 * k + 2).collect();
        assert_eq!(rows(&ranges[..4]), "0..2, 4..6, 8..10, 12..14");
        assert_eq!(rows(&ranges), "0..2, 4..6, 8..10, 12..14, ...");
        assert_eq!(rows(&[7..8]), "7");
    }

    #[test]
    fn a_share_has_two_digits() {
        let shares = [0.5, 0.1, 0.099, 0.001, 0.00099, 2.];
        let shown = ["50%", "10%", "9.9%", "0.1%", "1e-3", "200%"];
        assert_eq!(shares.map(percent), shown);
    }
}
