//! Ctrl-C: the first asks a run to end after its epoch, the second ends the program.

use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that Ctrl-C ended, by the shells' convention: 128 + SIGINT.
pub const STATUS: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// A run begins that looks at [`asked`] after each epoch. Before, Ctrl-C ends the program.
pub fn listen() -> Result<()> {
    let handler = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS.into());
        }
    };
    ctrlc::set_handler(handler).context("Ctrl-C")
}

pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
