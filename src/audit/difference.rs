//! What differs from the record, by what there is to do about it: entries that are repaired, functions
//! that are newly wrong with what is built on them, and what this candle does not have.

use std::collections::BTreeMap;

use super::calls::built_on;
use super::known::Known;
use super::report::{AUDITED, Audit, CANDLE, Judged};
use super::shown::shown;
use super::verdict::Verdict;

/// An entry whose defect, or a part of it, is no longer there.
pub struct Repaired<'a> {
    /// The entry.
    pub known: &'a Known,
    /// Checks that it covers and that pass now.
    pub pass: usize,
    /// Checks that it covers and that decide nothing now.
    pub undecided: usize,
    /// Checks that it covers.
    pub checks: usize,
}

/// A function with a defect that the record does not have.
pub struct New<'a> {
    /// The function.
    pub path: &'static str,
    /// The checks that show it.
    pub rows: Vec<&'a Judged<'a>>,
    /// All checks of the function.
    pub checks: usize,
    /// New defects of functions that call this one, and in how many checks.
    pub with_it: Vec<(&'static str, usize)>,
}

/// The whole difference.
pub struct Difference<'a> {
    /// In the order of the record.
    pub repaired: Vec<Repaired<'a>>,
    /// In the order of the catalogue; none is built on another.
    pub new: Vec<New<'a>>,
    /// Functions that this candle lacks, and how many checks of them were left out.
    pub missing: Vec<(&'static str, usize)>,
}

/// Sorts the rows of a run.
pub fn difference<'a>(audit: &'a Audit<'a>) -> Difference<'a> {
    let new = by_function(audit.rows.iter().filter(|j| j.is_new()));
    let missing = by_function(audit.rows.iter().filter(|j| j.row.is_missing()));
    let record = audit.record.iter();
    Difference {
        repaired: record.filter_map(|k| repaired(audit, k)).collect(),
        new: causes(audit, new),
        missing: missing.into_iter().map(|(p, r)| (p, r.len())).collect(),
    }
}

/// The rows of each function, in the order in which the functions come.
fn by_function<'a>(rows: impl Iterator<Item = &'a Judged<'a>>) -> Rows<'a> {
    let mut of: Rows = vec![];
    for judged in rows {
        match of.iter_mut().find(|(path, _)| *path == judged.row.path) {
            Some((_, rows)) => rows.push(judged),
            None => of.push((judged.row.path, vec![judged])),
        }
    }
    of
}

fn repaired<'a>(audit: &'a Audit, known: &'a Known) -> Option<Repaired<'a>> {
    let covered = |j: &&Judged| j.entry.is_some_and(|e| e.id == known.id);
    let rows: Vec<_> = audit.rows.iter().filter(covered).collect();
    let count = |verdict| rows.iter().filter(|j| j.row.verdict == verdict).count();
    let gone = audit.gone.iter().any(|k| k.id == known.id);
    let (better, worse) = (
        rows.iter().any(|j| j.is_repaired()),
        rows.iter().any(|j| j.is_new()),
    );
    (better || gone && !worse).then(|| Repaired {
        known,
        pass: count(Verdict::Pass),
        undecided: count(Verdict::Inconclusive),
        checks: rows.len(),
    })
}

type Rows<'a> = Vec<(&'static str, Vec<&'a Judged<'a>>)>;

/// A function that is built on no other of these, with those that are built on it: each is named once.
fn causes<'a>(audit: &'a Audit, of: Rows<'a>) -> Vec<New<'a>> {
    let paths: Vec<_> = of.iter().map(|(path, _)| *path).collect();
    let cause: BTreeMap<_, _> = paths.iter().map(|p| (*p, cause_of(p, &paths))).collect();
    let checks = |path| audit.rows.iter().filter(|j| j.row.path == path).count();
    let with = |path| {
        let others = of.iter().filter(|(p, _)| *p != path && cause[p] == path);
        others.map(|(p, rows)| (*p, rows.len())).collect()
    };
    let lowest = of.iter().filter(|(path, _)| cause[path] == *path);
    let new = |(path, rows): &(&'static str, Vec<&'a Judged<'a>>)| New {
        path,
        rows: rows.clone(),
        checks: checks(*path),
        with_it: with(*path),
    };
    lowest.map(new).collect()
}

/// The first of these functions that a path is built on and that is built on no other; the path
/// itself where there is none. Of a circle the first is taken for the lowest.
fn cause_of(path: &'static str, paths: &[&'static str]) -> &'static str {
    let below = |path: &str| -> Vec<&'static str> {
        let on = built_on(path);
        paths.iter().filter(|p| on.contains(*p)).copied().collect()
    };
    let is_lowest = |path: &&'static str| {
        let circle = |p: &&str| p == path || below(p).contains(path);
        below(path).iter().all(circle)
    };
    let (at, under) = (|p: &str| paths.iter().position(|q| *q == p), below(path));
    let lowest = under.into_iter().chain([path]).filter(is_lowest);
    lowest.min_by_key(|p| at(p)).unwrap_or(path)
}

impl Repaired<'_> {
    /// In a line.
    pub fn line(&self) -> String {
        let (pass, undecided, checks) = (self.pass, self.undecided, self.checks);
        let how = match (pass, undecided) {
            _ if checks == 0 => "no check that it covers is left".to_owned(),
            (0, 0) => "an alternative of its rows covers no check".to_owned(),
            (n, 0) if n == checks => format!("all of its {checks} checks pass"),
            (n, 0) => format!("{n} of its {checks} checks pass"),
            (n, m) => format!("{n} of its {checks} checks pass, {m} are undecided"),
        };
        let gone = match checks {
            0 if AUDITED != CANDLE => "not compared",
            n if n == pass => "gone",
            _ => "gone in part",
        };
        format!("{gone}: {}, {}: {how}", self.known.id, self.known.what)
    }
}

impl New<'_> {
    /// The paragraph: what and how often, the check that shows it best, what is off with it.
    pub fn lines(&self) -> Vec<String> {
        let (path, bad, all) = (self.path, self.rows.len(), self.checks);
        let verdicts = listed(self.rows.iter().map(|j| j.row.verdict.name()));
        let types = listed(self.rows.iter().map(|j| j.row.dtype));
        let mut lines = vec![format!(
            "new: {path}: {verdicts} in {bad} of {all} checks ({types})"
        )];
        let before = self
            .rows
            .iter()
            .filter_map(|j| Some((j.entry?, j.expected)));
        let before = before.map(|(k, verdict)| format!("{verdict} ({})", k.id));
        let before = listed(before);
        if !before.is_empty() {
            lines.push(format!("    recorded {before}"));
        }
        if let Some(judged) = self.clearest() {
            lines.push(format!("    shown    {}", shown(judged)));
        }
        let with_it = self.with_it.iter().map(|(p, n)| format!("{p} ({n})"));
        let with_it: Vec<_> = with_it.collect();
        if !with_it.is_empty() {
            let with_it = with_it.join(", ");
            lines.push(format!("    with it  what is built on it: {with_it}"));
        }
        lines
    }

    /// Numbers on both sides, and a plain check.
    fn clearest(&self) -> Option<&Judged<'_>> {
        let numbers = |j: &&&Judged| j.row.autograd.is_some() && j.row.numeric.is_some();
        let plain = |j: &&&Judged| numbers(j) && j.row.probe == "plain";
        let mut rows = self.rows.iter();
        let first = rows.clone().find(plain).or(rows.clone().find(numbers));
        first.or_else(|| rows.next()).copied()
    }
}

/// Each once.
fn listed<T: AsRef<str>>(words: impl Iterator<Item = T>) -> String {
    let mut each: Vec<String> = vec![];
    for word in words {
        if !each.iter().any(|w| w == word.as_ref()) {
            each.push(word.as_ref().to_owned());
        }
    }
    each.join(", ")
}
