//! Files appear whole or not at all. Their places are tried before the work.

use super::print::Printer;
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that is going to be written, and the option that asks for it. The path "-" is stdout.
pub struct Output {
    option: &'static str,
    pub path: PathBuf,
}

impl Output {
    pub fn new(option: &'static str, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { option, path }
    }

    pub fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// As on the command line.
    fn name(&self) -> String {
        format!("{} {}", self.option, self.path.display())
    }

    /// Writes it beside its place and renames it; missing directories are made.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        if self.is_stdout() {
            let mut out = Printer::new(false);
            out.line(String::from_utf8_lossy(bytes));
            return out.finish();
        }
        put(&self.path, bytes).with_context(|| format!("{}: cannot write it", self.name()))
    }
}

/// Fails where a file could not be written, or two of them would be in each other's place.
pub fn try_places(outputs: &[Output]) -> Result<()> {
    let mut tried: Vec<(PathBuf, &Output)> = vec![];
    for output in outputs.iter().filter(|output| !output.is_stdout()) {
        let place = try_place(&output.path).with_context(|| output.name())?;
        let clash = tried
            .iter()
            .find(|t| place.starts_with(&t.0) || t.0.starts_with(&place));
        if let Some((_, other)) = clash {
            bail!("{}: there is the place of {}", output.name(), other.name());
        }
        tried.push((place, output));
    }
    Ok(())
}

/// Leaves nothing behind.
fn try_place(path: &Path) -> Result<PathBuf> {
    let place = std::path::absolute(path)?;
    if place.is_dir() {
        bail!("that is a directory");
    }
    let mut above = place.ancestors().skip(1);
    let there = above.find(|dir| dir.exists()).context("no directory")?;
    if !there.is_dir() {
        bail!("{} is not a directory", there.display());
    }
    if place.is_file() || !place.exists() {
        tempfile::tempfile_in(there)
            .map_err(|e| anyhow!("cannot write into {}: {}", there.display(), e.kind()))?;
    }
    Ok(place)
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // The file behind a symbolic link, so that the link stays.
    let path = fs::canonicalize(path).or_else(|_| std::path::absolute(path))?;
    if path.exists() && !path.is_file() {
        // A device or a pipe.
        return fs::write(&path, bytes);
    }
    let dir = path.parent().unwrap_or(&path);
    fs::create_dir_all(dir)?;
    let mut builder = tempfile::Builder::new();
    // The mode of any new file, not tempfile's private one.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}
