//! What a run says and writes when it is over.

use super::super::args::Precision;
use super::super::json::{self, Logged, Named};
use super::super::print::{self, Printer};
use super::super::{Answer, files};
use super::{Run, checkpoint};
use anyhow::{Context, Result};
use candle_core::DType;
use candle_sine::sine::figure::{self, Curve, Curves, Figure};
use candle_sine::sine::gradient::Method;
use candle_sine::sine::train::curve;
use rayon::prelude::*;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The post's output: epochs and losses.
const POST_TABLE: [(usize, f64); 10] = [
    (1, 7937.68505859375),
    (101, 3586.100830078125),
    (201, 2924.1728515625),
    (301, 2384.926025390625),
    (401, 1945.4404296875),
    (501, 1587.2352294921875),
    (601, 1295.25390625),
    (701, 1057.2337646484375),
    (801, 863.1865234375),
    (901, 704.974853515625),
];

/// Above the least-squares optimum by less than this part of it, a run has converged.
const CONVERGED: f64 = 0.01;

pub fn finish(run: &Run, mut out: Printer) -> Result<Answer> {
    let weights = run.history.weights.values()?;
    if run.diverged() {
        let files = vec![];
        write_json(run, weights, &files)?;
        print::error(&divergence(run));
        out.finish()?;
        return Ok(Answer::No);
    }
    let files = write_files(run)?;
    write_json(run, weights, &files)?;
    for line in summary(run, weights) {
        out.line(line);
    }
    for note in notes(run) {
        out.note(note);
    }
    out.line(format_args!("wrote {}", names(&files).join(", ")));
    if run.interrupted() {
        out.line(interruption(run, weights));
    }
    out.finish()?;
    Ok(match run.interrupted() {
        true => Answer::Interrupted,
        false => Answer::Yes,
    })
}

fn divergence(run: &Run) -> String {
    let (rate, limit) = (run.options.learning_rate, run.fit.stability_limit());
    let history = &run.history;
    let grew = match history.diverged_after {
        Some(epochs) => format!(
            "the loss is no longer finite at epoch {}",
            run.options.first_epoch + epochs - 1
        ),
        None => format!(
            "the loss has grown from {:.4e} to {:.4e} by epoch {}",
            history.losses[0],
            history.final_loss,
            run.options.first_epoch + history.losses.len() - 1,
        ),
    };
    let side = if rate > limit { "above" } else { "below" };
    format!(
        "diverged: {grew}; --learning-rate {rate:e} is {side} the stability limit {limit:.3e} of this data"
    )
}

fn summary(run: &Run, weights: [f64; 4]) -> [String; 3] {
    let history = &run.history;
    let epochs = run.options.first_epoch - 1 + history.losses.len();
    [
        String::new(),
        format!("y_pred = {}", formula(weights, run.args.problem.dtype)),
        format!(
            "loss {:.3} after {epochs} {}; drawing y = 0 scores {:.3}, the best cubic {:.3}",
            history.final_loss,
            if epochs == 1 { "epoch" } else { "epochs" },
            run.fit.baseline_loss,
            run.fit.optimum_loss,
        ),
    ]
}

/// `0.046963163 x³ - 0.0621331 x² - ...`: each weight to its dtype's last digit.
fn formula(weights: [f64; 4], dtype: Precision) -> String {
    let digits = |v: f64| match dtype {
        Precision::F32 => (v as f32).to_string(),
        Precision::F64 => v.to_string(),
    };
    let mut formula = String::new();
    for (i, (w, power)) in weights
        .into_iter()
        .zip([" x³", " x²", " x", ""])
        .enumerate()
    {
        let sign = match (i, w.is_sign_negative()) {
            (0, true) => "-",
            (0, false) => "",
            (_, true) => " - ",
            (_, false) => " + ",
        };
        formula += &format!("{sign}{}{power}", digits(w.abs()));
    }
    formula
}

fn notes(run: &Run) -> Vec<String> {
    let mut notes = vec![];
    notes.extend(convergence(run));
    notes.extend(against_the_post(run));
    notes
}

/// Where the run has not converged: the command that gets there, by the exact rate of descent.
fn convergence(run: &Run) -> Option<String> {
    let best = run.fit.optimum_loss;
    // Where the best cubic meets every point, nothing is near it in proportion.
    let first = run.history.losses.first().copied().unwrap_or_default();
    let tolerance = (CONVERGED * best).max(1e-6 * first.max(run.fit.baseline_loss));
    if run.history.final_loss - best <= tolerance {
        return None;
    }
    let rate = one_digit_below(0.9 * run.fit.stability_limit());
    let epochs = run.fit.epochs_to(run.start.init, rate, tolerance)?;
    let epochs = one_digit_above(f64::from(epochs));
    let options = changed_options(run);
    Some(format!(
        "not converged: `{} --learning-rate {rate:e} --epochs {epochs}{options}` comes within {}% of the best cubic",
        program(),
        100. * CONVERGED,
    ))
}

/// How a run that Ctrl-C ended is continued: the same weights, to the last digit.
fn interruption(run: &Run, weights: [f64; 4]) -> String {
    let (args, options) = (run.args, &run.options);
    let done = run.history.losses.len();
    let from = match &args.save {
        Some(path) => format!("--resume {0} --save {0}", path.display()),
        None => {
            let [a, b, c, d] = weights;
            format!("--init {a},{b},{c},{d}")
        }
    };
    let mut command = format!("{} {from} --epochs {}", program(), options.epochs - done);
    if options.learning_rate != 1e-6 {
        command += &format!(" --learning-rate {:e}", options.learning_rate);
    }
    if args.gradient != Method::Manual {
        command += &format!(" --gradient {}", args.gradient.as_str());
    }
    if args.log_every != 100 {
        command += &format!(" --log-every {}", args.log_every);
    }
    if args.out != Path::new("out") {
        command += &format!(" --out {}", args.out.display());
    }
    if run.device != "cpu" {
        command += &format!(" --device {}", run.device);
    }
    command += &changed_problem(run);
    format!(
        "interrupted after {done} of {} epochs; to go on: `{command}`",
        options.epochs
    )
}

/// How the reader starts this program: cargo tells those that it runs of their manifest.
fn program() -> &'static str {
    match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(_) => "cargo run --release --",
        None => "candle-sine",
    }
}

/// The options that make this run's problem, where they are not the default.
fn changed_options(run: &Run) -> String {
    let (args, problem) = (run.args, &run.args.problem);
    let mut options = String::new();
    if let Some(path) = &args.resume {
        options += &format!(" --resume {}", path.display());
    } else if let Some([a, b, c, d]) = problem.init {
        options += &format!(" --init {a},{b},{c},{d}");
    } else if let (Some(seed), Some(_)) = (run.start.seed, problem.seed) {
        options += &format!(" --seed {seed}");
        options += &problem
            .draw
            .map(|k| format!(" --draw {k}"))
            .unwrap_or_default();
    }
    options + &changed_problem(run)
}

/// Those of the data, likewise.
fn changed_problem(run: &Run) -> String {
    let problem = &run.args.problem;
    let mut options = String::new();
    if problem.points != 1000 {
        options += &format!(" --points {}", problem.points);
    }
    if problem.dtype == Precision::F64 {
        options += " --dtype f64";
    }
    options
}

fn one_digit_below(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor());
    // Through decimal, so that it prints as one digit.
    format!("{}e{}", (value / unit).floor(), unit.log10().round())
        .parse()
        .unwrap_or(value)
}

fn one_digit_above(value: f64) -> u64 {
    let unit = 10f64.powf(value.max(1.).log10().floor());
    ((value / unit).ceil() * unit) as u64
}

/// Where the run is the post's: how its table compares.
fn against_the_post(run: &Run) -> Option<String> {
    let rows: Vec<_> = run.log().collect();
    let same_epochs = rows.iter().map(|r| r.0).eq(POST_TABLE.map(|r| r.0));
    let is_post = run.start.is_post()
        && run.args.problem.points == 1000
        && run.options.learning_rate == 1e-6
        && same_epochs;
    if !is_post {
        return None;
    }
    let pairs = || {
        rows.iter()
            .zip(POST_TABLE)
            .map(|(ours, post)| (ours.1, post.1))
    };
    let equal = pairs().filter(|(ours, post)| ours == post).count();
    if equal == POST_TABLE.len() {
        return Some("the post's table, all 10 lines to the last digit".to_owned());
    }
    let largest = pairs()
        .map(|(ours, post)| (ours / post - 1.).abs())
        .fold(0., f64::max);
    let (device, dtype) = (&run.device, run.args.problem.dtype.dtype().as_str());
    let method = run.args.gradient.as_str();
    Some(format!(
        "the post's table within {largest:.0e}, {equal} of 10 lines to the last digit: {dtype}, {device} and {method} round otherwise than PyTorch on a CPU in f32"
    ))
}

fn write_files(run: &Run) -> Result<Vec<PathBuf>> {
    let format = run.args.format;
    let rendered = figures(run)?
        .into_par_iter()
        .map(|(name, figure)| Ok((name, figure.render(format)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut written = vec![];
    for (name, bytes) in rendered {
        let path = run.args.out.join(name).with_extension(format.extension());
        files::write(&path, &bytes).with_context(|| format!("--out {}", run.args.out.display()))?;
        written.push(path);
    }
    if let Some(path) = &run.args.save {
        let epochs = run.options.first_epoch - 1 + run.history.losses.len();
        checkpoint::save(path, &run.history.weights, epochs)?;
        written.push(path.clone());
    }
    if let Some(path) = run
        .args
        .json
        .as_ref()
        .filter(|_| !run.args.json_to_stdout())
    {
        written.push(path.clone());
    }
    Ok(written)
}

fn figures(run: &Run) -> Result<Vec<(&'static str, Figure)>> {
    let best = run
        .args
        .problem
        .weights(run.fit.optimum, run.data.x.device())?;
    let data = run.data.thinned(figure::MOST_POINTS)?;
    let x: Vec<f64> = data.x.to_dtype(DType::F64)?.to_vec1()?;
    let y: Vec<f64> = data.y.to_dtype(DType::F64)?.to_vec1()?;
    let y_pred = curve(&data, &run.history.y_pred_weights)?;
    let (y_rand, y_best) = (curve(&data, &run.init)?, curve(&data, &best)?);
    let curves = Curves {
        x: &x,
        y: &y,
        y_pred: &y_pred,
        y_rand: &y_rand,
        y_best: &y_best,
    };
    let post = Some(("the post", &POST_TABLE[..]));
    let marked = post.filter(|_| run.start.is_post());
    Ok(vec![
        ("sine", figure::post(&curves)),
        ("y_true", figure::single(Curve::True, &curves)),
        ("y_pred", figure::single(Curve::Pred, &curves)),
        ("y_random", figure::single(Curve::Random, &curves)),
        ("overlay", figure::overlay(&curves)),
        (
            "loss",
            figure::loss(run.options.first_epoch, &run.history.losses, marked),
        ),
    ])
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|f| f.display().to_string()).collect()
}

/// Schema 1. serde_json writes a number that is not finite as null.
#[derive(Serialize)]
struct Json {
    schema: u32,
    device: String,
    dtype: &'static str,
    gradient: &'static str,
    points: u32,
    epochs: usize,
    learning_rate: f64,
    seed: Option<u64>,
    draw: Option<u32>,
    init: Named,
    log: Vec<Logged>,
    weights: Named,
    final_loss: f64,
    baseline_loss: f64,
    optimum_loss: f64,
    files: Vec<String>,
}

fn write_json(run: &Run, weights: [f64; 4], files: &[PathBuf]) -> Result<()> {
    match &run.args.json {
        Some(path) => json::write(path, &report(run, weights, files)),
        None => Ok(()),
    }
}

fn report(run: &Run, weights: [f64; 4], files: &[PathBuf]) -> Json {
    let (args, problem) = (run.args, &run.args.problem);
    let logged = |(epoch, loss)| Logged { epoch, loss };
    Json {
        schema: 1,
        device: run.device.clone(),
        dtype: problem.dtype.dtype().as_str(),
        gradient: args.gradient.as_str(),
        points: problem.points,
        epochs: match run.interrupted() {
            true => run.history.losses.len(),
            false => args.epochs,
        },
        learning_rate: args.learning_rate,
        seed: run.start.seed,
        draw: run.start.draw,
        init: run.start.init.into(),
        log: run.log().map(logged).collect(),
        weights: weights.into(),
        final_loss: run.history.final_loss,
        baseline_loss: run.fit.baseline_loss,
        optimum_loss: run.fit.optimum_loss,
        files: names(files),
    }
}
