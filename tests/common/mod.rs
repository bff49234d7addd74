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
