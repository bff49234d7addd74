//! Files appear whole or not at all. Their places are tried before the work.

use super::print::Printer;
use anyhow::{Context, Result, bail};
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that is going to be written, and the option that asks for it. The path "-" is stdout.
#[derive(Clone)]
pub struct Output {
    option: &'static str,
    pub path: PathBuf,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.option, self.path.display())
    }
}

impl Output {
    pub fn new(option: &'static str, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { option, path }
    }

    pub fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Writes it beside its place and renames it; missing directories are made.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        if self.is_stdout() {
            let mut out = Printer::new(false);
            out.line(String::from_utf8_lossy(bytes).trim_end());
            return out.finish();
        }
        put(&self.path, bytes).with_context(|| format!("{self}: cannot write it"))
    }
}

/// Fails where a file could not be written, or two of them would be in each other's place.
pub fn try_places(outputs: &[Output]) -> Result<()> {
    let mut tried: Vec<(PathBuf, &Output)> = vec![];
    for output in outputs.iter().filter(|output| !output.is_stdout()) {
        let place = try_place(&output.path).with_context(|| output.to_string())?;
        let clash =
            |(other, _): &&(PathBuf, _)| place.starts_with(other) || other.starts_with(&place);
        if let Some((_, other)) = tried.iter().find(clash) {
            bail!("{output}: there is the place of {other}");
        }
        tried.push((place, output));
    }
    Ok(())
}

/// The place without links. Nothing is left behind in it.
fn try_place(path: &Path) -> Result<PathBuf> {
    let place = match fs::canonicalize(path) {
        Ok(place) => place,
        Err(_) => std::path::absolute(path)?,
    };
    if place.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        bail!("that is a directory");
    }
    if place.exists() && !place.is_file() {
        return Ok(place);
    }
    let mut above = place.ancestors().skip(1);
    let there = above.find(|dir| dir.exists()).context("no directory")?;
    if !there.is_dir() {
        bail!("{} is not a directory", there.display());
    }
    tempfile::tempfile_in(there).map_err(|error| {
        anyhow::anyhow!("cannot write into {}: {}", there.display(), error.kind())
    })?;
    Ok(fs::canonicalize(there)?.join(place.strip_prefix(there)?))
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // The file behind a symbolic link, so that the link stays.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() && !path.is_file() {
        // A device or a pipe.
        return fs::write(&path, bytes);
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut builder = tempfile::Builder::new();
    // The mode of any new file, not tempfile's private one.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}
