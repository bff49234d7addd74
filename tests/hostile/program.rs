//! A run of the program, and what holds for every run.

use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Arguments, for a message.
pub fn shown(args: &[OsString]) -> String {
    let words: Vec<_> = args.iter().map(|a| format!("{a:?}")).collect();
    words.join(" ")
}

/// The program in `dir`, as one who installed it starts it.
pub fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_candle-sine"));
    command.current_dir(dir);
    for variable in ["CARGO_MANIFEST_DIR", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// How a run ended.
pub struct Ended {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// Runs it, and holds the outcome to what every run must keep; `context` goes into a failure.
pub fn run(command: &mut Command, dir: &Path, context: &str) -> Ended {
    ended(command.output().unwrap(), dir, context)
}

pub fn ended(output: Output, dir: &Path, context: &str) -> Ended {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("{context}\n{:?}: {stderr}", output.status));
    assert!(
        [0, 1, 2, 130].contains(&code),
        "{context}\n{code}: {stderr}"
    );
    let stdout = output.stdout;
    let errors = stderr.lines().filter(|l| l.starts_with("error: ")).count();
    assert_eq!(
        errors,
        usize::from(code == 2).max(errors.min(usize::from(code == 1))),
        "{context}\n{stderr}"
    );
    let others = ["error: ", "warning: ", "interrupted"];
    let known = |line: &str| others.iter().any(|start| line.starts_with(start));
    let strange = stderr.lines().find(|line| !known(line));
    // What ends by Ctrl-C may say first why its answer is no.
    assert!(strange.is_none() || code == 130, "{context}\n{stderr}");
    assert_eq!(temporary(dir), Vec::<PathBuf>::new(), "{context}");
    Ended {
        code,
        stdout,
        stderr,
    }
}

impl Ended {
    /// The JSON on stdout, with the files that it lists.
    pub fn json(&self, context: &str) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{context}\n{error}"))
    }
}

/// Files that are on their way to their places.
fn temporary(dir: &Path) -> Vec<PathBuf> {
    let all = tree(dir).into_iter().map(|(path, _)| path);
    let ours = |path: &PathBuf| path.to_string_lossy().contains(".candle-sine-");
    all.filter(ours).collect()
}

/// Paths, and what the files hold.
type Tree = Vec<(PathBuf, Option<Vec<u8>>)>;

/// Everything below `dir` in order.
pub fn tree(dir: &Path) -> Tree {
    let mut all = vec![];
    let Ok(entries) = fs::read_dir(dir) else {
        return all;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        all.push((
            path.clone(),
            kind.is_file().then(|| fs::read(&path).unwrap()),
        ));
        if kind.is_dir() {
            all.extend(tree(&path));
        }
    }
    all.sort();
    all
}

/// Where two trees differ.
pub fn differing(before: &Tree, after: &Tree) -> Vec<PathBuf> {
    let there = |tree: &Tree, entry| tree.contains(entry);
    let gone = before.iter().filter(|entry| !there(after, entry));
    let new = after.iter().filter(|entry| !there(before, entry));
    gone.chain(new).map(|(path, _)| path.clone()).collect()
}
