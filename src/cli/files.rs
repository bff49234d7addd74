//! Files appear whole or not at all: each is written beside its place and then renamed into it. Where
//! nothing can be renamed there but the file itself can be written, it is.

use super::pipe;
use super::places::{parent, special};
use super::print::{Printer, shown};
use super::temporary::Temporary;
use anyhow::{Result, anyhow};
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

/// What is written when a run is over: each file is tried, whatever became of the others.
#[derive(Default)]
pub struct Outputs {
    /// The files that are there.
    pub written: Vec<PathBuf>,
    missing: Vec<Missing>,
    /// What to do about it.
    advice: Option<String>,
}

struct Missing {
    flag: String,
    what: String,
    why: String,
}

impl Outputs {
    /// `bytes` as the file `path`, which the flag of `flag` has asked for.
    pub fn write(&mut self, flag: &str, path: &Path, bytes: Result<Vec<u8>>) {
        let written = bytes.and_then(|bytes| write(path, &bytes).map_err(|e| anyhow!(reason(&e))));
        match written {
            Ok(()) => self.written.push(path.to_owned()),
            Err(error) => self.miss(flag, &format!("cannot write {}", shown(path)), &error),
        }
    }

    /// A text without its last newline; the path "-" is stdout.
    pub fn text(&mut self, flag: &str, path: &Path, text: Result<String>) {
        let flag = format!("{flag} {}", shown(path));
        if !is_stdout(path) {
            let bytes = text.map(|text| (text + "\n").into_bytes());
            return self.write(&flag, path, bytes);
        }
        let printed = text.and_then(|text| {
            let mut out = Printer::default();
            out.line(text);
            out.finish().map_err(|e| anyhow!(reason(&e)))
        });
        if let Err(error) = printed {
            self.miss(&flag, "cannot write", &error);
        }
    }

    /// How printing to stdout has ended.
    pub fn printed(&mut self, out: Printer) {
        if let Err(error) = out.finish() {
            self.miss("stdout", "cannot write", &anyhow!(reason(&error)));
        }
    }

    /// Whether a path that was asked for is written.
    pub fn holds(&self, path: &Option<PathBuf>) -> bool {
        path.as_ref()
            .is_some_and(|path| self.written.contains(path))
    }

    /// `what` has failed.
    pub fn miss(&mut self, flag: &str, what: &str, why: &anyhow::Error) {
        self.missing.push(Missing {
            flag: flag.to_owned(),
            what: what.to_owned(),
            why: format!("{why:#}"),
        });
    }

    /// Said after what has failed.
    pub fn advise(&mut self, advice: String) {
        self.advice = Some(advice);
    }

    /// What has failed, and why: none where nothing has.
    pub fn missing(&self) -> Option<String> {
        let alike = |a: &Missing, b: &Missing| a.flag == b.flag && a.why == b.why;
        let together = |alike: &[Missing]| {
            let Missing { flag, why, .. } = &alike[0];
            let what: Vec<_> = alike.iter().map(|m| m.what.as_str()).collect();
            let what = what.join(", ").replace(", cannot write ", ", ");
            format!("{flag}: {what}: {why}")
        };
        let lines = self.missing.chunk_by(alike).map(together);
        let lines: Vec<_> = lines.chain(self.advice.clone()).collect();
        (!self.missing.is_empty()).then(|| lines.join("; "))
    }
}

/// Whether a path that is asked for is "-".
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// `bytes` as the file `path`; its directory is made where it is missing.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if special(path) {
        return pipe::write(path, bytes);
    }
    // The file behind a symbolic link, so that the link stays.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = parent(&path);
    fs::create_dir_all(dir)?;
    let moved = match Temporary::new(dir) {
        Ok(file) => {
            fill(&file, &path, bytes)?;
            file.rename(&path)
        }
        Err(error) => Err(error),
    };
    match moved {
        Err(_) if path.is_file() => write_into(&path, bytes),
        done => done,
    }
}

/// With the permissions of the file that it will replace.
fn fill(file: &Temporary, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(file.path(), bytes)?;
    match fs::metadata(path) {
        Ok(there) => fs::set_permissions(file.path(), there.permissions()),
        Err(_) => Ok(()),
    }
}

/// Writes into a file that stays: a mount of its own, or one in a directory of others' files. What it
/// held comes back where that fails.
fn write_into(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let before = fs::read(path).ok();
    let mut file = OpenOptions::new().write(true).open(path)?;
    let mut put = |bytes: &[u8]| {
        file.rewind()?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)
    };
    let done = put(bytes);
    if let (Err(_), Some(before)) = (&done, before) {
        // The error that counts is the first.
        _ = put(&before);
    }
    done
}

/// Without the temporary names that tempfile adds.
pub fn reason(error: &io::Error) -> String {
    let inner = error.source().and_then(|e| e.downcast_ref::<io::Error>());
    inner.unwrap_or(error).to_string()
}
