//! Ctrl-C: the first asks the run to end where it is, the second ends the program.

use anyhow::{Context, Result};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that Ctrl-C ended, by the shells' convention: 128 + SIGINT.
pub const STATUS: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// From here on; before, Ctrl-C ends the program at once, when there is nothing to write yet.
pub fn listen() -> Result<()> {
    let handler = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS.into());
        }
    };
    ctrlc::set_handler(handler).context("cannot listen for Ctrl-C")
}

pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// For the observer of a run.
pub fn go_on() -> ControlFlow<()> {
    match asked() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}
