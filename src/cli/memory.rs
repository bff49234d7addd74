//! Is there memory for so many points? A failed allocation deep in a tensor operation would end the
//! program without a word.

use super::args::Problem;
use anyhow::{Result, bail};

/// Fails where the process may not have room for `tensors` of the data's size at once.
pub fn check(problem: &Problem, tensors: usize) -> Result<()> {
    let bytes = problem.points as usize * problem.dtype.dtype().size_in_bytes();
    let mut room: Vec<u8> = vec![];
    if room
        .try_reserve_exact(bytes.saturating_mul(tensors))
        .is_err()
    {
        let gib = bytes as f64 * tensors as f64 / 2f64.powi(30);
        bail!(
            "--points {}: this run needs some {gib:.1} GiB, more than there is",
            problem.points
        );
    }
    Ok(())
}
