//! `candle-sine train`: the post, from its data to its plots.

use super::args::{Problem, Settings, rate};
use super::files::{Output, try_places};
use super::history::{History, Logged, Moment};
use super::pictures;
use super::print::{self, Printer, Progress, below, python_float, short};
use super::{Answer, interrupt};
use anyhow::Result;
use candle_core::DType;
use candle_sine::plot::Format;
use candle_sine::sine::{LeastSquares, Method, NAMES, Weights, post};
use serde::Serialize;
use std::path::PathBuf;

pub const HELP: &str = "\
Exit status: 0 trained; 1 the loss diverged; 2 it could not be done; 130 ended by Ctrl-C, with \
everything written that was learned by then.

Keys of the JSON: schema, device, dtype, gradient, points, epochs, learning_rate, seed, draw, init (a, b, \
c, d), log (epoch, loss), weights (a, b, c, d), final_loss, baseline_loss, optimum_loss, files.";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    problem: Problem,

    /// Passes over the data
    #[arg(long, value_name = "N", default_value_t = post::EPOCHS as u32, allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,

    /// Step size of gradient descent
    #[arg(long, value_name = "RATE", default_value = "1e-6", allow_hyphen_values = true,
        value_parser = rate)]
    learning_rate: f64,

    /// Print the loss of every N-th epoch
    #[arg(long, value_name = "N", default_value_t = post::LOG_EVERY as u32, allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..))]
    log_every: u32,

    /// How the gradient is found
    #[arg(long, value_enum, default_value_t = Method::Manual)]
    gradient: Method,

    /// Directory for the plots
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,

    /// Kind of picture
    #[arg(long, value_enum, default_value_t = Format::Png)]
    format: Format,

    /// Draw the fit as a moving picture too: fit.png, an animated PNG whatever --format says
    #[arg(long)]
    animate: bool,

    /// Write the run as JSON; "-" is stdout, which then holds nothing else
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Print nothing but errors; files are written all the same
    #[arg(long, short)]
    quiet: bool,
}

/// The files of a run.
struct Outputs {
    pictures: Vec<Output>,
    animation: Option<Output>,
    json: Option<Output>,
}

impl Outputs {
    fn new(args: &Args) -> Result<Self> {
        let picture = |name: &str| {
            let path = args.out.join(name);
            Output::new("--out", path.with_extension(args.format.extension()))
        };
        let animation = || Output::new("--animate", args.out.join("fit.png"));
        let outputs = Self {
            pictures: pictures::NAMES.iter().map(|name| picture(name)).collect(),
            animation: args.animate.then(animation),
            json: args.json.as_ref().map(|path| Output::new("--json", path)),
        };
        try_places(&outputs.all())?;
        Ok(outputs)
    }

    fn all(&self) -> Vec<Output> {
        let more = self.animation.iter().chain(&self.json);
        self.pictures.iter().chain(more).cloned().collect()
    }

    /// Those that are files.
    fn files(&self) -> Vec<Output> {
        let mut files = self.all();
        files.retain(|output| !output.is_stdout());
        files
    }

    fn json_to_stdout(&self) -> bool {
        self.json.as_ref().is_some_and(Output::is_stdout)
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    let outputs = Outputs::new(args)?;
    let settings = args.problem.settings()?;
    let fit = LeastSquares::new(&settings.data)?;
    let mut out = Printer::new(args.quiet || outputs.json_to_stdout());
    settings.notes.iter().for_each(|note| out.note(note));
    let limit = below(fit.stability_limit());
    let too_fast = args.learning_rate > fit.stability_limit();
    if too_fast && !args.quiet {
        print::warning(&format!(
            "--learning-rate {:e}: above {limit}, where gradient descent on these {} points stops being stable",
            args.learning_rate,
            settings.points(),
        ));
    }
    let history = train(args, &settings, &fit, &mut out)?;
    let grown = too_fast && history.final_loss > history.first_loss;
    if grown || !history.final_loss.is_finite() {
        write_json(args, &settings, &fit, &history, &outputs, &[])?;
        out.finish()?;
        return Ok(Answer::No(diverged(args, &settings, &history, &limit)));
    }
    for line in summary(&settings, &fit, &history) {
        out.line(line);
    }
    notes(args, &settings, &fit, &history, &mut out);
    write_pictures(args, &settings, &fit, &history, &outputs)?;
    write_json(args, &settings, &fit, &history, &outputs, &outputs.files())?;
    out.wrote(outputs.files().iter().map(|output| output.path.as_path()));
    let interrupted = history.epochs < args.epochs;
    if interrupted {
        let line = continuation(args, &history);
        match args.quiet || outputs.json_to_stdout() {
            true => print::stderr(&line),
            false => out.line(line),
        }
    }
    out.finish()?;
    Ok(if interrupted {
        Answer::Interrupted
    } else {
        Answer::Yes
    })
}

/// Trains, with the table on stdout as it goes.
fn train(
    args: &Args,
    settings: &Settings,
    fit: &LeastSquares,
    out: &mut Printer,
) -> Result<History> {
    interrupt::listen();
    let shown = match args.animate {
        true => pictures::moments(fit, settings.start, args.learning_rate, args.epochs),
        false => vec![],
    };
    let mut descent = (args.gradient).begin(&settings.data, settings.start, args.learning_rate)?;
    let mut progress = Progress::new(args.epochs, args.quiet);
    let mut history = History::default();
    for epoch in 1..=args.epochs {
        let last = epoch == args.epochs || interrupt::asked();
        let is_shown = last || shown.binary_search(&epoch).is_ok();
        // The post plots the last y_pred, which is one update older than the weights at the end.
        let weights = is_shown.then(|| descent.weights()).transpose()?;
        let loss = descent.epoch()?;
        history.add(epoch, loss);
        history.moments.extend(weights.map(|weights| Moment {
            epoch,
            loss,
            weights,
        }));
        if (epoch - 1).is_multiple_of(args.log_every) {
            history.log.push(Logged { epoch, loss });
            let line = format!("epoch : {epoch}, loss : {}", python_float(loss));
            progress.above(|| out.line(line));
        }
        progress.reached(epoch);
        if last || !loss.is_finite() {
            break;
        }
    }
    history.weights = descent.weights()?;
    history.final_loss = descent.epoch()?;
    Ok(history)
}

fn diverged(args: &Args, settings: &Settings, history: &History, limit: &str) -> String {
    if !history.first_loss.is_finite() {
        return settings.too_large();
    }
    let grew = match history.final_loss.is_finite() {
        true => format!(
            "the loss has grown from {:.4e} to {:.4e} by epoch {}",
            history.first_loss, history.final_loss, history.epochs
        ),
        false => format!("the loss is no longer finite at epoch {}", history.epochs),
    };
    format!(
        "diverged: {grew}; the largest stable --learning-rate for these points is {limit}, not {:e}",
        args.learning_rate
    )
}

fn summary(settings: &Settings, fit: &LeastSquares, history: &History) -> [String; 3] {
    let epochs = match history.epochs {
        1 => "1 epoch".to_owned(),
        n => format!("{n} epochs"),
    };
    [
        String::new(),
        format!("y_pred = {}", formula(history.weights, settings)),
        format!(
            "loss {} after {epochs}; {} for drawing y = 0, {} for the best cubic",
            short(history.final_loss),
            short(fit.baseline_loss),
            short(fit.optimum_loss),
        ),
    ]
}

/// `0.046963163 x³ - 0.0621331 x² - ...`: each weight to its dtype's last digit.
fn formula(weights: Weights, settings: &Settings) -> String {
    let digits = |v: f64| match settings.data.x.dtype() {
        DType::F32 => format!("{:?}", v as f32),
        _ => format!("{v:?}"),
    };
    let mut formula = String::new();
    for (w, power) in weights.into_iter().zip([" x³", " x²", " x", ""]) {
        let sign = match (formula.is_empty(), w.is_sign_negative()) {
            (true, true) => "-",
            (true, false) => "",
            (false, true) => " - ",
            (false, false) => " + ",
        };
        formula += &format!("{sign}{}{power}", digits(w.abs()));
    }
    formula
}

fn notes(
    args: &Args,
    settings: &Settings,
    fit: &LeastSquares,
    history: &History,
    out: &mut Printer,
) {
    if let Some(line) = convergence(settings, fit, history) {
        out.note(line);
    }
    let is_post = settings.start == post::WEIGHTS
        && settings.points() == post::POINTS as usize
        && args.learning_rate == post::LEARNING_RATE
        && history
            .log
            .iter()
            .map(|l| l.epoch as usize)
            .eq(post::TABLE.map(|row| row.0));
    if is_post {
        let (dtype, device) = (settings.dtype(), settings.device());
        let how = format!("{dtype}, {device} and {}", args.gradient.name());
        out.note(beside_the_post(&history.log, &how));
    }
}

/// Above the least loss by less than this part of it, a run has converged.
const CONVERGED: f64 = 0.01;

/// Where the run has not converged: the options that get there, by the exact rate of descent.
fn convergence(settings: &Settings, fit: &LeastSquares, history: &History) -> Option<String> {
    let near = CONVERGED * fit.optimum_loss;
    // Up to four points are met exactly, up to rounding.
    let exact = fit.optimum_loss < 1e-9 * fit.baseline_loss;
    if exact || history.final_loss - fit.optimum_loss <= near {
        return None;
    }
    let rate = one_digit(0.9 * fit.stability_limit(), f64::floor);
    let epochs = fit.epochs_to(settings.start, rate, near)?;
    let epochs = one_digit(epochs.into(), f64::ceil);
    Some(format!(
        "not converged: `--learning-rate {rate:e} --epochs {epochs}` comes within {}% of the best cubic",
        100. * CONVERGED
    ))
}

fn one_digit(value: f64, round: fn(f64) -> f64) -> f64 {
    let unit = value.log10().floor();
    // Through decimal, so that it prints as one digit.
    let text = format!("{}e{unit}", round(value / 10f64.powf(unit)));
    text.parse().unwrap_or(value)
}

/// Further apart than any rounding of this run takes two losses: what is seen is below 2e-6.
const NOT_ROUNDING: f64 = 1e-5;

/// Ten rows beside the post's ten; `how` names what rounds.
fn beside_the_post(rows: &[Logged], how: &str) -> String {
    let pairs = || {
        rows.iter()
            .map(|row| row.loss)
            .zip(post::TABLE.map(|row| row.1))
    };
    let equal = pairs().filter(|(ours, post)| ours == post).count();
    let apart = pairs().map(|(ours, post)| (ours / post - 1.).abs());
    let largest = apart.fold(0., f64::max);
    if equal == post::TABLE.len() {
        return "the post's table, all 10 lines to the last digit".to_owned();
    }
    if largest > NOT_ROUNDING {
        return format!(
            "not the post's table: the losses differ by up to {largest:.0e} of themselves, which no rounding explains"
        );
    }
    format!(
        "the post's table within {largest:.0e}, {equal} of 10 lines to the last digit: {how} round otherwise than PyTorch on a CPU in f32"
    )
}

/// How a run that Ctrl-C ended is continued: the same weights, to the last digit.
fn continuation(args: &Args, history: &History) -> String {
    let [a, b, c, d] = history.weights;
    let (done, left) = (history.epochs, args.epochs - history.epochs);
    format!(
        "interrupted after {done} of {} epochs; `--init {a:?},{b:?},{c:?},{d:?} --epochs {left}` goes on from here",
        args.epochs
    )
}

fn write_pictures(
    args: &Args,
    settings: &Settings,
    fit: &LeastSquares,
    history: &History,
    outputs: &Outputs,
) -> Result<()> {
    let drawn = pictures::draw(settings, fit, history, args.format)?;
    for (output, bytes) in outputs.pictures.iter().zip(drawn) {
        output.write(&bytes)?;
    }
    match &outputs.animation {
        Some(output) => output.write(&pictures::animation(settings, history)?),
        None => Ok(()),
    }
}

#[derive(Serialize)]
struct Json {
    schema: u32,
    device: String,
    dtype: &'static str,
    gradient: &'static str,
    points: usize,
    epochs: u32,
    learning_rate: f64,
    seed: Option<u64>,
    draw: Option<u32>,
    init: serde_json::Value,
    log: Vec<Logged>,
    weights: serde_json::Value,
    final_loss: f64,
    baseline_loss: f64,
    optimum_loss: f64,
    files: Vec<String>,
}

/// serde_json writes a number that is not finite as null.
fn write_json(
    args: &Args,
    settings: &Settings,
    fit: &LeastSquares,
    history: &History,
    outputs: &Outputs,
    files: &[Output],
) -> Result<()> {
    let Some(output) = &outputs.json else {
        return Ok(());
    };
    let named = |weights: Weights| {
        NAMES
            .into_iter()
            .zip(weights)
            .collect::<serde_json::Value>()
    };
    let json = Json {
        schema: 1,
        device: settings.device(),
        dtype: settings.dtype(),
        gradient: args.gradient.name(),
        points: settings.points(),
        epochs: history.epochs,
        learning_rate: args.learning_rate,
        seed: settings.seed,
        draw: settings.draw,
        init: named(settings.start),
        log: history.log.clone(),
        weights: named(history.weights),
        final_loss: history.final_loss,
        baseline_loss: fit.baseline_loss,
        optimum_loss: fit.optimum_loss,
        files: files.iter().map(|f| f.path.display().to_string()).collect(),
    };
    output.write(serde_json::to_string_pretty(&json)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rounding_is_called_rounding() {
        let said = |factor: f64| {
            let row = |(epoch, loss): (usize, f64)| Logged {
                epoch: epoch as u32,
                loss: loss * factor,
            };
            beside_the_post(&post::TABLE.map(row), "f32, cpu and autograd")
        };
        assert!(said(1.).contains("all 10 lines to the last digit"));
        let rounded = said(1. + 1e-6);
        assert!(rounded.contains("within 1e-6, 0 of 10 lines"), "{rounded}");
        assert!(rounded.contains("autograd round otherwise"), "{rounded}");
        let other = said(1.5);
        assert!(other.starts_with("not the post's table"), "{other}");
        assert!(!other.contains("otherwise"), "{other}");
    }
}
