//! The only place that prints. One file a command; what they share lies beside them.

mod args;
mod check;
mod files;
mod guide;
mod interrupt;
mod pictures;
mod print;
mod report;
mod run;
mod train;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Fits sin(x) with a cubic by gradient descent: a PyTorch tutorial, ported to candle.
///
/// Without a command it trains. At its defaults it repeats the run of the post
/// https://dongdongju96.github.io/posts/pytorch-2 and prints the post's table.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, args_override_self = true,
    after_help = train::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Trains the cubic, prints the post's table and draws its plots (the default)
    #[command(after_help = train::HELP)]
    Train(train::Args),
    /// Compares the gradient that the post writes by hand with candle's and with a numeric one
    #[command(after_help = check::HELP)]
    Check(check::Args),
    /// Writes the guide: the post and the Rust side by side, and candle training in the page
    Guide(guide::Args),
}

/// What a command that could be carried out answers.
enum Answer {
    Yes,
    /// And why
    No(String),
    Interrupted,
}

pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return could_not(&error.to_string()),
        Err(help) => {
            _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let answer = match &cli.command {
        None => train::run(&cli.train),
        Some(Command::Train(args)) => train::run(args),
        Some(Command::Check(args)) => check::run(args),
        Some(Command::Guide(args)) => guide::run(args),
    };
    match answer {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No(why)) => {
            print::error(&why);
            ExitCode::from(1)
        }
        Ok(Answer::Interrupted) => ExitCode::from(interrupt::STATUS),
        Err(error) => could_not(&format!("{error:#}")),
    }
}

fn could_not(message: &str) -> ExitCode {
    print::error(message);
    ExitCode::from(2)
}
