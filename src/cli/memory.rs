//! Is there memory for so many points? A failed allocation deep in a tensor operation would end the
//! program without a word.

use super::args::Problem;
use anyhow::{Result, bail};

/// Fails where there is no room for `tensors` of the data's size at once.
pub fn check(problem: &Problem, tensors: usize) -> Result<()> {
    let bytes = problem.points as usize * problem.dtype.dtype().size_in_bytes();
    let needed = bytes.saturating_mul(tensors);
    let mut room: Vec<u8> = vec![];
    if available().is_some_and(|free| needed > free) || room.try_reserve_exact(needed).is_err() {
        bail!(
            "--points {}: this run needs some {:.1} GiB, more than there is",
            problem.points,
            needed as f64 / 2f64.powi(30)
        );
    }
    Ok(())
}

/// What the system could hand out without swapping, where it says so; Linux grants a reservation
/// without looking.
fn available() -> Option<usize> {
    let report = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = report
        .lines()
        .find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}
