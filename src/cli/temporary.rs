//! Files on their way to their places. Whatever ends the program, none of them stays.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{Builder, NamedTempFile};

/// Those there are. Whoever makes or renames one holds the lock, so that none is missed.
static THERE: Mutex<Vec<PathBuf>> = Mutex::new(vec![]);

/// Vanishes when dropped.
pub struct Temporary(NamedTempFile);

impl Temporary {
    /// A file in `dir`. Its mode is that of any new file, not tempfile's private one.
    pub fn new(dir: &Path) -> io::Result<Self> {
        let mut builder = Builder::new();
        builder.prefix(".candle-sine-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut there = there();
        let file = builder.tempfile_in(dir)?;
        there.push(file.path().to_owned());
        Ok(Self(file))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts it at `path`, over what is there.
    pub fn rename(self, path: &Path) -> io::Result<()> {
        let mut there = there();
        let name = self.path().to_owned();
        let renamed = self.0.persist(path);
        there.retain(|other| *other != name);
        renamed.map(drop).map_err(|error| error.error)
    }
}

/// Whether a file could be made in `dir`: one without a name is, where the system has such.
pub fn can_be_made_in(dir: &Path) -> io::Result<()> {
    tempfile::tempfile_in(dir).map(drop)
}

/// Before the program ends where it is; from then on none can be made.
pub fn remove_all() {
    remove(there());
}

/// The same where the lock may be this thread's own.
pub fn remove_all_but_do_not_wait() {
    if let Ok(there) = THERE.try_lock() {
        remove(there);
    }
}

fn remove(there: MutexGuard<'static, Vec<PathBuf>>) {
    for path in there.iter() {
        // What cannot be removed stays; there is nobody left to tell.
        _ = std::fs::remove_file(path);
    }
    std::mem::forget(there);
}

fn there() -> MutexGuard<'static, Vec<PathBuf>> {
    THERE.lock().unwrap_or_else(PoisonError::into_inner)
}
