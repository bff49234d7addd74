//! The only place that prints. One file a command; what they share lies beside them.

mod args;
mod audit;
mod check;
mod files;
mod print;
mod train;

use anyhow::{Context, Result};
use args::one_line;
use clap::{Parser, Subcommand};
use print::Printer;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

/// Fits sin(x) with a cubic by gradient descent: a PyTorch tutorial, ported to candle.
///
/// Without a command it trains. At its defaults it repeats the run of the post
/// https://dongdongju96.github.io/posts/pytorch-2 and prints the post's table.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Trains the cubic, prints the post's table and draws its plots (the default)
    #[command(after_help = EXIT_CODES)]
    Train(train::Args),
    /// Holds the manual gradient against candle's autograd and against a numerical derivative
    #[command(after_help = EXIT_CODES)]
    Check(check::Args),
    /// Holds candle's own gradients against numerical derivatives, function by function
    #[command(after_help = EXIT_CODES)]
    Audit(audit::Args),
}

const EXIT_CODES: &str = "Exit status: 0 yes; 1 a negative answer (the loss diverged, gradients \
disagree, the audit differs from its record); 2 it could not be done.";

/// What a command that could be carried out answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
}

pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            Printer::default().line(error.render().ansi().to_string().trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => return could_not(&one_line(&error.to_string())),
    };
    match dispatch(&cli) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => could_not(&one_line(&format!("{error:#}"))),
    }
}

fn dispatch(cli: &Cli) -> Result<Answer> {
    match &cli.command {
        None => train::run(&cli.train),
        Some(Command::Train(args)) => train::run(args),
        Some(Command::Check(args)) => check::run(args),
        Some(Command::Audit(args)) => audit::run(args),
    }
}

/// Pretty JSON with a newline at its end; the path "-" is stdout.
fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut json = serde_json::to_string_pretty(value)?;
    if path == Path::new("-") {
        let mut out = Printer::default();
        out.line(json);
        return out.finish();
    }
    json.push('\n');
    files::write(path, json.as_bytes()).with_context(|| format!("--json {}", path.display()))
}

fn could_not(message: &str) -> ExitCode {
    print::error(message);
    ExitCode::from(2)
}
