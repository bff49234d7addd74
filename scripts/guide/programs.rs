//! The tutorial's programs as a reader has them: built by cargo, or edited first and built by rustc.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const TUTORIAL: [&str; 5] = ["post", "autograd", "optimizer", "custom_op", "normal"];

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An edit of `src/tutorial/post.rs`, from `edits.json`.
#[derive(Debug)]
pub struct Edit {
    pub id: String,
    /// What is taken out, and what is put in its place.
    changes: Vec<(String, String)>,
}

impl Edit {
    pub fn all() -> Result<Vec<Self>> {
        let text = std::fs::read_to_string(root().join("scripts/guide/edits.json"))?;
        let edits: Vec<Value> = serde_json::from_str(&text)?;
        edits.iter().map(Self::read).collect()
    }

    fn read(edit: &Value) -> Result<Self> {
        let pair = |change: &Value| {
            let part = |i: usize| Some(change.get(i)?.as_str()?.to_owned());
            Some((part(0)?, part(1)?))
        };
        let changes = edit["changes"].as_array().context("no changes")?;
        let changes: Option<_> = changes.iter().map(pair).collect();
        Ok(Self {
            id: edit["id"].as_str().context("no id")?.to_owned(),
            changes: changes.context("a change is two strings")?,
        })
    }

    /// The file as it is after the edit.
    pub fn apply(&self) -> Result<String> {
        let mut text = std::fs::read_to_string(root().join("src/tutorial/post.rs"))?;
        for (old, new) in &self.changes {
            let found = text.matches(old.as_str()).count();
            ensure!(found == 1, "{}: {found} times in post.rs: {old}", self.id);
            text = text.replace(old, new);
        }
        Ok(text)
    }
}

/// What cargo has built.
pub struct Programs {
    executables: Vec<(String, PathBuf)>,
    libraries: Vec<(String, PathBuf)>,
    native: Vec<String>,
}

const LIBRARIES: [&str; 4] = ["anyhow", "candle_core", "candle_nn", "candle_sine"];

impl Programs {
    /// Builds the program and the tutorial, in the profile of this one.
    pub fn build() -> Result<Self> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.current_dir(root()).stderr(Stdio::inherit());
        cargo.args(["build", "--message-format=json", "--bin=candle-sine"]);
        cargo.args(TUTORIAL.map(|name| format!("--example={name}")));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.output().context("cargo")?;
        ensure!(output.status.success(), "the tutorial does not build");
        let text = String::from_utf8(output.stdout)?;
        let messages = text.lines().map(serde_json::from_str);
        Ok(Self::of(&messages.collect::<Result<Vec<Value>, _>>()?))
    }

    fn of(messages: &[Value]) -> Self {
        let (mut executables, mut libraries, mut native) = (vec![], vec![], vec![]);
        for message in messages {
            let name = message["target"]["name"].as_str().unwrap_or_default();
            let name = name.replace('-', "_");
            let strings = |key: &str| {
                let list = message[key].as_array().into_iter().flatten();
                list.filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            native.extend(strings("linked_paths"));
            if let Some(path) = message["executable"].as_str() {
                executables.push((name, path.into()));
            } else if LIBRARIES.contains(&name.as_str()) {
                let rlib = strings("filenames")
                    .into_iter()
                    .find(|f| f.ends_with(".rlib"));
                libraries.extend(rlib.map(|path| (name, path.into())));
            }
        }
        Self {
            executables,
            libraries,
            native,
        }
    }

    /// What the program `name` prints.
    pub fn output(&self, name: &str, args: &[&str]) -> Result<String> {
        let found = self.executables.iter().find(|(n, _)| n == name);
        let (_, path) = found.with_context(|| format!("cargo has built no {name}"))?;
        run(path, args)
    }

    /// What the tutorial's post prints after an edit.
    pub fn edited(&self, edit: &Edit) -> Result<String> {
        let dir = tempfile::tempdir()?;
        let (source, program) = (dir.path().join("post.rs"), dir.path().join("post"));
        std::fs::write(&source, edit.apply()?)?;
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
        rustc.args(["--edition=2024", "-Copt-level=1", "-o"]);
        rustc.arg(&program).arg(&source);
        for (name, path) in &self.libraries {
            rustc
                .arg("--extern")
                .arg(format!("{name}={}", path.display()));
        }
        for path in &self.native {
            rustc.arg("-L").arg(path);
        }
        let (_, core) = self
            .libraries
            .first()
            .context("cargo has built no library")?;
        let deps = core.parent().context("a library lies in a folder")?;
        rustc
            .arg("-L")
            .arg(format!("dependency={}", deps.display()));
        let output = rustc.output().context("rustc")?;
        if !output.status.success() {
            bail!("{}: {}", edit.id, String::from_utf8_lossy(&output.stderr));
        }
        run(&program, &[])
    }
}

/// In a folder of its own, where the pictures go.
fn run(program: &Path, args: &[&str]) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(&dir)
        .stderr(Stdio::inherit());
    for variable in ["CARGO_MANIFEST_DIR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    Ok(String::from_utf8(command.output()?.stdout)?)
}
