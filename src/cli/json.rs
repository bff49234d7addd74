//! JSON that the commands have in common.

use super::files::Outputs;
use serde::Serialize;
use std::path::Path;

/// Four numbers by the names of the weights.
#[derive(Serialize)]
pub struct Named {
    a: f64,
    b: f64,
    c: f64,
    d: f64,
}

impl From<[f64; 4]> for Named {
    fn from([a, b, c, d]: [f64; 4]) -> Self {
        Self { a, b, c, d }
    }
}

/// A row of a table of losses.
#[derive(Serialize)]
pub struct Logged {
    pub epoch: usize,
    pub loss: f64,
}

/// Pretty JSON, as --json wants it.
pub fn write(outputs: &mut Outputs, path: &Path, value: &impl Serialize) {
    let json = serde_json::to_string_pretty(value).map_err(anyhow::Error::from);
    outputs.text("--json", path, json);
}
