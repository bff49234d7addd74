//! Lines on stdout and stderr: coloured where a terminal shows them and NO_COLOR is not set.

use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = Style::new().dimmed();

/// Writes to stdout until its reader goes away, which is no error: `candle-sine | head -1`.
#[derive(Default)]
pub struct Printer {
    quiet: bool,
    closed: bool,
    failed: Option<std::io::Error>,
}

impl Printer {
    pub fn quiet(quiet: bool) -> Self {
        Self {
            quiet,
            ..Self::default()
        }
    }

    pub fn line(&mut self, line: impl Display) {
        if self.quiet || self.closed || self.failed.is_some() {
            return;
        }
        let mut stdout = anstream::stdout().lock();
        match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.closed = true,
            Err(error) => self.failed = Some(error),
        }
    }

    /// A line beside the matter, dimmed.
    pub fn note(&mut self, line: impl Display) {
        self.line(format_args!("{NOTE}{line}{NOTE:#}"));
    }

    /// An error other than a reader that has gone.
    pub fn finish(self) -> std::io::Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}

pub fn error(message: &str) {
    stderr(&format!("{BAD}error:{BAD:#} {message}"));
}

pub fn warning(message: &str) {
    stderr(&format!("{WARNING}warning:{WARNING:#} {message}"));
}

/// A line for the reader where stdout is another's.
pub fn aside(line: &str) {
    stderr(line);
}

/// Where stderr is closed there is nobody to tell.
fn stderr(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// A path as one line.
pub fn shown(path: &Path) -> String {
    one_line_of(&path.to_string_lossy())
}

/// `\n` and the like for characters that would end the line or move the cursor.
pub fn one_line_of(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Four digits, not rounded up: a limit that is named can be kept.
pub fn below(value: f64) -> String {
    let unit = 10f64.powf(value.log10().floor() - 3.);
    format!("{:.3e}", (value / unit).floor() * unit)
}

/// As Python's `print` writes a float, which the post's table is made with.
pub fn python_float(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "nan".to_owned()
    } else if value.is_finite() && size != 0. && !(1e-4..1e16).contains(&size) {
        let digits = format!("{value:e}");
        let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        format!("{mantissa}e{sign}{exponent:0>2}")
    } else {
        format!("{value:?}")
    }
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
    use super::{one_line_of, python_float};

    #[test]
    fn what_is_shown_is_one_line() {
        assert_eq!(one_line_of("a\n\u{1b}[1mé한"), "a\\n\\u{1b}[1mé한");
    }

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let cases = [
            (7937.68505859375, "7937.68505859375"),
            (5., "5.0"),
            (0., "0.0"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (123456789012345680., "1.2345678901234568e+17"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, written) in cases {
            assert_eq!(python_float(value), written);
        }
    }
}
