//! The record: what is known to be wrong in the locked versions, and the strict comparison with it.
//!
//! A row that an entry's pattern covers must have that pattern's verdict; a row that none covers
//! must not be a defect; a pattern that covers no row is out of date. So a repair in candle turns
//! the audit red as surely as a new defect does.

mod entries;
mod instead;

pub use entries::ENTRIES;
pub use instead::Instead;

use super::run::Row;

/// One defect: a cause, the rows it shows in, and what to do meanwhile.
pub struct Known {
    /// A short name.
    pub id: &'static str,
    /// What happens, in a sentence.
    pub what: &'static str,
    /// When it happens.
    pub when: &'static str,
    /// What it does to a training run.
    pub severity: Severity,
    /// The rows it shows in.
    pub rows: &'static [Pattern],
    /// The line responsible.
    pub cause: Cause,
    /// The upstream issue or pull request; `None`: none was found.
    pub upstream: Option<&'static str>,
    /// Another way that works, run by the audit itself.
    pub instead: Option<Instead>,
    /// What PyTorch does in the same place, where that is not simply the right derivative.
    pub pytorch: Option<&'static str>,
}

impl Known {
    /// The paths of the functions that it shows in, each once.
    pub fn functions(&self) -> Vec<&'static str> {
        let mut paths = vec![];
        for pattern in self.rows {
            if !paths.contains(&pattern.path) {
                paths.push(pattern.path);
            }
        }
        paths
    }
}

/// What a defect does to a training run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
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
            Self::Convention => "Conventions where there is no derivative (not defects)",
        }
    }
}

/// A line of candle's source.
pub struct Cause {
    /// `candle-core` or `candle-nn`.
    pub krate: &'static str,
    /// The file below `src`.
    pub file: &'static str,
    /// Its number in the locked version.
    pub line: usize,
    /// What stands there.
    pub quote: &'static str,
}

/// Rows, by glob patterns in which `*` stands for any text and `?` for one character.
pub struct Pattern {
    path: &'static str,
    case: &'static str,
    input: &'static str,
    dtypes: &'static str,
    probe: &'static str,
    /// The verdict of every row it covers.
    pub verdict: &'static str,
}

impl Pattern {
    /// Every plain row of a function with this verdict.
    pub const fn on(path: &'static str, verdict: &'static str) -> Self {
        Self {
            path,
            case: "*",
            input: "*",
            dtypes: "*",
            probe: "plain",
            verdict,
        }
    }

    /// Only these cases.
    pub const fn case(mut self, case: &'static str) -> Self {
        self.case = case;
        self
    }

    /// Only this input.
    pub const fn input(mut self, input: &'static str) -> Self {
        self.input = input;
        self
    }

    /// Only these types, separated by commas.
    pub const fn dtypes(mut self, dtypes: &'static str) -> Self {
        self.dtypes = dtypes;
        self
    }

    /// These probes, separated by commas, instead of the plain check.
    pub const fn probe(mut self, probe: &'static str) -> Self {
        self.probe = probe;
        self
    }

    /// Whether it covers a row.
    pub fn covers(&self, row: &Row) -> bool {
        glob(self.path, row.path)
            && glob(self.case, &row.case)
            && glob(self.input, row.input)
            && self.probe.split(',').any(|p| p == row.probe)
            && (self.dtypes == "*" || self.dtypes.split(',').any(|d| d == row.dtype))
    }

    /// Whether it could cover a row of one of these functions: for a run of some only.
    pub fn concerns(&self, path: &str) -> bool {
        glob(self.path, path)
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any text and `?` for one character.
fn glob(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let mut ends = text.char_indices().map(|(i, _)| i).chain([text.len()]);
            ends.any(|i| glob(rest.as_str(), &text[i..]))
        }
        Some(c) => {
            let mut left = text.chars();
            left.next().is_some_and(|t| c == '?' || c == t) && glob(rest.as_str(), left.as_str())
        }
    }
}

/// How a row stands to the record.
pub enum Standing<'a> {
    /// As the record says.
    Known(&'a Known),
    /// No entry covers it, and it is no defect.
    Clean,
    /// No entry covers it, and it is a defect.
    New,
    /// An entry covers it with another verdict.
    Changed(&'a Known, &'static str),
}

/// Compares a row with a record.
pub fn standing<'a>(row: &Row, record: &'a [Known]) -> Standing<'a> {
    let found = record.iter().find_map(|k| {
        k.rows
            .iter()
            .find(|p| p.covers(row))
            .map(|p| (k, p.verdict))
    });
    match found {
        Some((known, verdict)) if verdict == row.verdict => Standing::Known(known),
        Some((known, verdict)) => Standing::Changed(known, verdict),
        None if matches!(row.verdict, "pass" | "inconclusive") => Standing::Clean,
        None => Standing::New,
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, glob};

    /// What a check of a model names as suspects is what the record says cuts the graph.
    #[test]
    fn suspects_are_on_record() {
        for suspect in crate::gradcheck::SUSPECTS {
            for function in suspect.functions {
                let known = ENTRIES.iter().find(|k| {
                    let mut rows = k.rows.iter();
                    rows.any(|row| row.path == *function && row.verdict == "severed")
                });
                let text = known.and_then(|k| k.instead.as_ref()).map(|i| i.text);
                let text = text.unwrap_or_default().replace("candle_nn::", "");
                assert_eq!(text, suspect.instead, "{function}");
            }
        }
    }

    #[test]
    fn stars_stand_for_any_text() {
        assert!(glob("s? d", "s1 d") && !glob("s?", "s"));
        assert!(glob("*", "") && glob("a*", "a") && glob("*a", "ba") && glob("a*c", "abc"));
        assert!(glob("b2 * l* k2", "b2 c2-3 l5 k2") && !glob("b2 *", "b1 c1"));
        assert!(!glob("max", "max_all") && !glob("a*b", "a"));
    }
}
