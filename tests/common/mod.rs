//! The program as seen from outside.

// Each test binary uses a part of this.
#![allow(dead_code)]

pub mod movie;
pub mod program;

use std::path::Path;
use std::process::{Command, Output};
#[cfg(unix)]
use std::time::Duration;

/// `candle-sine` in the directory `dir`.
pub fn sine(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_candle-sine"));
    command.current_dir(dir);
    for variable in ["NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// Exit status, stdout and stderr.
pub fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    parts(sine(dir).args(args).output().unwrap())
}

pub fn parts(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().expect("ended by a signal");
    (code, text(output.stdout), text(output.stderr))
}

/// The program with SIGINT sent some time after it has printed so many lines.
#[cfg(unix)]
pub fn interrupted(
    dir: &Path,
    args: &[&str],
    lines: usize,
    pause: Duration,
) -> (i32, String, String) {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_candle-sine"))
        .args(args)
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    for _ in 0..lines {
        stdout.read_line(&mut printed).unwrap();
    }
    std::thread::sleep(pause);
    let pid = child.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    stdout.read_to_string(&mut printed).unwrap();
    let (code, _, stderr) = parts(child.wait_with_output().unwrap());
    (code, printed, stderr)
}

/// The names in `dir`, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let name =
        |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// The same words line by line, and numbers to what another libm may change.
pub fn same(shown: &str, printed: &str) -> bool {
    let lines = |text: &str| {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        text.lines().map(words).collect::<Vec<Vec<_>>>()
    };
    let (shown, printed) = (lines(shown), lines(printed));
    let line = |(s, p): (&Vec<String>, &Vec<String>)| {
        s.len() == p.len() && s.iter().zip(p).all(|(s, p)| same_word(s, p))
    };
    shown.len() == printed.len() && shown.iter().zip(&printed).all(line)
}

fn same_word(shown: &str, printed: &str) -> bool {
    let number = |word: &str| {
        let word = word.trim_end_matches(',').replace('\u{2212}', "-");
        word.parse::<f64>().ok().filter(|v| v.is_finite())
    };
    // `4.6e-3`, `1.2`: two digits, where a result has more.
    let digits = shown.split('e').next().unwrap_or(shown);
    let is_rounding =
        digits.contains('.') && digits.matches(|c: char| c.is_ascii_digit()).count() == 2;
    match (number(shown), number(printed)) {
        // A rounding error: its order of magnitude is what is shown.
        (Some(s), Some(p)) if is_rounding => p.abs() <= 10. * s.abs().max(1e-15),
        // What has grown a millionfold has grown its rounding too.
        (Some(s), Some(p)) if s.abs() > 1e6 => (s - p).abs() <= 1e-2 * s.abs(),
        (Some(s), Some(p)) => (s - p).abs() <= 5e-6 * s.abs().max(20.),
        _ => shown == printed,
    }
}
