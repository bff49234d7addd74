//! `candle-sine check`: the manual gradient, candle's autograd and a numerical derivative.

mod table;

use super::args::{Problem, positive, positive_count};
use super::print::Printer;
use super::{Answer, files, json};
use anyhow::{Context, Result};
use candle_core::{DType, Tensor};
use candle_sine::device;
use candle_sine::gradcheck::{Dissent, InputReport, Mode, Options, Verdict, gradcheck_with};
use candle_sine::sine::cubic::{Powers, y_pred};
use candle_sine::sine::gradient::{Method, rounding_bound};
use candle_sine::sine::sum::sum;
use candle_sine::sine::train::{self, Epoch};
use candle_sine::sine::{Data, Weights};
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

/// One weight at one epoch.
#[derive(Serialize)]
pub struct Row {
    pub epoch: usize,
    pub weight: &'static str,
    pub manual: f64,
    pub autograd: f64,
    pub numeric: f64,
    /// Of the numeric derivative's own error.
    pub bound: f64,
    /// The larger of |manual - numeric| and |autograd - numeric|,
    pub difference: f64,
    /// the same over |numeric|,
    pub relative: f64,
    /// and in units in the last place of the dtype at `numeric`.
    pub ulps: f64,
    pub verdict: Verdict,
    pub dissent: Dissent,
}

impl Row {
    /// Neither a pass nor lost in rounding.
    pub fn disagrees(&self) -> bool {
        !matches!(self.verdict, Verdict::Pass | Verdict::Inconclusive)
    }
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
    let file = args.json.as_deref().filter(|_| !to_stdout);
    if let Some(path) = file {
        files::check_file(path).with_context(|| format!("--json {}", path.display()))?;
    }
    let device = args.problem.open_device()?;
    let start = args.problem.start()?;
    let data = args.problem.data(&device)?;
    let init = args.problem.weights(start.init, &device)?;
    let mut out = Printer::quiet(to_stdout);
    table::head(&mut out);
    let rows = check_run(args, &data, init, &mut out)?;
    let agree = agree(&rows);
    table::verdict(&rows, agree, &mut out);
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

/// The rows of the initial weights, or of every K-th epoch.
fn check_run(args: &Args, data: &Data, init: Weights, out: &mut Printer) -> Result<Vec<Row>> {
    let mut rows = vec![];
    let Some(every) = args.every else {
        rows.extend(check_at(1, data, &init)?);
        table::rows(&rows, out);
        return Ok(rows);
    };
    let options = train::Options {
        epochs: args.epochs,
        learning_rate: args.learning_rate,
        log_every: every,
        ..train::Options::default()
    };
    let mut gradient = Method::Manual.over(data)?;
    train::train(gradient.as_mut(), init, &options, &mut |epoch: &Epoch| {
        if options.logs(epoch.epoch) {
            let checked = check_at(epoch.epoch, data, epoch.weights)?;
            table::rows(&checked, out);
            rows.extend(checked);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

/// The post's loss at `weights`, in the dtype of these.
fn loss(data: &Data, weights: &Weights) -> candle_core::Result<Tensor> {
    let data = in_dtype(data, weights.a.dtype())?;
    let y_pred = y_pred(&Powers::new(&data.x)?, weights)?;
    sum(&(y_pred - data.y)?.sqr()?)
}

/// The post's gradient of it.
fn manual(data: &Data, weights: &Weights) -> candle_core::Result<Vec<Tensor>> {
    let data = in_dtype(data, weights.a.dtype())?;
    let Weights { a, b, c, d } = Method::Manual.over(&data)?.loss_and_grad(weights)?.grad;
    Ok(vec![a, b, c, d])
}

/// The same points, exactly, where the dtype is wider.
fn in_dtype(data: &Data, dtype: DType) -> candle_core::Result<Data> {
    Ok(Data {
        x: data.x.to_dtype(dtype)?,
        y: data.y.to_dtype(dtype)?,
    })
}

/// w + (u - 1), which is w at u = 1 and has the derivatives by u that it has by w.
///
/// The loss is quadratic in the weights, so a central difference has no truncation error and its
/// round-off shrinks with the step: at u = 1 the checker takes steps of the order of 1, where at a
/// weight near 0 it would take tiny ones.
fn shifted(w: &Weights, u: &[Tensor]) -> candle_core::Result<Weights> {
    let shift = |w: &Tensor, u: &Tensor| w.to_dtype(u.dtype())? + (u - 1.)?;
    Ok(Weights {
        a: shift(&w.a, &u[0])?,
        b: shift(&w.b, &u[1])?,
        c: shift(&w.c, &u[2])?,
        d: shift(&w.d, &u[3])?,
    })
}

fn check_at(epoch: usize, data: &Data, w: &Weights) -> candle_core::Result<Vec<Row>> {
    let ones = [&w.a, &w.b, &w.c, &w.d].map(Tensor::ones_like);
    let ones = ones.into_iter().collect::<candle_core::Result<Vec<_>>>()?;
    let bounds = rounding_bound(data, w)?;
    // The probes are for functions whose backward is in doubt; here the gradient is.
    let options = Options::default()
        .mode(Mode::Full)
        .probes(false)
        .atol(bounds.into_iter().fold(0., f64::max));
    let report = gradcheck_with(
        |u| loss(data, &shifted(w, u)?),
        |u, _grad_loss| manual(data, &shifted(w, u)?),
        &ones,
        &options,
    )?;
    let by_hand = Method::Manual.over(data)?.loss_and_grad(w)?.grad.values()?;
    let by_backward = Method::Autograd
        .over(data)?
        .loss_and_grad(w)?
        .grad
        .values()?;
    let of = |i: usize| {
        row(
            epoch,
            data.x.dtype(),
            &report.inputs[i],
            by_hand[i],
            by_backward[i],
        )
    };
    Ok((0..4).map(of).collect())
}

fn row(epoch: usize, dtype: DType, report: &InputReport, manual: f64, autograd: f64) -> Row {
    let (numeric, bound) = match &report.worst {
        Some(entry) => (entry.numeric, entry.bound),
        None => (f64::NAN, f64::NAN),
    };
    let by_hand = report.manual.as_ref();
    let difference = (manual - numeric).abs().max((autograd - numeric).abs());
    Row {
        epoch,
        weight: Weights::NAMES[report.input],
        manual,
        autograd,
        numeric,
        bound,
        difference,
        relative: difference / numeric.abs(),
        ulps: difference / ulp(dtype, numeric),
        verdict: by_hand.map_or(report.verdict, |m| m.verdict.max(report.verdict)),
        dissent: by_hand.map_or(Dissent::None, |m| m.dissent),
    }
}

/// The distance from |value| to the next larger number of the dtype.
fn ulp(dtype: DType, value: f64) -> f64 {
    match dtype {
        DType::F32 => {
            let value = value.abs() as f32;
            f64::from(value.next_up() - value)
        }
        _ => value.abs().next_up() - value.abs(),
    }
}
