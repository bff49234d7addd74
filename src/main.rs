//! The command line: `candle-sine --help`.

#![warn(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cli;

use std::process::ExitCode;

/// A tensor operation allocates its result, and the system's allocator gives large blocks back and
/// fetches them anew each time, page by page. This one keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
