//! Is there memory for a run? A failed allocation deep in a tensor operation would end the program
//! without a word.

use super::args::Problem;
use anyhow::{Result, bail};
use candle_core::Device;
use candle_sine::sine::gradient::Method;

/// What a run holds at once, at most.
pub struct Needs {
    /// Tensors of the data's size.
    pub tensors: usize,
    /// Lists of a loss for each epoch,
    pub curves: usize,
    /// of so many.
    pub epochs: usize,
}

impl Needs {
    /// Fails where there is no room. Tensors on a GPU are its driver's to refuse.
    pub fn check(&self, problem: &Problem, device: &Device) -> Result<()> {
        let tensors = if device.is_cpu() { self.tensors } else { 0 };
        let tensor = problem.points as usize * problem.dtype.dtype().size_in_bytes();
        let data = tensor.saturating_mul(tensors);
        // A list that grows is copied to a larger place.
        let curves = self.curves + usize::from(self.curves > 0);
        let losses = self.epochs.saturating_mul(curves * size_of::<f64>());
        let needed = data.saturating_add(losses);
        if there_is(needed) {
            return Ok(());
        }
        let most = match data > losses {
            true => format!("--points {}", problem.points),
            false => format!("--epochs {}", self.epochs),
        };
        let gib = needed as f64 / 2f64.powi(30);
        bail!("{most}: this run needs some {gib:.1} GiB, more than there is")
    }
}

/// How many tensors of the data's size a way to the gradient holds at once, at most.
pub fn tensors(gradient: Method) -> usize {
    match gradient {
        Method::Manual | Method::Autograd => 5,
        Method::Optimizer => 20,
        Method::Fused | Method::Normal => 3,
    }
}

fn there_is(bytes: usize) -> bool {
    let mut room: Vec<u8> = vec![];
    available().is_none_or(|free| bytes <= free) && room.try_reserve_exact(bytes).is_ok()
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
