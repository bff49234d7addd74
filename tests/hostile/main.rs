//! The program under a hostile hand: arguments, numbers, places, checkpoints, signals, limits and threads
//! by chance. Whatever comes, it answers by an exit status of its own, in lines, and leaves nothing half
//! written.
//!
//! `CANDLE_SINE_SEED` chooses the chance (0 unless it is set), `CANDLE_SINE_LONGER` multiplies the runs.
//! A failure names its seed.

#[path = "../common/mod.rs"]
mod common;

mod arguments;
mod chance;
mod checkpoints;
#[cfg(target_os = "linux")]
mod limits;
mod numbers;
mod places;
mod program;
#[cfg(unix)]
mod signals;
mod threads;
