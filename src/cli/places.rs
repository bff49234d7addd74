//! Are the places of a run's files fit for them? Found out before any work is done; nothing is left
//! behind.

use super::print::shown;
use super::temporary;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// What a run does with a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads a file there,
    Read,
    /// writes a file there,
    Written,
    /// writes a file there, which may be the one that is read,
    Renewed,
    /// or puts files into a directory there.
    Filled,
}

/// A place, under the flag that names it.
pub struct Place {
    pub flag: &'static str,
    pub path: PathBuf,
    pub role: Role,
}

impl Place {
    pub fn new(flag: &'static str, path: impl Into<PathBuf>, role: Role) -> Self {
        let path = path.into();
        Self { flag, path, role }
    }

    fn check(&self) -> Result<()> {
        match self.role {
            Role::Read if self.path.is_dir() => bail!("cannot read it: it is a directory"),
            Role::Read => Ok(()),
            Role::Written | Role::Renewed => check_file(&self.path),
            Role::Filled => check_dir(&self.path),
        }
    }

    fn named(&self) -> String {
        format!("{} {}", self.flag, shown(&self.path))
    }

    /// Why `self` and `other`, which comes before it, cannot both be had.
    fn clash(&self, other: &Place) -> Option<String> {
        use Role::{Filled, Read, Renewed};
        let (here, there) = (resolved(&self.path)?, resolved(&other.path)?);
        let flag = other.flag;
        if here == there {
            return match (other.role, self.role) {
                (Read, Read | Renewed) | (Filled, Filled) => None,
                (Read, _) => Some(format!("{flag} reads the same file")),
                (Filled, _) => Some(format!("it is the directory of {flag}")),
                (_, Filled) => Some(format!("{flag} writes a file there")),
                (_, _) => Some(format!("{flag} writes the same file")),
            };
        }
        if other.role != Filled && through(&self.path, &here).any(|dir| dir == there) {
            return Some(format!("{flag} has a file at {}", shown(&other.path)));
        }
        let inside = self.role != Filled && through(&other.path, &there).any(|dir| dir == here);
        inside.then(|| format!("{} needs it as a directory", other.named()))
    }
}

/// Fails where a place is unfit for its role, or no place for it together with another.
pub fn check(places: &[Place]) -> Result<()> {
    for (i, place) in places.iter().enumerate() {
        place.check().with_context(|| place.named())?;
        if let Some(why) = places[..i].iter().find_map(|other| place.clash(other)) {
            bail!("{}: {why}", place.named());
        }
    }
    Ok(())
}

/// Fails where JSON, which holds Unicode alone, could not name a file that is written.
pub fn check_names(places: &[Place]) -> Result<()> {
    let written = places.iter().filter(|place| place.role != Role::Read);
    let mut nameless = written.filter(|place| place.path.to_str().is_none());
    match nameless.next() {
        Some(place) => bail!("{}: --json cannot name it: it is not UTF-8", place.named()),
        None => Ok(()),
    }
}

/// What nothing may be renamed over: a device, a pipe, or what this program has open, also where that
/// is a file.
pub fn special(path: &Path) -> bool {
    let file = fs::metadata(path).map(|m| (m.is_file(), m.is_dir()));
    match file {
        Ok((true, _)) => open_already(path),
        Ok((_, directory)) => !directory,
        Err(_) => false,
    }
}

/// `/dev/stdout`, `/dev/fd/3`, or a link to one.
fn open_already(path: &Path) -> bool {
    let ours = ["/proc", "/dev/fd", "/dev/stdout", "/dev/stderr"].map(Path::new);
    let mut place = path.to_owned();
    // The system follows no more links either.
    for _ in 0..40 {
        let absolute = std::path::absolute(&place).unwrap_or_default();
        if ours.iter().any(|dir| absolute.starts_with(dir)) {
            return true;
        }
        match fs::read_link(&place) {
            Ok(link) => place = parent(&place).join(link),
            Err(_) => return false,
        }
    }
    false
}

/// The directory of a file.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// `dir` is no directory that files can be put into, or could not be made.
fn check_dir(dir: &Path) -> Result<()> {
    for place in dir.ancestors().filter(|d| !d.as_os_str().is_empty()) {
        match fs::metadata(place) {
            Ok(found) if !found.is_dir() => bail!("{} is not a directory", shown(place)),
            Ok(_) => return check_writable(place),
            Err(_) if place.is_symlink() => bail!("{} is a link that leads nowhere", shown(place)),
            Err(error) if absent(&error) => {}
            Err(error) => return Err(error).with_context(|| shown(place)),
        }
    }
    check_writable(Path::new("."))
}

fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn check_writable(dir: &Path) -> Result<()> {
    match temporary::can_be_made_in(dir) {
        Ok(()) => Ok(()),
        Err(error) => bail!("cannot write into {}: {}", shown(dir), error.kind()),
    }
}

fn check_file(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => bail!("{} is a directory", shown(path)),
        Ok(_) if special(path) => return Ok(()),
        Ok(_) => return check_present(path),
        Err(_) if path.is_symlink() => bail!("{} is a link that leads nowhere", shown(path)),
        Err(error) if !absent(&error) => return Err(error).with_context(|| shown(path)),
        Err(_) => {}
    }
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.file_name().is_none() {
        bail!("{} is not the name of a file", shown(path));
    }
    check_dir(parent(path))
}

/// A file that is there can be replaced where its directory can be written, and written into where it
/// can itself; an immutable one neither.
fn check_present(path: &Path) -> Result<()> {
    match fs::OpenOptions::new().write(true).open(path) {
        Ok(_) => Ok(()),
        #[cfg(unix)]
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            bail!("{} can be neither replaced nor written", shown(path))
        }
        Err(_) => check_dir(parent(path)),
    }
}

/// The directories on the way to `path`, whose place is `place`: through `a`, too, for `a/../b`.
fn through(path: &Path, place: &Path) -> impl Iterator<Item = PathBuf> {
    let named = path.ancestors().skip(1).filter_map(resolved);
    let real = place.ancestors().skip(1).map(Path::to_owned);
    named.chain(real.collect::<Vec<_>>())
}

/// The absolute path without `.` and `..`: through links as far as it is there, then by its names.
fn resolved(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let there = absolute.ancestors().find_map(|dir| {
        let real = fs::canonicalize(dir).ok()?;
        Some((real, absolute.strip_prefix(dir).ok()?))
    });
    let (mut place, rest) = there.unwrap_or((PathBuf::new(), &absolute));
    for component in rest.components() {
        match component {
            Component::ParentDir => _ = place.pop(),
            other => place.push(other),
        }
    }
    Some(place)
}
