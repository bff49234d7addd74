//! Is there memory for a run? Where there is less than it needs, the system ends it without a word.

mod room;

pub use room::addresses_are_limited;

use super::args::{Precision, Problem};
use anyhow::{Result, bail};
use candle_core::Device;
use candle_sine::sine::gradient::Method;

/// The bytes that a run holds at once, at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// Of the data's size.
    pub points: usize,
    /// Of what grows with the epochs,
    pub epochs: usize,
    /// of which there are so many.
    pub count: usize,
    /// Whatever the size.
    pub rest: usize,
}

/// The program and its threads.
const PROGRAM: usize = 16 << 20;

/// A picture while it is drawn, one on each thread.
pub const PICTURE: usize = 20 << 20;

/// Of the pictures before, by an allocator that keeps what it has.
const KEPT: usize = 30 << 20;

/// An entry of a log in JSON, while its text grows and is then copied.
pub const LOGGED: usize = 240;

impl Needs {
    /// Fails where there is no room. Tensors on a GPU are its driver's to refuse.
    pub fn check(&self, problem: &Problem, device: &Device) -> Result<()> {
        let points = if device.is_cpu() { self.points } else { 0 };
        let sized = points.saturating_add(self.epochs);
        let needed = sized.saturating_add(self.rest + PROGRAM);
        let room = room::available();
        if room.is_none_or(|room| needed <= room) {
            return Ok(());
        }
        let most = match points >= self.epochs {
            true => format!("--points {}", problem.points),
            false => format!("--epochs {}", self.count),
        };
        let (needed, room) = (shown(needed), shown(room.unwrap_or_default()));
        bail!("{most}: this run needs some {needed} of memory, and there are {room}")
    }
}

/// Bytes for each point, at most: measured at 3 and 6 million points, with either allocator.
pub fn a_point(gradient: Method, dtype: Precision) -> usize {
    let tensor = dtype.dtype().size_in_bytes();
    match gradient {
        // x, y, x², x³, and what an epoch makes.
        Method::Manual | Method::Autograd => 51 * tensor / 10,
        // The columns of the layer beside them, and a graph of all.
        Method::Optimizer => 245 * tensor / 10,
        // x, y.
        Method::Fused | Method::Normal => 22 * tensor / 10,
    }
}

/// What grows with the epochs: `curves` lists of a loss, of which one is copied when it grows, and in
/// JSON every `log_every`-th of them.
pub fn losses(epochs: usize, curves: usize, log_every: Option<usize>) -> usize {
    let lists = epochs.saturating_mul((curves + 1) * size_of::<f64>());
    let logged = log_every.map_or(0, |every| epochs.div_ceil(every));
    lists.saturating_add(logged.saturating_mul(curves * LOGGED))
}

/// Pictures of which as many are drawn at the same time as there are threads.
pub fn pictures(count: usize) -> usize {
    let kept = if addresses_are_limited() { 0 } else { KEPT };
    kept + count.min(rayon::current_num_threads()) * PICTURE
}

fn shown(bytes: usize) -> String {
    let mib = bytes as f64 / 2f64.powi(20);
    match mib < 1000. {
        true => format!("{mib:.0} MiB"),
        false => format!("{:.1} GiB", mib / 1024.),
    }
}
