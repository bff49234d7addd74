//! JSON that the commands have in common.

use super::files;
use super::print::Printer;
use anyhow::{Context, Result};
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

/// Pretty JSON with a newline at its end; the path "-" is stdout.
pub fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut json = serde_json::to_string_pretty(value)?;
    if path == Path::new("-") {
        let mut out = Printer::default();
        out.line(json);
        return out.finish();
    }
    json.push('\n');
    files::write(path, json.as_bytes()).with_context(|| format!("--json {}", path.display()))
}
