//! What a check says: gradcheck's verdicts, and two of the audit's own.

use serde::{Deserialize, Serialize};

use crate::gradcheck;

/// The verdict of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As [`gradcheck::Verdict::Pass`].
    Pass,
    /// As [`gradcheck::Verdict::Kink`]; and where a case says that it lies at one.
    Kink,
    /// As [`gradcheck::Verdict::Inconclusive`].
    Inconclusive,
    /// As [`gradcheck::Verdict::Imprecise`].
    Imprecise,
    /// As [`gradcheck::Verdict::Nondeterministic`].
    Nondeterministic,
    /// As [`gradcheck::Verdict::Unsupported`].
    Unsupported,
    /// As [`gradcheck::Verdict::NonFinite`].
    NonFinite,
    /// As [`gradcheck::Verdict::Panicked`].
    Panicked,
    /// As [`gradcheck::Verdict::Severed`].
    Severed,
    /// As [`gradcheck::Verdict::Wrong`].
    Wrong,
    /// The values differ: from a twin's, from a copy's, from what the function stands for.
    Forward,
    /// The call itself fails.
    Error,
}

impl Verdict {
    /// Its name in JSON and in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Error => "error",
            Self::Pass => gradcheck::Verdict::Pass.name(),
            Self::Kink => gradcheck::Verdict::Kink.name(),
            Self::Inconclusive => gradcheck::Verdict::Inconclusive.name(),
            Self::Imprecise => gradcheck::Verdict::Imprecise.name(),
            Self::Nondeterministic => gradcheck::Verdict::Nondeterministic.name(),
            Self::Unsupported => gradcheck::Verdict::Unsupported.name(),
            Self::NonFinite => gradcheck::Verdict::NonFinite.name(),
            Self::Panicked => gradcheck::Verdict::Panicked.name(),
            Self::Severed => gradcheck::Verdict::Severed.name(),
            Self::Wrong => gradcheck::Verdict::Wrong.name(),
        }
    }

    /// Neither a defect nor a convention.
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Pass | Self::Inconclusive)
    }
}

impl From<gradcheck::Verdict> for Verdict {
    fn from(verdict: gradcheck::Verdict) -> Self {
        use gradcheck::Verdict as Of;
        match verdict {
            Of::Pass => Self::Pass,
            Of::Kink => Self::Kink,
            Of::Inconclusive => Self::Inconclusive,
            Of::Imprecise => Self::Imprecise,
            Of::Nondeterministic => Self::Nondeterministic,
            Of::Unsupported => Self::Unsupported,
            Of::NonFinite => Self::NonFinite,
            Of::Panicked => Self::Panicked,
            Of::Severed => Self::Severed,
            Of::Wrong => Self::Wrong,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;
    use crate::gradcheck;

    /// gradcheck's own names, in JSON too.
    #[test]
    fn verdicts_are_called_as_gradcheck_calls_them() {
        for verdict in gradcheck::Verdict::ALL {
            let own = Verdict::from(verdict);
            assert_eq!(own.name(), verdict.name());
            let json = serde_json::to_value(own).ok();
            assert_eq!(json, Some(verdict.name().into()));
        }
    }
}
