//! Lines on stdout and stderr: coloured where a terminal shows them and NO_COLOR is not set.

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = Style::new().dimmed();

/// Writes to stdout until its reader goes away, which is no error: `candle-sine | head -1`.
pub struct Printer {
    quiet: bool,
    failed: Option<std::io::Error>,
}

impl Printer {
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            failed: None,
        }
    }

    pub fn line(&mut self, line: impl Display) {
        if self.quiet || self.failed.is_some() {
            return;
        }
        let mut stdout = anstream::stdout().lock();
        self.failed = writeln!(stdout, "{line}")
            .and_then(|()| stdout.flush())
            .err();
    }

    /// A line beside the matter, dimmed.
    pub fn note(&mut self, line: impl Display) {
        self.line(format_args!("{NOTE}{line}{NOTE:#}"));
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
    stderr(&format!("{BAD}error:{BAD:#} {}", one_line(message)));
}

pub fn warning(message: &str) {
    stderr(&format!("{WARNING}warning:{WARNING:#} {message}"));
}

/// Where stderr is closed there is nobody to tell.
pub fn stderr(line: &str) {
    _ = writeln!(anstream::stderr(), "{line}");
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
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() || size == 0. || (1e-4..1e16).contains(&size) {
        return format!("{value:?}");
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

/// A progress bar on stderr, for work of more than about a second, where that is a terminal.
pub struct Progress {
    bar: Option<ProgressBar>,
    shown: bool,
    began: Instant,
    /// When to look at the clock again: some twenty times a second.
    next: u32,
}

impl Progress {
    pub fn new(epochs: u32, quiet: bool) -> Self {
        let bar = ProgressBar::new(epochs.into()).with_style(style());
        Self {
            bar: (!quiet && std::io::stderr().is_terminal()).then_some(bar),
            shown: false,
            began: Instant::now(),
            next: 1,
        }
    }

    pub fn reached(&mut self, epoch: u32) {
        let Some(bar) = self.bar.as_ref().filter(|_| epoch >= self.next) else {
            return;
        };
        let seconds = self.began.elapsed().as_secs_f64();
        self.next = epoch.saturating_add((f64::from(epoch) / seconds / 20.) as u32 + 1);
        self.shown |= seconds > 1.;
        if self.shown {
            bar.set_position(epoch.into());
        }
    }

    /// Prints with the bar out of the way.
    pub fn above(&self, print: impl FnOnce()) {
        match self.bar.as_ref().filter(|_| self.shown) {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.as_ref().filter(|_| self.shown) {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} epochs, {eta} left");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
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
            (1.5e300, "1.5e+300"),
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
        let clap = "error: invalid value 'x' for '--dtype <DTYPE>'\n  [possible values: f32, f64]\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(clap),
            "invalid value 'x' for '--dtype <DTYPE>' [possible values: f32, f64]"
        );
    }
}
