//! Files appear whole or not at all: each is written beside its place and then renamed into it.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// Fails, before any work is done, where `dir` is no directory that files can be put into, or
/// could not be made. Leaves nothing behind.
pub fn check_dir(dir: &Path) -> Result<()> {
    let existing = dir.ancestors().find(|d| d.exists());
    let existing = existing.filter(|d| !d.as_os_str().is_empty());
    let existing = existing.unwrap_or(Path::new("."));
    if !existing.is_dir() {
        bail!("{} is not a directory", existing.display());
    }
    temporary(existing)
        .map(drop)
        .with_context(|| format!("cannot write into {}", existing.display()))
}

/// As [`check_dir`], for the place of a file.
pub fn check_file(path: &Path) -> Result<()> {
    if path.is_dir() {
        bail!("{} is a directory", path.display());
    }
    if special(path) {
        return Ok(());
    }
    let dir = parent(path);
    if !dir.is_dir() {
        bail!("{} is not a directory", dir.display());
    }
    check_dir(dir)
}

/// Writes `bytes` as the file `path`; its directory is made where it is missing.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    if special(path) {
        return Ok(fs::write(path, bytes)?);
    }
    let path = target(path);
    let dir = parent(&path);
    fs::create_dir_all(dir)?;
    let mut file = temporary(dir)?;
    file.write_all(bytes)?;
    file.persist(&path)?;
    Ok(())
}

/// The file behind a symbolic link, so that the link stays.
fn target(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// `/dev/stdout` and the like: nothing may be renamed over them.
fn special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Vanishes when dropped. Its mode is that of any new file, not tempfile's private one.
fn temporary(dir: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".candle-sine-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir)
}
