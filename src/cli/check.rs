//! `candle-sine check`: the manual gradient, candle's autograd and a numerical derivative.

mod rows;
mod table;

use super::args::{Problem, Seed, positive, positive_count};
use super::memory::Needs;
use super::print::{self, Printer};
use super::{Answer, files, json};
use anyhow::Result;
use candle_sine::device;
use candle_sine::gradcheck::Verdict;
use candle_sine::sine::gradient::Method;
use candle_sine::sine::train::{self, Epoch};
use candle_sine::sine::{Data, Weights};
use rows::{Row, check_at, post};
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    problem: Problem,

    /// Check every K-th epoch of a training run too, not only the initial weights
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = positive_count)]
    every: Option<usize>,

    /// Length of that run
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "every", allow_negative_numbers = true, value_parser = positive_count)]
    epochs: usize,

    /// Step size of that run
    #[arg(long, value_name = "RATE", default_value = "1e-6", requires = "every", allow_hyphen_values = true, value_parser = positive)]
    learning_rate: f64,

    /// Write the rows as JSON; "-" is stdout, which then holds nothing else
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    device: String,
    dtype: &'static str,
    points: u32,
    seed: Option<u64>,
    draw: Option<u32>,
    agree: bool,
    rows: &'a [Row],
}

pub fn run(args: &Args) -> Result<Answer> {
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    let file = files::not_stdout(&args.json).map(|path| ("--json", path));
    files::check_places(file.as_slice())?;
    let device = args.problem.open_device()?;
    let start = args.problem.start()?;
    let needs = Needs {
        tensors: 30,
        curves: usize::from(args.every.is_some()),
        epochs: args.epochs,
    };
    needs.check(&args.problem, &device)?;
    let data = args.problem.data(&device)?;
    let init = args.problem.weights(start.init, &device)?;
    let mut out = Printer::quiet(to_stdout);
    if args.problem.seed == Some(Seed::Random) {
        out.note(format_args!("--seed {}", start.seed.unwrap_or_default()));
    }
    table::head(&mut out);
    let (rows, diverged) = check_run(args, &data, init, &mut out)?;
    let agree = agree(&rows) && diverged.is_none();
    match diverged {
        Some(epoch) => print::error(&format!(
            "the run diverged: its loss is not finite at epoch {epoch}"
        )),
        None => table::verdict(&rows, agree, &mut out),
    }
    let report = Json {
        schema: 1,
        device: device::name(&device),
        dtype: args.problem.dtype.dtype().as_str(),
        points: args.problem.points,
        seed: start.seed,
        draw: start.draw,
        agree,
        rows: &rows,
    };
    if let Some(path) = &args.json {
        json::write(path, &report)?;
    }
    out.finish()?;
    Ok(if agree { Answer::Yes } else { Answer::No })
}

/// No row disagrees, and not all are lost in rounding.
fn agree(rows: &[Row]) -> bool {
    !rows.iter().any(Row::disagrees) && rows.iter().any(|r| r.verdict == Verdict::Pass)
}

/// The rows of the initial weights, or of every K-th epoch, and the epoch that diverged if one did.
fn check_run(
    args: &Args,
    data: &Data,
    init: Weights,
    out: &mut Printer,
) -> Result<(Vec<Row>, Option<usize>)> {
    let mut rows = vec![];
    let Some(every) = args.every else {
        rows.extend(check_at(1, data, &init, &post)?);
        table::rows(&rows, out);
        return Ok((rows, None));
    };
    let options = train::Options {
        epochs: args.epochs,
        learning_rate: args.learning_rate,
        log_every: every,
        ..train::Options::default()
    };
    let mut gradient = Method::Manual.over(data)?;
    let history = train::train(gradient.as_mut(), init, &options, &mut |epoch: &Epoch| {
        if epoch.loss.is_some() {
            let checked = check_at(epoch.epoch, data, epoch.weights, &post)?;
            table::rows(&checked, out);
            rows.extend(checked);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((rows, history.diverged_after))
}
