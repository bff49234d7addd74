//! The whole audit as data: rows judged by the record, and what is out of date in it.

use candle_core::{DType, Device};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::collections::HashSet;

use super::case::{Case, Twin, is_called};
use super::known::{Float, Known, Pattern, Severity, Standing, standing};
use super::range::{self, line::Line};
use super::run::{Row, check, in_parallel, run};
use super::verdict::Verdict;

/// The versions this record was made with.
pub const CANDLE: &str = "0.11.1";

/// The candle in this program: another, where scripts/audit_candle.py has put one in.
pub const AUDITED: &str = match option_env!("CANDLE_AUDITED") {
    Some(other) => other,
    None => CANDLE,
};

/// What to run.
#[derive(Clone, Default)]
pub struct Selection {
    /// Functions by their last segment or full path; all where empty.
    pub names: Vec<String>,
    /// One type; all where `None`.
    pub dtype: Option<DType>,
}

impl Selection {
    /// Whether a case belongs to it.
    pub fn takes(&self, case: &Case) -> bool {
        self.names.is_empty() || self.names.iter().any(|n| is_called(case.path, n))
    }
}

/// A row and how it stands to the record.
pub struct Judged<'a> {
    /// The row.
    pub row: Row,
    /// Its entry in the record.
    pub entry: Option<&'a Known>,
    /// Whether it is as the record says.
    pub known: bool,
    /// The verdict the record has for it.
    pub expected: Verdict,
    /// For defects and conventions.
    pub severity: Option<Severity>,
}

impl Judged<'_> {
    /// A defect that the record does not have, or has otherwise.
    pub fn is_new(&self) -> bool {
        !self.known && !self.row.verdict.is_clean()
    }

    /// No defect, where the record has one.
    pub fn is_repaired(&self) -> bool {
        !self.known && self.row.verdict.is_clean()
    }
}

/// The outcome of a run.
pub struct Audit<'a> {
    /// Where it ran.
    pub device: String,
    /// What it was compared with.
    pub record: &'a [Known],
    /// The rows in the order of the catalogue.
    pub rows: Vec<Judged<'a>>,
    /// Entries of the record with a pattern that no row bears out any more.
    pub gone: Vec<&'a Known>,
    /// Entries whose `instead` does not do what it promises.
    pub broken: Vec<(&'a Known, String)>,
}

/// Runs a selection of the cases and judges the rows by a record.
pub fn audit<'a>(
    cases: &[Case],
    record: &'a [Known],
    selection: &Selection,
    device: &Device,
    tick: impl Fn() + Sync,
) -> Audit<'a> {
    let cases: Vec<Case> = cases
        .iter()
        .filter(|c| selection.takes(c))
        .cloned()
        .collect();
    let mut rows = run(&cases, device, selection.dtype, tick);
    let swept = range::sweep(&range::lines(&cases), device, selection.dtype);
    rows.extend(swept.into_iter().map(|(_, finding)| finding.row));
    let rows = excused(rows, record).into_iter();
    let rows: Vec<Judged> = rows.map(|row| judge(row, record)).collect();
    let gone = record
        .iter()
        .filter(|k| is_gone(k, &rows, &cases, selection))
        .collect();
    let whole = |k: &Known| {
        let at_points = promise(k, &cases, selection, device);
        at_points.or_else(|| promise_in_range(k, &cases, &rows, device))
    };
    let broken = in_parallel(record, device, whole);
    let broken = record
        .iter()
        .zip(broken)
        .filter_map(|(k, why)| Some((k, why?)))
        .collect();
    Audit {
        device: crate::device::name(device),
        record,
        rows,
        gone,
        broken,
    }
}

/// The rows, of which those that accuse of no more than subnormals that the processor does not keep, and
/// are not on record, pass; without them where the same part of the sweep has a row of another kind, so
/// that there are as many checks on every processor.
pub fn excused(rows: Vec<Row>, record: &[Known]) -> Vec<Row> {
    let is_excused = |row: &Row| row.flushed && matches!(standing(row, record), Standing::New);
    let part = |row: &Row| (row.path, row.case.clone(), row.input, row.dtype);
    let others = rows.iter().filter(|row| !is_excused(row)).map(part);
    let others: HashSet<_> = others.collect();
    let kept = |row: Row| match is_excused(&row) {
        true if others.contains(&part(&row)) => None,
        true => Some(row.excuse()),
        false => Some(row),
    };
    rows.into_iter().filter_map(kept).collect()
}

fn judge<'a>(mut row: Row, record: &'a [Known]) -> Judged<'a> {
    let (entry, known, expected) = match standing(&row, record) {
        _ if row.is_missing() => (None, true, row.verdict),
        Standing::Known(k, pattern) => {
            if let Some(why) = &pattern.varies {
                row.hide(why);
            }
            (Some(k), true, row.verdict)
        }
        Standing::Clean => (None, true, Verdict::Pass),
        Standing::New => (None, false, Verdict::Pass),
        Standing::Changed(k, expected) => (Some(k), false, expected),
    };
    let severity = match entry.filter(|_| known) {
        Some(k) => Some(k.severity),
        None if row.is_missing() => None,
        None => severity_of(row.verdict),
    };
    Judged {
        row,
        entry,
        known,
        expected,
        severity,
    }
}

/// What a verdict without an entry does to a training run.
fn severity_of(verdict: Verdict) -> Option<Severity> {
    match verdict {
        Verdict::Pass | Verdict::Inconclusive => None,
        Verdict::Severed => Some(Severity::SilentStop),
        Verdict::Unsupported | Verdict::Panicked | Verdict::Error => Some(Severity::Loud),
        Verdict::Imprecise => Some(Severity::Precision),
        Verdict::Kink => Some(Severity::Convention),
        Verdict::Wrong | Verdict::NonFinite | Verdict::Forward | Verdict::Nondeterministic => {
            Some(Severity::SilentWrong)
        }
    }
}

/// Each alternative of each pattern must be borne out by a row, where the selection has the function and the type.
fn is_gone(known: &Known, rows: &[Judged], cases: &[Case], selection: &Selection) -> bool {
    let ran = |path: &str| selection.names.is_empty() || cases.iter().any(|c| c.path == path);
    selection.dtype.is_none()
        && known.rows.iter().flat_map(Pattern::apart).any(|p| {
            let concerned = selection.names.is_empty()
                || cases.iter().any(|c| p.concerns(c.path) && ran(c.path));
            concerned
                && !rows
                    .iter()
                    .any(|j| p.covers(&j.row) && (j.row.verdict == p.verdict || j.row.is_missing()))
        })
}

/// Runs an entry's `instead`; says what is wrong with it.
fn promise(
    known: &Known,
    cases: &[Case],
    selection: &Selection,
    device: &Device,
) -> Option<String> {
    let instead = known.instead.as_ref()?;
    let Some(case) = cases.iter().find(|c| instead.is_of(c)) else {
        let whole = selection.names.is_empty();
        return whole.then(|| format!("there is no such case of {}", instead.function));
    };
    let dtype = instead
        .dtype
        .map(Float::dtype)
        .or(case.dtypes.first().copied())?;
    let measure = match case.twins.first() {
        Some(twin) => twin.call.clone(),
        None => case.call.clone(),
    };
    let mut other = case.clone();
    other.call = std::sync::Arc::new(instead.call.call);
    other.twins = if instead.rough {
        vec![]
    } else {
        vec![Twin {
            name: "the case",
            call: measure,
        }]
    };
    other.probes = true;
    other.smooth = None;
    other.dtypes.retain(|&d| d == DType::F64 || d == dtype);
    let rows = check(&other, device, Some(dtype));
    let good = |r: &Row| r.verdict.is_clean() || r.verdict == Verdict::Kink || r.is_missing();
    let bad = rows.iter().find(|r| !good(r));
    bad.map(|r| format!("{} for {}, {}", r.verdict, r.input, r.probe))
}

/// Takes an entry's `instead` through the range, where the entry is of the range: in the type that
/// `instead` names it must not show what the entry says of the function; a tail must be kept at
/// least twice as far.
fn promise_in_range(
    known: &Known,
    cases: &[Case],
    rows: &[Judged],
    device: &Device,
) -> Option<String> {
    let instead = known.instead.as_ref().filter(|_| known.is_of_range())?;
    let repaired: Vec<Case> = cases
        .iter()
        .filter(|c| c.path == instead.function)
        .map(|c| c.clone().run(instead.call.call))
        .collect();
    let lines = range::lines(&repaired);
    let own = |l: &&Line| instead.is_of(l.case);
    let any_own = lines.iter().any(|l| own(&l));
    let found = lines
        .iter()
        .filter(|l| !any_own || own(l))
        .flat_map(|line| {
            let narrowest = || range::dtypes(line).first().copied();
            let dtype = instead.dtype.map(Float::dtype).or_else(narrowest);
            let taken = dtype.map(|d| range::findings::findings(line, d, device));
            taken.unwrap_or_default()
        });
    let as_before = |row: &Row| {
        let same = |r: &Row| r.probe == row.probe && r.case == row.case && r.input == row.input;
        let before = rows.iter().map(|j| &j.row);
        let mut before = before.filter(|r| r.path == row.path && r.dtype == row.dtype);
        let covered = known
            .rows
            .iter()
            .any(|p| p.covers(row) && p.verdict == row.verdict);
        let before = before.find(|r| same(r));
        covered && (row.verdict != Verdict::Imprecise || before.is_none_or(|b| reaches(row, b)))
    };
    let bad = found.map(|f| f.row).find(as_before);
    bad.map(|r| format!("{} for {} in {}, {}", r.verdict, r.input, r.dtype, r.case))
}

/// Whether a stretch comes within twice of that end of another that is nearer to 1.
fn reaches(row: &Row, other: &Row) -> bool {
    let (Some(from), Some(to), Some(first), Some(last)) = (row.from, row.to, other.from, other.to)
    else {
        return false;
    };
    let far = |x: f64| x.log2().abs();
    let end = if far(first) <= far(last) { first } else { last };
    from <= 2. * end && 2. * to >= end
}

impl Audit<'_> {
    /// Every verdict as recorded, nothing gone, every promise kept.
    pub fn as_recorded(&self) -> bool {
        self.rows.iter().all(|j| j.known) && self.gone.is_empty() && self.broken.is_empty()
    }

    /// Rows that differ from the record.
    pub fn news(&self) -> impl Iterator<Item = &Judged<'_>> {
        self.rows.iter().filter(|j| !j.known)
    }

    /// The counts.
    pub fn summary(&self) -> Summary {
        let count = |f: &dyn Fn(&Judged) -> bool| self.rows.iter().filter(|j| f(j)).count();
        let mut functions: Vec<_> = self.rows.iter().map(|j| j.row.path).collect();
        functions.sort_unstable();
        functions.dedup();
        let defective = |path: &&str| {
            let bad = |s: Option<Severity>| s.is_some_and(|s| s != Severity::Convention);
            self.rows
                .iter()
                .any(|j| j.row.path == *path && bad(j.severity))
        };
        Summary {
            functions: functions.len(),
            functions_with_a_defect: functions.iter().filter(|p| defective(p)).count(),
            checks: self.rows.len(),
            pass: count(&|j| j.row.verdict == Verdict::Pass),
            inconclusive: count(&|j| j.row.verdict == Verdict::Inconclusive),
            defects: Severity::ALL.map(|s| self.entries(s).len()),
            new: count(&|j| j.is_new()),
            repaired: count(&|j| j.is_repaired()),
            gone: self.gone.len(),
        }
    }

    /// The entries of a severity that this run bears out, in the order of the record.
    pub fn entries(&self, severity: Severity) -> Vec<&Known> {
        let shows = |k: &&Known| self.rows_of(k).next().is_some();
        self.record
            .iter()
            .filter(|k| k.severity == severity)
            .filter(shows)
            .collect()
    }

    /// The rows of an entry, as recorded.
    pub fn rows_of<'s>(&'s self, known: &'s Known) -> impl Iterator<Item = &'s Judged<'s>> {
        let same = |j: &&Judged| j.known && j.entry.is_some_and(|e| e.id == known.id);
        self.rows.iter().filter(same)
    }
}

/// Counts of a run.
pub struct Summary {
    /// Functions that were run.
    pub functions: usize,
    /// Of these, with at least one defect.
    pub functions_with_a_defect: usize,
    /// Rows: a case, an input, a type and a probe each.
    pub checks: usize,
    /// Rows that pass.
    pub pass: usize,
    /// Rows that could not be decided.
    pub inconclusive: usize,
    /// Entries of each severity, in the order of [`Severity::ALL`].
    pub defects: [usize; 5],
    /// Rows with a defect that the record does not have.
    pub new: usize,
    /// Rows without the defect that the record has.
    pub repaired: usize,
    /// Entries that are no longer borne out.
    pub gone: usize,
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("functions", &self.functions)?;
        map.serialize_entry("functions_with_a_defect", &self.functions_with_a_defect)?;
        map.serialize_entry("checks", &self.checks)?;
        map.serialize_entry("pass", &self.pass)?;
        map.serialize_entry("inconclusive", &self.inconclusive)?;
        for (severity, n) in Severity::ALL.iter().zip(self.defects) {
            map.serialize_entry(severity.name(), &n)?;
        }
        map.serialize_entry("new", &self.new)?;
        map.serialize_entry("repaired", &self.repaired)?;
        map.serialize_entry("gone", &self.gone)?;
        map.end()
    }
}

#[derive(Serialize)]
struct JsonCase<'a> {
    #[serde(flatten)]
    row: &'a Row,
    known: bool,
    severity: Option<Severity>,
    id: Option<&'a str>,
    upstream: Option<&'a str>,
    instead: Option<&'a str>,
}

impl Serialize for Audit<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let cases: Vec<_> = self.rows.iter().map(|j| self.json_case(j)).collect();
        let gone: Vec<_> = self.gone.iter().map(|k| &k.id).collect();
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("schema", &1)?;
        map.serialize_entry("candle_core", AUDITED)?;
        map.serialize_entry("candle_nn", AUDITED)?;
        map.serialize_entry("device", &self.device)?;
        map.serialize_entry("summary", &self.summary())?;
        map.serialize_entry("gone", &gone)?;
        map.serialize_entry("cases", &cases)?;
        map.end()
    }
}

impl<'a> Audit<'a> {
    fn json_case<'s>(&'s self, j: &'s Judged<'a>) -> JsonCase<'s> {
        let entry = j.entry.filter(|_| j.known);
        let kept = |k: &&Known| !self.broken.iter().any(|(b, _)| b.id == k.id);
        JsonCase {
            row: &j.row,
            known: j.known,
            severity: j.severity,
            id: entry.map(|k| k.id.as_str()),
            upstream: entry.and_then(|k| k.upstream.as_deref()),
            instead: entry
                .filter(kept)
                .and_then(|k| k.instead.as_ref())
                .map(|i| i.text.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{catalog, known::record};

    /// recip in bf16 over the whole range: its values are right, its gradient is on record.
    fn rows() -> Vec<Row> {
        let cases = catalog::all();
        let recip: Vec<Case> = cases.into_iter().filter(|c| c.op() == "recip").collect();
        let lines = range::lines(&recip);
        let found = range::sweep(&lines, &Device::Cpu, Some(DType::BF16));
        found.into_iter().map(|(_, finding)| finding.row).collect()
    }

    #[test]
    fn what_the_processor_does_passes_and_what_is_on_record_stays() -> anyhow::Result<()> {
        let record = record()?;
        let all = rows();
        let (on_record, mut new): (Vec<Row>, Vec<Row>) = all
            .into_iter()
            .partition(|row| row.verdict == Verdict::Wrong);
        new.retain(|row| row.case.contains("its value"));
        let accuse = |row: &mut Row| (row.verdict, row.flushed) = (Verdict::Forward, true);
        new.iter_mut().for_each(accuse);
        let kinds = on_record.iter().cloned().map(|row| Row {
            verdict: Verdict::Imprecise,
            probe: "range, tail".into(),
            flushed: true,
            ..row
        });
        let twice: Vec<Row> = on_record.iter().cloned().chain(kinds).collect();
        assert!(on_record.len() >= 4 && new.len() >= 2);
        let left = excused([twice, new.clone()].concat(), record);
        assert_eq!(left.len(), on_record.len() + new.len());
        for (row, was) in left.iter().zip(on_record.iter().chain(&new)) {
            let expected = match was.flushed && was.verdict == Verdict::Forward {
                true => Verdict::Pass,
                false => was.verdict,
            };
            assert_eq!((row.verdict, &row.case), (expected, &was.case));
        }
        // A defect on any processor is none of this one's.
        new.iter_mut().for_each(|row| row.flushed = false);
        let left = excused(new, record);
        assert!(left.iter().all(|row| row.verdict == Verdict::Forward));
        Ok(())
    }
}
