//! `candle-sine check`: the manual gradient, candle's autograd and a numerical derivative.

mod rows;
mod table;

use super::args::{Precision, Problem, Rate, Start, positive_count, rate};
use super::divergence;
use super::files::{Outputs, is_stdout};
use super::memory::{self, Needs};
use super::places::{self, Place, Role};
use super::print::{self, Printer};
use super::{Answer, interrupt, json};
use anyhow::Result;
use candle_sine::device;
use candle_sine::gradcheck::Verdict;
use candle_sine::sine::gradient::Method;
use candle_sine::sine::train::{self, Pause};
use candle_sine::sine::{Data, Weights, post};
use rows::{Row, check_at, posts_gradient};
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::PathBuf;

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
    fn needs(&self) -> Needs {
        let epochs = if self.every.is_some() { self.epochs } else { 1 };
        let rows = 4usize.saturating_mul(epochs.div_ceil(self.every.unwrap_or(1)));
        // A list that grows is copied to a place of twice its size.
        let row = 2 * size_of::<Row>() + self.json.as_ref().map_or(0, |_| ROW_IN_JSON);
        let losses = memory::losses(epochs, 1, None);
        Needs {
            points: a_point(self.problem.dtype).saturating_mul(self.problem.points as usize),
            epochs: losses.saturating_add(rows.saturating_mul(row)),
            count: self.epochs,
            rest: 0,
        }
    }

    fn json_to_stdout(&self) -> bool {
        self.json.as_deref().is_some_and(is_stdout)
    }
}

/// Bytes for each point, at most: numeric derivatives are taken in f64 whatever the dtype.
fn a_point(dtype: Precision) -> usize {
    match dtype {
        Precision::F32 => 250,
        Precision::F64 => 232,
    }
}

/// Bytes of a row in JSON, while its text grows and is then copied.
const ROW_IN_JSON: usize = 1200;

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

    /// What is printed where the gradients agree; else why that is no yes.
    fn verdict(&self, args: &Args) -> Result<String, String> {
        match self.diverged {
            Some(1) => Err(divergence::too_large(&args.problem)),
            Some(epoch) => Err(format!(
                "the run diverged: its loss is not finite at epoch {epoch}"
            )),
            None => table::verdict(&self.rows, self.agree(), args.problem.dtype),
        }
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    let file = args.json.as_ref().filter(|path| !is_stdout(path));
    let place = file.map(|path| Place::new("--json", path, Role::Written));
    places::check(place.as_slice())?;
    let device = args.problem.open_device()?;
    let start = args.problem.start()?;
    args.needs().check(&args.problem, &device)?;
    let data = args.problem.data(&device)?;
    let init = args.problem.weights(start.init, &device)?;
    let mut out = Printer::quiet(args.json_to_stdout());
    args.problem.name_seed(&start, &mut out);
    table::head(&mut out);
    let found = check_run(args, &data, init, &mut out)?;
    let mut outputs = Outputs::default();
    if let Some(path) = &args.json {
        json::write(&mut outputs, path, &report(args, &found, &start, &data));
    }
    let answer = conclude(args, &found, &mut out);
    outputs.printed(out);
    answer.with(&outputs)
}

fn conclude(args: &Args, found: &Found, out: &mut Printer) -> Answer {
    let verdict = found.verdict(args);
    if let Ok(line) = &verdict {
        out.line(format_args!("\n{line}"));
    }
    let Some(done) = found.interrupted else {
        return match verdict {
            Ok(_) => Answer::Yes,
            Err(why) => Answer::No(Some(why)),
        };
    };
    let line = format!("interrupted after {done} of {} epochs", args.epochs);
    let line = match verdict {
        Ok(_) => line,
        Err(why) => format!("{why}; {line}"),
    };
    match args.json_to_stdout() {
        true => print::aside(&line),
        false => out.line(line),
    }
    Answer::Interrupted
}

fn report<'a>(args: &Args, found: &'a Found, start: &Start, data: &Data) -> Json<'a> {
    Json {
        schema: 1,
        device: device::name(data.x.device()),
        dtype: args.problem.dtype.dtype().as_str(),
        points: args.problem.points,
        seed: start.seed,
        draw: start.draw,
        interrupted: found.interrupted.is_some(),
        agree: found.agree(),
        rows: &found.rows,
    }
}

/// The rows of the initial weights, or of every K-th epoch.
fn check_run(args: &Args, data: &Data, init: Weights, out: &mut Printer) -> Result<Found> {
    let Some(every) = args.every else {
        let mut found = Found::default();
        match check_at(1, data, &init, &posts_gradient)? {
            Some(rows) => found.rows = rows,
            None => found.diverged = Some(1),
        }
        table::rows(&found.rows, out);
        return Ok(found);
    };
    interrupt::run_begins();
    let options = train::Options {
        epochs: args.epochs,
        learning_rate: args.learning_rate.0,
        log_every: every,
        ..train::Options::default()
    };
    let (mut rows, mut too_large) = (vec![], None);
    let mut descent = Method::Manual.descent(data, &init)?;
    let history = train::train(descent.as_mut(), &options, &mut |pause: &Pause| {
        if pause.loss.is_some() {
            let weights = pause.y_pred_weights()?;
            let Some(checked) = check_at(pause.epoch, data, &weights, &posts_gradient)? else {
                too_large = Some(pause.epoch);
                return Ok(ControlFlow::Break(()));
            };
            table::rows(&checked, out);
            rows.extend(checked);
        }
        Ok(interrupt::go_on())
    })?;
    let (diverged, done) = (history.diverged_after.or(too_large), history.losses.len());
    let cut = interrupt::asked() && diverged.is_none() && done < args.epochs;
    Ok(Found {
        rows,
        diverged,
        interrupted: cut.then_some(done),
    })
}
