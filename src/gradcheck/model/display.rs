//! A report as text: a screen with names folded, or a line a parameter.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::names::fold;
use super::report::{ModelReport, ParameterReport};
use crate::gradcheck::judge::verdict::Verdict;

/// Lines of one verdict that a screen has room for.
const LINES: usize = 8;

/// What to try where nothing is concluded: a model cannot be given in f64, nor its point be chosen as an op's can.
const OTHERWISE: &str =
    "another seed of the check, or another batch; f32 where the model computes in f16 or bf16";

impl fmt::Display for ModelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self
            .parameters
            .iter()
            .map(|p| p.shape.iter().product::<usize>());
        let (count, numbers) = (self.parameters.len(), sizes.sum::<usize>());
        let ok = if self.is_pass() { "OK" } else { "NOT OK" };
        writeln!(
            f,
            "gradcheck of a model: {ok} ({}); {count} parameters, {numbers} numbers, loss {:.6}; \
             {} passes forward and backward, {} forward",
            self.verdict(),
            self.loss,
            self.passes,
            self.forwards,
        )?;
        match f.alternate() {
            true => self.parameters.iter().try_for_each(|p| one(f, p))?,
            false => folded(f, self)?,
        }
        cuts(f, self)?;
        for (title, names) in [("buffers", &self.buffers), ("not read by f", &self.unread)] {
            if !names.is_empty() {
                writeln!(f, "\n{title}, not judged: {}", fold(names).join(", "))?;
            }
        }
        self.notes.iter().try_for_each(|n| writeln!(f, "note: {n}"))
    }
}

/// A line for one parameter, and what shows it.
fn one(f: &mut fmt::Formatter<'_>, p: &ParameterReport) -> fmt::Result {
    write!(f, "{:<13} {} {:?}: {}", p.verdict, p.name, p.shape, says(p))?;
    match p.resolution {
        Some(share) => writeln!(f, "; sees {}", percent(share))?,
        None => writeln!(f)?,
    }
    segment(f, p)?;
    (p.notes.iter()).try_for_each(|note| writeln!(f, "    note: {note}"))
}

/// The worst first; what is said of several parameters on one line.
fn folded(f: &mut fmt::Formatter<'_>, report: &ModelReport) -> fmt::Result {
    let mut verdicts: Vec<Verdict> = report.parameters.iter().map(|p| p.verdict).collect();
    verdicts.sort_by_key(|v| std::cmp::Reverse(v.rank()));
    verdicts.dedup();
    for verdict in verdicts {
        let mut said: BTreeMap<String, Vec<&ParameterReport>> = BTreeMap::new();
        (report.with(verdict)).for_each(|p| said.entry(says(p)).or_default().push(p));
        let (count, all) = (report.with(verdict).count(), report.parameters.len());
        writeln!(f, "\n{verdict}: {count} of {all}")?;
        for (says, of) in said.iter().take(LINES) {
            group(f, says, of)?;
        }
        if let more @ 1.. = said.len().saturating_sub(LINES) {
            writeln!(f, "  and {more} more; {{:#}} prints a line each")?;
        }
        match verdict {
            Verdict::Pass | Verdict::Severed => {}
            Verdict::Inconclusive => writeln!(f, "  try: {OTHERWISE}")?,
            verdict => writeln!(f, "  try: {}", verdict.advice())?,
        }
    }
    Ok(())
}

/// Parameters of which the same is said: the least sharp of those that pass, and the worst of the others.
fn group(f: &mut fmt::Formatter<'_>, says: &str, of: &[&ParameterReport]) -> fmt::Result {
    let names: Vec<&str> = of.iter().map(|p| &p.name[..]).collect();
    let names = fold(&names);
    for name in names.iter().take(LINES) {
        writeln!(f, "  {name}")?;
    }
    if let more @ 1.. = names.len().saturating_sub(LINES) {
        writeln!(f, "  and {more} more")?;
    }
    writeln!(f, "    {says}")?;
    let resolved = of.iter().filter_map(|p| Some((p.resolution?, p)));
    if let Some((share, p)) = resolved.max_by(|a, b| a.0.total_cmp(&b.0)) {
        let (share, name) = (percent(share), &p.name);
        writeln!(
            f,
            "    a gradient wrong by {share} as a whole would have shown (least sharp: {name})"
        )?;
    }
    let off = |p: &ParameterReport| {
        let off = p.worst.map(|w| (w.difference - w.integral).abs() / w.error);
        (p.worst_entry.is_some(), off) // one with an entry says most
    };
    let worst = of.iter().max_by(|a, b| {
        off(a)
            .partial_cmp(&off(b))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    worst.map_or(Ok(()), |p| segment(f, p))?;
    let mut notes = of.iter().flat_map(|p| &p.notes).take(1);
    notes.try_for_each(|note| writeln!(f, "    note: {note}"))
}

/// The segment that contradicts a parameter's gradient.
fn segment(f: &mut fmt::Formatter<'_>, p: &ParameterReport) -> fmt::Result {
    let Some(w) = p.worst else { return Ok(()) };
    let entry = p.worst_entry.iter().map(|at| format!("{at:?}"));
    let name = p.name.clone() + &entry.collect::<String>();
    writeln!(
        f,
        "    {name}: moving it changes the loss by {:e}; autograd's gradient makes that {:e} ± {:.1e}",
        w.difference, w.integral, w.error,
    )
}

/// Where the graph ends, or what could have cut it.
fn cuts(f: &mut fmt::Formatter<'_>, report: &ModelReport) -> fmt::Result {
    for cut in &report.cuts {
        let (from, to) = (&cut.from, &cut.to);
        writeln!(f, "\nthe graph ends between {from:?} and {to:?}")?;
    }
    if !report.cuts.is_empty() {
        let tracked = |tracked| if tracked { "" } else { " (not tracked)" };
        let names = report.marks.iter();
        let names = names.map(|m| m.name.clone() + tracked(m.tracked));
        let names: Vec<String> = names.collect();
        writeln!(f, "marks, in the order passed: {}", names.join(" -> "))?;
    }
    if !report.suspects.is_empty() {
        writeln!(
            f,
            "\ncandle 0.11.1's functions that could have cut this graph:"
        )?;
        for suspect in &report.suspects {
            let names = suspect.functions.join(", ");
            writeln!(f, "  {names}\n    use {}", suspect.instead)?;
        }
        let mark = "gradcheck::mark(\"a name\", &x) in the model shows between which two places";
        writeln!(f, "{mark}")?;
    }
    Ok(())
}

/// What is said of a parameter, the same for those that are to be folded into one line.
fn says(p: &ParameterReport) -> String {
    let says = match p.verdict {
        Verdict::Pass if p.resolution.is_none() => {
            "the loss is flat in it here, to rounding, so there is nothing to compare"
        }
        Verdict::Pass => "agrees",
        Verdict::Severed if p.missing => "no gradient at all, though the loss moves with it",
        Verdict::Severed if !p.severed_rows.is_empty() => {
            let (rows, all) = (rows(&p.severed_rows), p.shape[0]);
            return format!(
                "rows {rows} of {all} have a zero gradient, though the loss moves with them"
            );
        }
        Verdict::Severed => "a zero gradient, though the loss moves with it",
        Verdict::Wrong if p.consequence => {
            "wrong, and something is severed: what lies before a cut misses a branch. Repair \
             the cut, then check again"
        }
        verdict => verdict.meaning(),
    };
    says.to_string()
}

/// The first four ranges.
fn rows(ranges: &[Range<usize>]) -> String {
    let one = |r: &Range<usize>| match r.len() {
        1 => r.start.to_string(),
        _ => format!("{r:?}"),
    };
    let more = (ranges.len() > 4).then(|| "...".to_string());
    let shown: Vec<String> = ranges.iter().take(4).map(one).chain(more).collect();
    shown.join(", ")
}

/// Two digits of a share.
fn percent(share: f64) -> String {
    match 100. * share {
        p if p >= 10. => format!("{p:.0}%"),
        p if p >= 0.1 => format!("{p:.1}%"),
        _ => format!("{share:.0e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::marks::{Cut, Mark};
    use super::super::report::Segment;
    use super::super::suspects::Suspect;
    use super::*;
    use candle_core::DType;

    fn parameter(name: &str, verdict: Verdict) -> ParameterReport {
        ParameterReport::new(name, &[20, 2], DType::F32, verdict)
    }

    /// Parameters of each kind.
    fn parameters() -> Vec<ParameterReport> {
        let of = |names: [&str; 3], verdict| names.map(|name| parameter(name, verdict));
        let [mut a, mut b, flat] = of(["a.weight", "b.weight", "flat"], Verdict::Pass);
        (a.resolution, b.resolution) = (Some(0.0004), Some(0.25));
        let [mut c, mut d, mut e] = of(["c", "d", "e"], Verdict::Wrong);
        let segment = |difference, error| Segment {
            difference,
            integral: 1.,
            error,
        };
        (c.worst, d.worst) = (Some(segment(9., 0.125)), Some(segment(-2., 0.125)));
        (d.worst_entry, e.consequence) = (Some(vec![3, 1]), true);
        d.notes = vec!["one".into(), "two".into()];
        let [mut h, i, mut j] = of(["h", "i", "j"], Verdict::Severed);
        (h.missing, j.severed_rows) = (true, [0..1, 3..5].into());
        vec![a, b, flat, c, d, e, h, i, j]
    }

    fn report(parameters: Vec<ParameterReport>) -> ModelReport {
        let [from, to] = ["in", "out"].map(String::from);
        let mark = |(name, tracked)| Mark { name, tracked };
        let marks = [(from.clone(), true), (to.clone(), false)].map(mark);
        let (functions, instead) = (&["f", "g"][..], "h");
        ModelReport {
            parameters,
            buffers: vec!["bn.running_mean".into()],
            unread: vec!["spare.0".into(), "spare.1".into()],
            marks: marks.into(),
            cuts: vec![Cut { from, to }],
            suspects: vec![Suspect { functions, instead }],
            loss: 2.5,
            passes: 7,
            forwards: 3,
            notes: vec!["the end".into()],
        }
    }

    #[test]
    fn a_screen_folds_what_is_said_of_several() {
        assert_eq!(
            report(parameters()).to_string(),
            r#"gradcheck of a model: NOT OK (severed); 9 parameters, 360 numbers, loss 2.500000; 7 passes forward and backward, 3 forward

severed: 3 of 9
  i
    a zero gradient, though the loss moves with it
  h
    no gradient at all, though the loss moves with it
  j
    rows 0, 3..5 of 20 have a zero gradient, though the loss moves with them

wrong: 3 of 9
  {c,d}
    the gradient is not the derivative
    d[3, 1]: moving it changes the loss by -2e0; autograd's gradient makes that 1e0 ± 1.2e-1
    note: one
  e
    wrong, and something is severed: what lies before a cut misses a branch. Repair the cut, then check again
  try: derive the entry above by hand; ratios of -1, 2 or 1/n often name the fault

pass: 3 of 9
  {a,b}.weight
    agrees
    a gradient wrong by 25% as a whole would have shown (least sharp: b.weight)
  flat
    the loss is flat in it here, to rounding, so there is nothing to compare

the graph ends between "in" and "out"
marks, in the order passed: in -> out (not tracked)

candle 0.11.1's functions that could have cut this graph:
  f, g
    use h
gradcheck::mark("a name", &x) in the model shows between which two places

buffers, not judged: bn.running_mean

not read by f, not judged: spare.{0,1}
note: the end
"#
        );
    }

    #[test]
    fn a_line_each_says_what_each_check_sees() {
        let shown = format!("{:#}", report(parameters()));
        let lines = "3 forward
pass          a.weight [20, 2]: agrees; sees 4e-4
pass          b.weight [20, 2]: agrees; sees 25%\n";
        assert!(shown.contains(lines), "{shown}");
        let lines = "
wrong         d [20, 2]: the gradient is not the derivative
    d[3, 1]: moving it changes the loss by -2e0; autograd's gradient makes that 1e0 ± 1.2e-1
    note: one
    note: two\n";
        assert!(shown.contains(lines), "{shown}");
    }

    #[test]
    fn eight_lines_of_a_kind_four_ranges_and_two_digits() {
        let name = |n: usize| parameter(&"w.".repeat(n), Verdict::Pass);
        let shown = |n: usize| report((1..=n).map(name).collect()).to_string();
        assert!(!shown(8).contains("more") && shown(9).contains("\n  and 1 more\n"));
        let ranges = [0..2, 4..6, 8..9, 12..14, 16..18];
        assert_eq!(rows(&ranges), "0..2, 4..6, 8, 12..14, ...");
        let shown = ["50%", "10%", "9.9%", "0.1%", "1e-3", "200%"];
        assert_eq!([0.5, 0.1, 0.099, 0.001, 0.00099, 2.].map(percent), shown);
    }
}
