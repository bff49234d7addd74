//! The only place that prints. One file a command; what they share lies beside them.

mod allocator;
mod args;
mod check;
mod compare;
mod divergence;
mod epilogue;
mod files;
mod guide;
mod interrupt;
mod json;
mod memory;
mod pipe;
mod places;
mod print;
mod progress;
mod temporary;
mod threads;
mod train;

pub use allocator::Allocator;
use anyhow::{Result, bail};
use args::one_line;
use clap::{Parser, Subcommand};
use files::Outputs;
use print::Printer;
use std::process::ExitCode;

/// Fits sin(x) with a cubic by gradient descent: a PyTorch tutorial, ported to candle.
///
/// Without a command it trains. At its defaults it repeats the run of the post
/// https://dongdongju96.github.io/posts/pytorch-2 and prints the post's table.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = epilogue::TRAIN)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Trains the cubic, prints the post's table and draws its plots (the default)
    #[command(after_help = epilogue::TRAIN)]
    Train(train::Args),
    /// Holds the manual gradient against candle's autograd and against a numerical derivative
    #[command(after_help = epilogue::CHECK)]
    Check(check::Args),
    /// Trains with every way to the gradient and sets their losses and times side by side
    #[command(after_help = epilogue::COMPARE)]
    Compare(compare::Args),
    /// Writes the guide: the post and the Rust side by side, and candle training in the page
    #[command(after_help = epilogue::GUIDE)]
    Guide(guide::Args),
}

/// What a command that could be carried out answers.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    /// And why, where the output does not say it.
    No(Option<String>),
    Interrupted,
}

impl Answer {
    /// An answer that cannot be had whole is none.
    fn with(self, outputs: &Outputs) -> Result<Self> {
        match (outputs.missing(), self) {
            (None, answer) => Ok(answer),
            (Some(missing), Self::No(Some(why))) => bail!("{missing}; {why}"),
            (Some(missing), _) => bail!(missing),
        }
    }
}

pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            return help(error.render().ansi().to_string().trim_end());
        }
        Err(error) => return could_not(&one_line(&error.to_string())),
    };
    match start(&cli).and_then(|()| dispatch(&cli)) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No(why)) => {
            if let Some(why) = why {
                print::error(&one_line(&why));
            }
            ExitCode::from(1)
        }
        Ok(Answer::Interrupted) => ExitCode::from(interrupt::STATUS),
        Err(error) => could_not(&one_line(&format!("{error:#}"))),
    }
}

fn help(text: &str) -> ExitCode {
    let mut out = Printer::default();
    out.line(text);
    match out.finish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => could_not(&format!("stdout: cannot write: {error}")),
    }
}

/// What all commands need. Threads first: some must not run yet when the environment is set.
fn start(cli: &Cli) -> Result<()> {
    match cli.command {
        Some(Command::Guide(_)) => {}
        _ => threads::start()?,
    }
    interrupt::listen();
    Ok(())
}

fn dispatch(cli: &Cli) -> Result<Answer> {
    match &cli.command {
        None => train::run(&cli.train),
        Some(Command::Train(args)) => train::run(args),
        Some(Command::Check(args)) => check::run(args),
        Some(Command::Compare(args)) => compare::run(args),
        Some(Command::Guide(args)) => guide::run(args),
    }
}

fn could_not(message: &str) -> ExitCode {
    print::error(message);
    ExitCode::from(2)
}
