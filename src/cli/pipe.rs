//! Named pipes and devices. A pipe whose other end nobody opens would have the program wait for ever.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;

/// Writes to what is there: a device, or a pipe once it is read.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    #[cfg(unix)]
    unix::wait_for_a_reader(path)?;
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.write_all(bytes)
}

/// Reads to the end, but no more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    #[cfg(unix)]
    if unix::is_pipe(path) {
        return unix::read(path, most);
    }
    let mut bytes = vec![];
    std::fs::File::open(path)?
        .take(most)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    /// How long the other end may take to open.
    const PATIENCE: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_millis(10);

    pub fn is_pipe(path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|m| m.file_type().is_fifo())
    }

    /// To open a pipe at once for writing fails where nobody has it open for reading.
    pub fn wait_for_a_reader(path: &Path) -> io::Result<()> {
        let began = Instant::now();
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(libc::O_NONBLOCK);
        while is_pipe(path) {
            match options.open(path) {
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {}
                other => return other.map(drop),
            }
            if began.elapsed() > PATIENCE {
                return Err(nobody("reads"));
            }
            sleep(PAUSE);
        }
        Ok(())
    }

    /// To read at once gives nothing where nobody writes, and would block where nothing is written yet.
    pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let began = Instant::now();
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        let mut file = file.take(most);
        let (mut bytes, mut opened) = (vec![], false);
        loop {
            match file.read_to_end(&mut bytes) {
                Ok(0) if !opened && bytes.is_empty() && began.elapsed() > PATIENCE => {
                    return Err(nobody("writes to"));
                }
                Ok(0) if !opened && bytes.is_empty() => {}
                Ok(_) => return Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => opened = true,
                Err(error) => return Err(error),
            }
            sleep(PAUSE);
        }
    }

    fn nobody(does: &str) -> io::Error {
        io::Error::other(format!("nobody {does} this pipe"))
    }
}
