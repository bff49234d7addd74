//! The command line: `candle-sine --help`.

#![warn(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
