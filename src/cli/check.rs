//! `candle-sine check`: the manual gradient, candle's autograd and a numerical derivative.

mod rows;
mod table;

use super::args::{Problem, Rate, Start, positive_count, rate};
use super::memory::Needs;
use super::print::{self, Printer};
use super::{Answer, files, interrupt, json};
use anyhow::Result;
use candle_sine::device;
use candle_sine::gradcheck::Verdict;
use candle_sine::sine::gradient::Method;
use candle_sine::sine::train::{self, Pause};
use candle_sine::sine::{Data, Weights, post};
use rows::{Row, check_at, posts_gradient};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub problem: Problem,

    /// Check every K-th epoch of a training run too, not only the initial weights
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = positive_count)]
    every: Option<usize>,

    /// Length of that run
    #[arg(long, value_name = "N", default_value_t = post::EPOCHS, requires = "every", allow_negative_numbers = true, value_parser = positive_count)]
    epochs: usize,

    /// Step size of that run
    #[arg(long, value_name = "RATE", default_value_t = Rate(post::LEARNING_RATE), requires = "every", allow_hyphen_values = true, value_parser = rate)]
    learning_rate: Rate,

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
    interrupted: bool,
    agree: bool,
    rows: &'a [Row],
}

impl Args {
    fn json_to_stdout(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }
}

/// What was found, and how the run ended that it was found along.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    /// The epoch whose loss is not finite.
    diverged: Option<usize>,
    /// The epochs that were done before Ctrl-C came.
    interrupted: Option<usize>,
}

impl Found {
    /// No row disagrees, and not all are lost in rounding; and the run is one of numbers.
    fn agree(&self) -> bool {
        let rows = &self.rows;
        let certified = rows.iter().any(|r| r.verdict == Verdict::Pass);
        certified && !rows.iter().any(Row::disagrees) && self.diverged.is_none()
    }

    fn answer(&self) -> Answer {
        match (self.interrupted, self.agree()) {
            (Some(_), _) => Answer::Interrupted,
            (None, true) => Answer::Yes,
            (None, false) => Answer::No,
        }
    }
}

pub fn run(args: &Args) -> Result<Answer> {
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
    let mut out = Printer::quiet(args.json_to_stdout());
    args.problem.name_seed(&start, &mut out);
    table::head(&mut out);
    let found = check_run(args, &data, init, &mut out)?;
    conclude(args, &found, &mut out);
    write_json(args, &found, &start, &data)?;
    out.finish()?;
    Ok(found.answer())
}

fn conclude(args: &Args, found: &Found, out: &mut Printer) {
    match found.diverged {
        Some(epoch) => print::error(&format!(
            "the run diverged: its loss is not finite at epoch {epoch}"
        )),
        None => table::verdict(&found.rows, found.agree(), out),
    }
    let Some(done) = found.interrupted else {
        return;
    };
    let line = format!("interrupted after {done} of {} epochs", args.epochs);
    match args.json_to_stdout() {
        true => print::aside(&line),
        false => out.line(line),
    }
}

fn write_json(args: &Args, found: &Found, start: &Start, data: &Data) -> Result<()> {
    let Some(path) = &args.json else {
        return Ok(());
    };
    let report = Json {
        schema: 1,
        device: device::name(data.x.device()),
        dtype: args.problem.dtype.dtype().as_str(),
        points: args.problem.points,
        seed: start.seed,
        draw: start.draw,
        interrupted: found.interrupted.is_some(),
        agree: found.agree(),
        rows: &found.rows,
    };
    json::write(path, &report)
}

/// The rows of the initial weights, or of every K-th epoch.
fn check_run(args: &Args, data: &Data, init: Weights, out: &mut Printer) -> Result<Found> {
    let Some(every) = args.every else {
        let rows = check_at(1, data, &init, &posts_gradient)?;
        table::rows(&rows, out);
        return Ok(Found {
            rows,
            ..Found::default()
        });
    };
    interrupt::listen()?;
    let options = train::Options {
        epochs: args.epochs,
        learning_rate: args.learning_rate.0,
        log_every: every,
        ..train::Options::default()
    };
    let mut rows = vec![];
    let mut descent = Method::Manual.descent(data, &init)?;
    let history = train::train(descent.as_mut(), &options, &mut |pause: &Pause| {
        if pause.loss.is_some() {
            let weights = pause.y_pred_weights()?;
            let checked = check_at(pause.epoch, data, &weights, &posts_gradient)?;
            table::rows(&checked, out);
            rows.extend(checked);
        }
        Ok(interrupt::go_on())
    })?;
    let (diverged, done) = (history.diverged_after, history.losses.len());
    let cut = interrupt::asked() && diverged.is_none() && done < args.epochs;
    Ok(Found {
        rows,
        diverged,
        interrupted: cut.then_some(done),
    })
}
