//! A program of one file that uses this crate, edited, compiled and run: what a learner does with
//! `cargo run --release --example post`, without a copy of the package.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A change of more lines than this is no small edit.
const MOST_CHANGED: usize = 12;

pub struct Program {
    original: String,
    source: String,
}

/// What it printed, and the folder that it ran in.
pub struct Run {
    pub stdout: String,
    folder: PathBuf,
}

impl Program {
    /// A file of the package.
    pub fn read(path: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let original = std::fs::read_to_string(path).unwrap();
        let source = original.clone();
        Self { original, source }
    }

    /// `from`, which stands there once, becomes `to`.
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        assert_eq!(self.source.matches(from).count(), 1, "{from}");
        self.source = self.source.replace(from, to);
        self
    }

    /// Puts a line after the one that contains `marker`.
    pub fn after(mut self, marker: &str, line: &str) -> Self {
        assert_eq!(self.source.matches(marker).count(), 1, "{marker}");
        let at = self.source.find(marker).unwrap();
        let end = at + self.source[at..].find('\n').unwrap() + 1;
        self.source.insert_str(end, &format!("{line}\n"));
        self
    }

    /// The lines that are neither empty nor comments.
    pub fn code(&self) -> Vec<&str> {
        let lines = self.source.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .collect()
    }

    /// Lines that the original lacks.
    fn changed(&self) -> usize {
        let mut known: Vec<_> = self.original.lines().collect();
        let new = |line: &&str| match known.iter().position(|k| k == line) {
            Some(at) => {
                known.swap_remove(at);
                false
            }
            None => true,
        };
        self.source.lines().filter(new).count()
    }

    /// Compiles and runs it in an empty folder of its own, `name`.
    pub fn run(&self, name: &str) -> Run {
        assert!(self.changed() <= MOST_CHANGED, "{} lines", self.changed());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("programs")
            .join(name);
        _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("main.rs");
        std::fs::write(&file, &self.source).unwrap();
        let program = folder.join("program");
        said(compiler().arg(&file).arg("-o").arg(&program));
        let stdout = said(Command::new(&program).current_dir(&folder));
        Run { stdout, folder }
    }
}

impl Run {
    /// Of the table.
    pub fn losses(&self) -> Vec<f64> {
        let rows = self.stdout.lines().filter(|l| l.starts_with("epoch : "));
        let loss = |row: &str| row.rsplit(' ').next().unwrap().parse().unwrap();
        rows.map(loss).collect()
    }

    /// What it has written.
    pub fn file(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(path)).unwrap()
    }
}

/// What a command printed; it must succeed.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// rustc with this crate and its dependencies, as cargo has compiled them for this test.
fn compiler() -> Command {
    let mut rustc = Command::new(std::env::var("RUSTC").unwrap_or("rustc".to_owned()));
    rustc.args(["--edition=2024", "-Copt-level=1", "-Dwarnings"]);
    for (name, rlib) in libraries() {
        let folder = rlib.parent().unwrap();
        let deps = match folder.ends_with("deps") {
            true => folder.to_owned(),
            false => folder.join("deps"),
        };
        rustc
            .arg("-L")
            .arg(format!("dependency={}", deps.display()));
        rustc.arg(format!("--extern={name}={}", rlib.display()));
    }
    rustc
}

/// What the programs name in `use`, and the files that cargo has made of it.
fn libraries() -> &'static [(&'static str, PathBuf)] {
    static LIBRARIES: OnceLock<Vec<(&'static str, PathBuf)>> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        let messages = messages();
        let names = ["anyhow", "candle_core", "candle_nn", "candle_sine"];
        names.map(|name| (name, rlib(&messages, name))).to_vec()
    })
}

/// Of a build with the profile of this test: everything is there already.
fn messages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or("cargo".to_owned());
    let mut build = Command::new(cargo);
    build.args(["build", "--lib", "--offline", "--message-format=json"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    let lines = said(&mut build);
    let messages = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    messages.collect()
}

fn rlib(messages: &[Value], name: &str) -> PathBuf {
    let is_ours = |m: &&Value| m["reason"] == "compiler-artifact" && m["target"]["name"] == name;
    let artifact = messages.iter().rfind(is_ours).expect(name);
    let files = artifact["filenames"].as_array().unwrap();
    let mut files = files.iter().map(|f| f.as_str().unwrap());
    files.find(|f| f.ends_with(".rlib")).unwrap().into()
}
