//! `candle-sine train`: the post, from its data to its plots.

use super::args::{Problem, Settings, rate};
use super::files::{Output, try_places};
use super::print::{self, Printer, below, python_float};
use super::run::{History, Moment, Run};
use super::{Answer, interrupt, pictures, report};
use anyhow::Result;
use candle_sine::plot::Format;
use candle_sine::sine::{LeastSquares, Method, post};
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

impl Args {
    /// The pictures, the moving one and the JSON.
    fn outputs(&self) -> Result<Vec<Output>> {
        let picture = |name: &&str| {
            let path = self.out.join(name);
            Output::new("--out", path.with_extension(self.format.extension()))
        };
        let mut outputs: Vec<_> = pictures::NAMES.iter().map(picture).collect();
        let moving = || Output::new("--animate", self.out.join("fit.png"));
        outputs.extend(self.animate.then(moving));
        outputs.extend(self.json.as_ref().map(|path| Output::new("--json", path)));
        try_places(&outputs)?;
        Ok(outputs)
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    let outputs = args.outputs()?;
    let json = outputs.last().filter(|_| args.json.is_some());
    let settings = args.problem.settings()?;
    let mut out = Printer::new(args.quiet || json.is_some_and(Output::is_stdout));
    settings.notes.iter().for_each(|note| out.line(note));
    let run = train(args, settings, &mut out)?;
    let mut files: Vec<_> = outputs.iter().filter(|o| !o.is_stdout()).collect();
    match run.diverged() {
        true => files.clear(),
        false => {
            report::summary(&run).iter().for_each(|line| out.line(line));
            write_pictures(args, &run, &outputs)?;
        }
    }
    if let Some(json) = json {
        json.write(report::json(&run, &files)?.as_bytes())?;
    }
    if !run.diverged() {
        out.wrote(files.iter().map(|output| output.path.as_path()));
    }
    out.finish()?;
    if run.diverged() {
        return Ok(Answer::No(report::diverged(&run)));
    }
    if run.interrupted() {
        print::stderr(&report::continuation(&run));
        return Ok(Answer::Interrupted);
    }
    Ok(Answer::Yes)
}

fn train(args: &Args, settings: Settings, out: &mut Printer) -> Result<Run> {
    let fit = LeastSquares::new(&settings.data)?;
    let rate = args.learning_rate;
    if rate > fit.stability_limit() && !args.quiet {
        print::stderr(&format!(
            "warning: --learning-rate {rate:e}: above {}, where gradient descent on these {} points stops being stable",
            below(fit.stability_limit()),
            settings.points(),
        ));
    }
    interrupt::listen()?;
    Ok(Run {
        history: descend(args, &settings, out)?,
        settings,
        fit,
        gradient: args.gradient,
        learning_rate: rate,
        epochs: args.epochs,
    })
}

/// Losses that are kept for the picture.
const MOST: u32 = 1000;

/// Trains, with the table on stdout as it goes.
fn descend(args: &Args, settings: &Settings, out: &mut Printer) -> Result<History> {
    let shown = pictures::moments(args.epochs);
    let mut descent = (args.gradient).begin(&settings.data, settings.start, args.learning_rate)?;
    let mut history = History::default();
    for epoch in 1..=args.epochs {
        let last = epoch == args.epochs || interrupt::asked();
        let is_shown = last || shown.binary_search(&epoch).is_ok();
        // The post plots the last y_pred, which is one update older than the weights at the end.
        let weights = is_shown.then(|| descent.weights()).transpose()?;
        let loss = descent.epoch()?;
        history.epochs = epoch;
        history.moments.extend(weights.map(|weights| Moment {
            epoch,
            loss,
            weights,
        }));
        if (epoch - 1).is_multiple_of(args.epochs.div_ceil(MOST)) {
            history.losses.push((epoch, loss));
        }
        if (epoch - 1).is_multiple_of(args.log_every) {
            history.log.push((epoch, loss));
            out.line(format_args!(
                "epoch : {epoch}, loss : {}",
                python_float(loss)
            ));
        }
        if last || !loss.is_finite() {
            break;
        }
    }
    history.weights = descent.weights()?;
    history.final_loss = descent.epoch()?;
    Ok(history)
}

fn write_pictures(args: &Args, run: &Run, outputs: &[Output]) -> Result<()> {
    let mut drawn = pictures::draw(run, args.format)?;
    if args.animate {
        drawn.push(pictures::moving(run)?);
    }
    let pairs = outputs.iter().zip(drawn);
    pairs
        .into_iter()
        .try_for_each(|(output, bytes)| output.write(&bytes))
}
