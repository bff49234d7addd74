//! `candle-sine train`: the post, from its data to its plots.

mod animation;
mod checkpoint;
pub mod figures;
mod hint;
mod outcome;

use super::args::{Problem, Rate, Start, positive_count, rate};
use super::divergence::{diverged, warn_if_unstable};
use super::files::is_stdout;
use super::memory::{self, Needs};
use super::places::{self, Place, Role};
use super::print::{Printer, python_float};
use super::progress::Progress;
use super::{Answer, interrupt};
use animation::Watched;
use anyhow::{Result, bail};
use candle_sine::device;
use candle_sine::plot::Format;
use candle_sine::sine::gradient::fused::has_kernel;
use candle_sine::sine::gradient::{Descent, Method};
use candle_sine::sine::least_squares::LeastSquares;
use candle_sine::sine::train::{self, History, Options};
use candle_sine::sine::{Data, Weights, post};
use std::path::PathBuf;
use std::time::Duration;

/// Between two looks at Ctrl-C and at the progress bar.
const PATIENCE: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub problem: Problem,

    /// Continue from weights that --save has written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "draw", "init"])]
    pub resume: Option<PathBuf>,

    /// Passes over the data
    #[arg(long, value_name = "N", default_value_t = post::EPOCHS, allow_negative_numbers = true, value_parser = positive_count)]
    pub epochs: usize,

    /// Step size of gradient descent
    #[arg(long, value_name = "RATE", default_value_t = Rate(post::LEARNING_RATE), allow_hyphen_values = true, value_parser = rate)]
    pub learning_rate: Rate,

    /// Print the loss of every N-th epoch
    #[arg(long, value_name = "N", default_value_t = post::LOG_EVERY, allow_negative_numbers = true, value_parser = positive_count)]
    pub log_every: usize,

    /// How the gradient is found
    #[arg(long, value_enum, default_value_t = Method::Manual)]
    pub gradient: Method,

    /// Directory for the plots
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,

    /// Kind of picture
    #[arg(long, value_enum, default_value_t = Format::Png)]
    pub format: Format,

    /// Draw the fit as a moving picture too: fit.png, an animated PNG whatever --format says
    #[arg(long)]
    pub animate: bool,

    /// Write the run as JSON; "-" is stdout, which then holds nothing else
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the trained weights
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    /// Print nothing but errors; files are written all the same
    #[arg(long, short)]
    pub quiet: bool,
}

impl Args {
    pub fn json_to_stdout(&self) -> bool {
        self.json.as_deref().is_some_and(is_stdout)
    }

    fn options(&self, first_epoch: usize) -> Options {
        Options {
            first_epoch,
            epochs: self.epochs,
            learning_rate: self.learning_rate.0,
            log_every: self.log_every,
            patience: PATIENCE,
        }
    }

    /// Every file the run will write is tried before the run.
    fn check_places(&self) -> Result<()> {
        if self.save.as_deref().is_some_and(is_stdout) {
            bail!("--save -: a file is needed, stdout holds text");
        }
        let mut all = vec![Place::new("--out", &self.out, Role::Filled)];
        all.extend(
            self.resume
                .as_ref()
                .map(|path| Place::new("--resume", path, Role::Read)),
        );
        let figures = figures::NAMES.map(|name| figures::path(self, name));
        all.extend(figures.map(|path| Place::new("--out", path, Role::Written)));
        if self.animate {
            all.push(Place::new(
                "--animate",
                animation::path(self),
                Role::Written,
            ));
        }
        let json = self.json.as_ref().filter(|path| !is_stdout(path));
        all.extend(json.map(|path| Place::new("--json", path, Role::Written)));
        all.extend(
            self.save
                .as_ref()
                .map(|path| Place::new("--save", path, Role::Renewed)),
        );
        places::check(&all)?;
        match &self.json {
            Some(_) => places::check_names(&all),
            None => Ok(()),
        }
    }

    fn needs(&self) -> Needs {
        let a_point = memory::a_point(self.gradient, self.problem.dtype);
        let logged = self.json.is_some().then_some(self.log_every);
        Needs {
            points: a_point.saturating_mul(self.problem.points as usize),
            epochs: memory::losses(self.epochs, 1, logged),
            count: self.epochs,
            rest: memory::pictures(figures::NAMES.len()),
        }
    }

    /// The epochs to come can be counted together with the `behind` those of --resume.
    fn check_epochs(&self, behind: usize) -> Result<()> {
        match checkpoint::MOST_EPOCHS - behind {
            left if self.epochs <= left => Ok(()),
            left => bail!(
                "--epochs {}: after {behind} epochs of --resume at most {left}",
                self.epochs
            ),
        }
    }
}

/// A run: what it was given, and what came of it.
pub struct Run<'a> {
    pub args: &'a Args,
    pub start: Start,
    pub options: Options,
    pub device: String,
    pub data: Data,
    pub fit: LeastSquares,
    pub init: Weights,
    pub history: History,
    /// What `--animate` shows; without it nothing.
    pub seen: Vec<animation::Moment>,
}

impl Run<'_> {
    pub fn diverged(&self) -> bool {
        diverged(&self.history, self.options.learning_rate, &self.fit)
    }

    /// Ctrl-C came before the last epoch.
    pub fn interrupted(&self) -> bool {
        interrupt::asked() && self.history.losses.len() < self.options.epochs
    }

    /// How many epochs are behind the weights, those of the runs that it continues among them.
    pub fn epochs_behind(&self) -> usize {
        self.options.first_epoch - 1 + self.history.losses.len()
    }

    /// Epochs and losses of the printed table.
    pub fn log(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let numbered = (self.options.first_epoch..).zip(self.history.losses.iter().copied());
        numbered.filter(|(epoch, _)| self.options.logs(*epoch))
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    args.check_places()?;
    let device = args.problem.open_device()?;
    let (start, first_epoch) = match &args.resume {
        Some(path) => checkpoint::load(path, args.problem.dtype.dtype())?,
        None => (args.problem.start()?, 1),
    };
    args.check_epochs(first_epoch - 1)?;
    args.needs().check(&args.problem, &device)?;
    let data = args.problem.data(&device)?;
    let init = args.problem.weights(start.init, &device)?;
    let fit = LeastSquares::new(&data)?;
    let options = args.options(first_epoch);
    if !args.quiet {
        warn_if_unstable(&args.problem, args.learning_rate.0, &fit);
    }
    let mut out = Printer::quiet(args.quiet || args.json_to_stdout());
    args.problem.name_seed(&start, &mut out);
    if args.gradient == Method::Fused && !has_kernel(&device) {
        out.note("fused: no kernel for Metal, so tensor operations");
    }
    let moments = match args.animate {
        true => animation::moments(&fit, start.init, options.learning_rate, options.epochs),
        false => vec![],
    };
    let mut descent = Watched::new(args.gradient.descent(&data, &init)?, moments);
    let history = print_table(&mut descent, &options, args, &mut out)?;
    let run = Run {
        args,
        start,
        options,
        device: device::name(&device),
        data,
        fit,
        init,
        history,
        seen: descent.seen,
    };
    outcome::finish(&run, out)
}

/// Trains, with the table on stdout as it goes.
fn print_table(
    descent: &mut dyn Descent,
    options: &Options,
    args: &Args,
    out: &mut Printer,
) -> Result<History> {
    interrupt::run_begins();
    let progress = match args.quiet {
        true => Progress::default(),
        false => Progress::new("", options.epochs, args.problem.points),
    };
    let history = train::train(descent, options, &mut |pause| {
        if let Some(loss) = pause.loss {
            let line = format!("epoch : {}, loss : {}", pause.epoch, python_float(loss));
            progress.suspend(|| out.line(line));
        }
        progress.reached(pause.done);
        Ok(interrupt::go_on())
    });
    Ok(history?)
}
