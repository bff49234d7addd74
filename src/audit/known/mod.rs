//! The record: what is known to be wrong in the locked versions, and the strict comparison with it.
//!
//! The entries are data, in `record/*.toml`; what is to be written instead is code, in `repairs`, and
//! an entry names it. A row that patterns cover must have the verdict of one of them; a row that
//! none covers must not be a defect; an alternative of a pattern that covers no row is out of date. So
//! a repair in candle turns the audit red as surely as a new defect does.

mod cost;
mod instead;
mod issue;
mod pattern;
mod range_repairs;
mod record;
mod repairs;
mod repro;

pub use cost::Cost;
pub use instead::Instead;
pub use issue::issue;
pub use pattern::{Float, Pattern, Place, Several, Value};
pub use record::{parse, record};
pub use repairs::REPAIRS;
pub use repro::{Repro, program};

use std::collections::BTreeMap;

use serde::Deserialize;

use super::case::is_called;
use super::run::Row;
use super::verdict::Verdict;

/// One defect: a cause, the rows it shows in, and what to do meanwhile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// A short name.
    pub id: String,
    /// What it does to a training run.
    pub severity: Severity,
    /// What happens, in a sentence.
    pub what: String,
    /// When it happens.
    pub when: String,
    /// The magnitude from which on it happens, by type.
    #[serde(default)]
    pub from: BTreeMap<Float, f64>,
    /// The magnitude below which it happens, by type.
    #[serde(default)]
    pub below: BTreeMap<Float, f64>,
    /// What PyTorch does in the same place, where that is not simply the right derivative.
    pub pytorch: Option<String>,
    /// The upstream issue or pull request; `None`: none was found.
    pub upstream: Option<String>,
    /// The line responsible.
    pub cause: Cause,
    /// The rows it shows in.
    pub rows: Vec<Pattern>,
    /// Another way that works, run by the audit itself.
    pub instead: Option<Instead>,
    /// What that costs.
    #[serde(skip)]
    pub cost: Option<Cost>,
    /// A program that shows it; `None`: there is nothing to show that PyTorch does otherwise.
    pub repro: Option<Repro>,
}

impl Known {
    /// The paths of the functions that it shows in, each once.
    pub fn functions(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = vec![];
        for path in self.rows.iter().flat_map(|p| p.function.all()) {
            if !paths.contains(&path.as_str()) {
                paths.push(path);
            }
        }
        paths
    }

    /// Whether it shows in the sweep of the whole range.
    pub fn is_of_range(&self) -> bool {
        let probes = self.rows.iter().filter_map(|p| p.probe.as_ref());
        probes.flat_map(|p| p.all()).any(|p| p.starts_with("range"))
    }

    /// The functions' paths of some names: an entry's id stands for its functions.
    pub fn expand(record: &[Self], names: &[String]) -> Vec<String> {
        let functions = |name: &String| match record.iter().find(|k| k.id == *name) {
            Some(known) => known.functions().into_iter().map(String::from).collect(),
            None => vec![name.clone()],
        };
        names.iter().flat_map(functions).collect()
    }

    /// The entries that a name stands for: its own by its id, or those of a function.
    pub fn named<'a>(record: &'a [Self], name: &str) -> Vec<&'a Self> {
        if let Some(known) = record.iter().find(|k| k.id == name) {
            return vec![known];
        }
        let of = |k: &&Self| k.functions().iter().any(|path| is_called(path, name));
        record.iter().filter(of).collect()
    }

    /// "from 258 (bf16), 2050 (f16); below 0.1 (f16)"; empty where the record names no magnitude.
    pub fn bounds(&self) -> String {
        let bound = |word: &str, bounds: &BTreeMap<Float, f64>| {
            let of = |(float, x): (&Float, &f64)| {
                let far = !(1e-3..1e9).contains(x);
                let number = if far { format!("{x:e}") } else { x.to_string() };
                format!("{number} ({})", float.dtype().as_str())
            };
            let all: Vec<_> = bounds.iter().map(of).collect();
            (!all.is_empty()).then(|| format!("{word} {}", all.join(", ")))
        };
        let both = [bound("from", &self.from), bound("below", &self.below)];
        both.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// What a defect does to a training run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It goes on, with wrong numbers.
    SilentWrong,
    /// It goes on, and what lies behind does not learn.
    SilentStop,
    /// An error or a panic.
    Loud,
    /// The numbers are right to fewer digits than the type has.
    Precision,
    /// The function has no derivative there; candle's choice is allowed, or shared by PyTorch.
    Convention,
}

impl Severity {
    /// All, in the order of the card.
    pub const ALL: [Self; 5] = [
        Self::SilentWrong,
        Self::SilentStop,
        Self::Loud,
        Self::Precision,
        Self::Convention,
    ];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::SilentWrong => "silent-wrong",
            Self::SilentStop => "silent-stop",
            Self::Loud => "loud",
            Self::Precision => "precision",
            Self::Convention => "convention",
        }
    }

    /// The heading of its part of the card.
    pub fn heading(self) -> &'static str {
        match self {
            Self::SilentWrong => "Trains wrong, silently",
            Self::SilentStop => "Stops the gradient, silently",
            Self::Loud => "Fails loudly",
            Self::Precision => "Loses precision",
            Self::Convention => {
                "Conventions, where there is no derivative or PyTorch does the same (not defects)"
            }
        }
    }
}

/// A line of candle's source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Where, in the locked version.
    pub line: Line,
    /// What stands there.
    pub quote: String,
}

/// The place of a line: `candle-core/src/backprop.rs:374`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Line {
    /// `candle-core` or `candle-nn`.
    pub krate: String,
    /// The file below `src`.
    pub file: String,
    /// Its number in the locked version.
    pub number: usize,
}

impl TryFrom<String> for Line {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once("/src/").and_then(|(krate, rest)| {
            let (file, number) = rest.rsplit_once(':')?;
            Some((krate, file, number.parse().ok()?))
        });
        match parts {
            Some((krate @ ("candle-core" | "candle-nn"), file, number)) => Ok(Self {
                krate: krate.into(),
                file: file.into(),
                number,
            }),
            _ => Err(format!(
                "{text:?} is not a line such as candle-core/src/lib.rs:1"
            )),
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/src/{}:{}", self.krate, self.file, self.number)
    }
}

/// How a row stands to the record.
pub enum Standing<'a> {
    /// As the record says, here.
    Known(&'a Known, &'a Pattern),
    /// No entry covers it, and it is no defect.
    Clean,
    /// No entry covers it, and it is a defect.
    New,
    /// An entry covers it with another verdict.
    Changed(&'a Known, Verdict),
}

/// Compares a row with a record.
pub fn standing<'a>(row: &Row, record: &'a [Known]) -> Standing<'a> {
    let covering = |k: &'a Known| {
        let rows = k.rows.iter().filter(|p| p.covers(row));
        rows.map(move |p| (k, p))
    };
    let mut covering = record.iter().flat_map(covering);
    let first = covering.next();
    let mut found = first.into_iter().chain(covering);
    let exact = found.find(|(_, p)| p.verdict == row.verdict);
    match exact.or(first) {
        Some((known, p)) if p.verdict == row.verdict => Standing::Known(known, p),
        Some((known, p)) => Standing::Changed(known, p.verdict),
        None if row.verdict.is_clean() => Standing::Clean,
        None => Standing::New,
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, record};
    use crate::audit::verdict::Verdict;

    /// What a check of a model names as suspects is what the record says cuts the graph.
    #[test]
    fn suspects_are_on_record() {
        let record = record().unwrap();
        for suspect in crate::gradcheck::SUSPECTS {
            for function in suspect.functions {
                let known = record.iter().find(|k| {
                    let mut rows = k.rows.iter();
                    rows.any(|row| row.concerns(function) && row.verdict == Verdict::Severed)
                });
                let text = known.and_then(|k| k.instead.as_ref()).map(|i| &i.text);
                let text = text.cloned().unwrap_or_default().replace("candle_nn::", "");
                assert_eq!(text, suspect.instead, "{function}");
            }
        }
    }

    const ENTRY: &str = r#"
        [[defect]]
        id = "an-entry"
        severity = "loud"
        what = "it fails"
        when = "always"
        cause = { line = "candle-core/src/lib.rs:1", quote = "x" }
        rows = [{ verdict = "error", dtype = ["f16", "bf16"], function = "f" }]
        from = { f16 = 189, bf16 = 2.5 }
        [defect.instead]
        text = "another"
        call = "ones"
        function = "f"
        case = "a matrix"
    "#;

    /// A slip of the pen in the record is an error that names the line, not an entry without force.
    #[test]
    fn what_the_record_may_not_say_is_refused() {
        assert_eq!(parse("a.toml", ENTRY).map(|e| e.len()).ok(), Some(1));
        let slips = [
            ("when = ", "wen = ", "unknown field `wen`"),
            ("\"loud\"", "\"lout\"", "unknown variant `lout`"),
            ("\"error\"", "\"eror\"", "unknown variant `eror`"),
            ("dtype = [", "type = [", "unknown field `type`"),
            ("\"f16\"", "\"f17\"", "a list of such values"),
            ("f16 = 189", "f17 = 189", "unknown variant `f17`"),
            ("lib.rs:1", "lib.rs", "is not a line"),
            ("candle-core/", "candle/", "is not a line"),
            ("\"ones\"", "\"onse\"", "no repair is called \"onse\""),
            ("case = \"a matrix\"", "cases = 1", "unknown field `cases`"),
        ];
        for (from, to, said) in slips {
            assert_eq!(ENTRY.matches(from).count(), 1, "{from}");
            let error = parse("a.toml", &ENTRY.replace(from, to)).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("record/a.toml") && error.contains(said),
                "{error}"
            );
        }
    }
}
