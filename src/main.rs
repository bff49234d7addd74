//! The command line: `candle-sine --help`.

#![warn(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cli;

use std::process::ExitCode;

// A tensor operation allocates its result, and the system's allocator fetches large blocks anew each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
