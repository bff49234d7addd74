//! Lines on stdout and stderr, and numbers in them.

use anyhow::{Context, Result};
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes to stdout until its reader goes away, which is no error: `candle-sine | head -1`.
pub struct Printer {
    quiet: bool,
    failed: Option<std::io::Error>,
}

impl Printer {
    pub fn new(quiet: bool) -> Self {
        let failed = None;
        Self { quiet, failed }
    }

    pub fn line(&mut self, line: impl Display) {
        if !self.quiet && self.failed.is_none() {
            self.failed = writeln!(std::io::stdout(), "{line}").err();
        }
    }

    pub fn wrote<'a>(&mut self, files: impl Iterator<Item = &'a Path>) {
        let names: Vec<_> = files.map(|path| path.display().to_string()).collect();
        self.line(format_args!("wrote {}", names.join(", ")));
    }

    pub fn finish(self) -> Result<()> {
        match self.failed {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(error).context("stdout: cannot write")
            }
            _ => Ok(()),
        }
    }
}

pub fn error(message: &str) {
    stderr(&format!("error: {}", one_line(message)));
}

/// Where stderr is closed there is nobody to tell.
pub fn stderr(line: &str) {
    _ = writeln!(std::io::stderr(), "{line}");
}

/// Without clap's usage and the backtrace that candle appends.
fn one_line(message: &str) -> String {
    let ends = ["Usage:", "For more information", "tip: to pass", "0: "];
    let lines = message.lines().map(str::trim).filter(|l| !l.is_empty());
    let lines = lines.take_while(|l| !ends.iter().any(|end| l.starts_with(end)));
    let line = lines.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// Four digits, not rounded up: a limit that is named can be kept.
pub fn below(value: f64) -> String {
    let unit = 10f64.powf(value.log10().floor() - 3.);
    format!("{:.3e}", (value / unit).floor() * unit)
}

/// As Python's `print` writes a float, which the post's table is made with.
pub fn python_float(value: f64) -> String {
    let size = value.abs();
    if !size.is_normal() || (1e-4..1e16).contains(&size) {
        return format!("{value:?}").to_lowercase();
    }
    let digits = format!("{value:e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{exponent:+03}")
}

/// A loss: three decimals, where that says something.
pub fn short(loss: f64) -> String {
    match loss == 0. || (1e-2..1e9).contains(&loss) {
        true => format!("{loss:.3}"),
        false => format!("{loss:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{one_line, python_float};

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let cases = [
            (7937.68505859375, "7937.68505859375"),
            (5., "5.0"),
            (0., "0.0"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (1e16, "1e+16"),
            (123456789012345680., "1.2345678901234568e+17"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, written) in cases {
            assert_eq!(python_float(value), written);
        }
    }

    #[test]
    fn an_error_is_one_line_without_its_backtrace() {
        let candle = "cannot find tensor a\n   0: candle_core::error\n             at lib.rs:1\n";
        assert_eq!(one_line(candle), "cannot find tensor a");
    }
}
