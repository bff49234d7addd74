//! Ctrl-C: the first asks a run to end after its epoch, the second ends the program.

use super::print;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that Ctrl-C ended, by the shells' convention: 128 + SIGINT.
pub const STATUS: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// A run begins that looks at [`asked`] after each epoch. Before, Ctrl-C ends the program.
pub fn listen() {
    let handler = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS.into());
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        print::warning(&format!("Ctrl-C will write nothing: {error}"));
    }
}

pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
