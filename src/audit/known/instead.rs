//! What to write instead: words, and a call by name that the audit runs on one of the cases.

use serde::Deserialize;

use super::pattern::{Float, Place};
use super::repairs::{REPAIRS, Repair};
use crate::audit::case::Case;

/// Another way to the same values whose gradient is right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instead {
    /// In words.
    pub text: String,
    /// The call, on that case's inputs.
    pub call: Named,
    /// The function of the case it is run on.
    pub function: String,
    /// The case.
    pub case: Place,
    /// The type, where not the case's first.
    pub dtype: Option<Float>,
    /// Whether its values are the case's only roughly: where the case rounds its input.
    #[serde(default)]
    pub rough: bool,
}

/// One of [`REPAIRS`].
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Named {
    /// Its name.
    pub name: String,
    /// The code.
    pub call: Repair,
}

impl TryFrom<String> for Named {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = REPAIRS.iter().find(|(n, _)| *n == name);
        match found {
            Some(&(_, call)) => Ok(Self { name, call }),
            None => Err(format!("no repair is called {name:?}")),
        }
    }
}

impl Instead {
    /// Whether it is to be run on a case.
    pub fn is_of(&self, case: &Case) -> bool {
        case.path == self.function && self.case.holds(&case.at)
    }
}
