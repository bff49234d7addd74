//! Ctrl-C, and what ends programs otherwise: SIGTERM and SIGHUP. The first asks a run to end where it
//! is; the second, or the first where no run is under way, ends the program. No temporary file stays.

#[cfg(unix)]
mod signals;
#[cfg(not(unix))]
mod signals {
    pub fn ignored() {}
    pub fn leave(_: &(), _: bool) {}
}

use super::temporary;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that Ctrl-C ended, by the shells' convention: 128 + SIGINT.
pub const STATUS: u8 = 130;

static UNDER_WAY: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);

/// From the program's start on. Where no thread can be had to listen, signals do what they do to any
/// program.
pub fn listen() {
    let handler = || {
        let first = !ASKED.swap(true, Ordering::Relaxed);
        if !(first && UNDER_WAY.load(Ordering::Relaxed)) {
            temporary::remove_all();
            std::process::exit(STATUS.into());
        }
    };
    let ignored = signals::ignored();
    let listening = ctrlc::set_handler(handler).is_ok();
    signals::leave(&ignored, listening);
}

/// A run has begun that ends where it is when it is asked to.
pub fn run_begins() {
    UNDER_WAY.store(true, Ordering::Relaxed);
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
