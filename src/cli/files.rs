//! Files appear whole or not at all: each is written beside its place and then renamed into it.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// Fails, before any work is done, where `dir` is no directory that files can be put into, or
/// could not be made. Leaves nothing behind.
pub fn check_dir(dir: &Path) -> Result<()> {
    for place in dir.ancestors().filter(|d| !d.as_os_str().is_empty()) {
        match fs::metadata(place) {
            Ok(found) if !found.is_dir() => bail!("{} is not a directory", place.display()),
            Ok(_) => return check_writable(place),
            Err(_) if place.is_symlink() => {
                bail!("{} is a link that leads nowhere", place.display())
            }
            Err(error) if absent(&error) => {}
            Err(error) => return Err(error).with_context(|| place.display().to_string()),
        }
    }
    check_writable(Path::new("."))
}

fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn check_writable(dir: &Path) -> Result<()> {
    match temporary(dir) {
        Ok(_) => Ok(()),
        Err(error) => bail!("cannot write into {}: {}", dir.display(), error.kind()),
    }
}

/// As [`check_dir`], for the place of a file.
fn check_file(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => bail!("{} is a directory", path.display()),
        Ok(found) if !found.is_file() => return Ok(()),
        Err(_) if path.is_symlink() => bail!("{} is a link that leads nowhere", path.display()),
        Err(error) if !absent(&error) => {
            return Err(error).with_context(|| path.display().to_string());
        }
        _ => {}
    }
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.file_name().is_none() {
        bail!("{} is not the name of a file", path.display());
    }
    check_dir(parent(path))
}

/// As [`check_file`], for every file that a run will write, each under the flag that asks for it. No two
/// may be the same.
pub fn check_places(places: &[(&str, PathBuf)]) -> Result<()> {
    for (i, (flag, path)) in places.iter().enumerate() {
        let named = || format!("{flag} {}", path.display());
        check_file(path).with_context(named)?;
        if let Some((other, _)) = places[..i].iter().find(|p| same_place(&p.1, path)) {
            bail!("{}: {other} writes the same file", named());
        }
    }
    Ok(())
}

/// The path of a file that is asked for, unless it is "-", stdout.
pub fn not_stdout(path: &Option<PathBuf>) -> Option<PathBuf> {
    path.clone().filter(|path| path != Path::new("-"))
}

/// Whether two paths are the same place: through links where they are there, by their names where they
/// are not yet.
fn same_place(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let dir = fs::canonicalize(parent(path)).ok();
        let named = dir.and_then(|dir| Some(dir.join(path.file_name()?)));
        fs::canonicalize(path)
            .ok()
            .or(named)
            .or_else(|| by_name(path))
    };
    place(one).is_some_and(|one| Some(one) == place(other))
}

/// The absolute path without `.` and `..`.
fn by_name(path: &Path) -> Option<PathBuf> {
    let mut place = PathBuf::new();
    for component in std::path::absolute(path).ok()?.components() {
        match component {
            Component::ParentDir => _ = place.pop(),
            other => place.push(other),
        }
    }
    Some(place)
}

/// Writes `bytes` as the file `path`; its directory is made where it is missing.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    place(path, |file| Ok(fs::write(file, bytes)?))
}

/// Has `fill` write a file and puts it at `path`; its directory is made where it is missing.
pub fn place(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    put(path, fill).with_context(|| format!("cannot write {}", path.display()))
}

fn put(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if special(path) {
        // `fill` may rename what it has written into place, and a device would be gone.
        let file = temporary(&std::env::temp_dir())?;
        fill(file.path())?;
        return Ok(fs::write(path, fs::read(file.path())?)?);
    }
    let path = target(path);
    let dir = parent(&path);
    fs::create_dir_all(dir)?;
    let file = temporary(dir)?;
    // Those of the file that was there, or of any new one, whatever `fill` does to them.
    let permissions = fs::metadata(&path)
        .or_else(|_| fs::metadata(file.path()))?
        .permissions();
    fill(file.path())?;
    fs::set_permissions(file.path(), permissions)?;
    file.persist(&path).map_err(|error| error.error)?;
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
