//! `candle-sine compare`: every rung of the ladder on one problem, side by side.

mod outcome;
mod picture;
mod rung;
mod table;

use super::args::{Problem, Rate, Start, positive_count, rate};
use super::divergence::warn_if_unstable;
use super::files::is_stdout;
use super::memory::{self, Needs};
use super::places::{self, Place, Role};
use super::print::{Printer, warning};
use super::{Answer, interrupt};
use anyhow::{Result, bail};
use candle_sine::plot::Format;
use candle_sine::sine::gradient::Method;
use candle_sine::sine::gradient::fused::has_kernel;
use candle_sine::sine::least_squares::LeastSquares;
use candle_sine::sine::train::Options;
use candle_sine::sine::{Data, Weights, post};
use rung::{Choice, Rung};
use std::path::PathBuf;
use std::time::Duration;

/// Epochs are timed as many together as take about this long: less than the turn that the system
/// gives to a program.
const PATIENCE: Duration = Duration::from_millis(2);

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub problem: Problem,

    /// Rungs to train, comma-separated; AdamW comes with the optimizer [default: all]
    #[arg(long, value_enum, value_name = "RUNG,...", value_delimiter = ',')]
    gradient: Vec<Method>,

    /// Passes over the data
    #[arg(long, value_name = "N", default_value_t = post::EPOCHS, allow_negative_numbers = true, value_parser = positive_count)]
    epochs: usize,

    /// Step size of gradient descent
    #[arg(long, value_name = "RATE", default_value_t = Rate(post::LEARNING_RATE), allow_hyphen_values = true, value_parser = rate)]
    learning_rate: Rate,

    /// Step size of AdamW, which is no gradient descent and has a scale of its own [default: 1e-2]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = rate)]
    adamw_rate: Option<Rate>,

    /// Print the loss of every N-th epoch
    #[arg(long, value_name = "N", default_value_t = post::LOG_EVERY, allow_negative_numbers = true, value_parser = positive_count)]
    log_every: usize,

    /// Directory for the plot
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,

    /// Kind of picture
    #[arg(long, value_enum, default_value_t = Format::Png)]
    format: Format,

    /// Write the table as JSON; "-" is stdout, which then holds nothing else
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Args {
    fn options(&self, learning_rate: f64) -> Options {
        Options {
            epochs: self.epochs,
            learning_rate,
            log_every: self.log_every,
            patience: PATIENCE,
            ..Options::default()
        }
    }

    /// Each rung once, in the order of the command line.
    fn choices(&self) -> Result<Vec<Choice>> {
        let given = match self.gradient.as_slice() {
            [] => Method::ALL,
            given => given,
        };
        let new = |&(i, method): &(usize, &Method)| !given[..i].contains(method);
        let methods = given.iter().enumerate().filter(new);
        let mut choices: Vec<_> = methods.map(|(_, &m)| Choice::Gradient(m)).collect();
        match (given.contains(&Method::Optimizer), self.adamw_rate) {
            (true, _) => choices.push(Choice::AdamW),
            (false, Some(rate)) => bail!("--adamw-rate {rate}: only with the rung optimizer"),
            (false, None) => {}
        }
        Ok(choices)
    }

    fn needs(&self, choices: &[Choice]) -> Needs {
        let a_point = choices.iter().map(|c| c.a_point(self.problem.dtype)).max();
        let logged = self.json.is_some().then_some(self.log_every);
        Needs {
            points: a_point
                .unwrap_or(0)
                .saturating_mul(self.problem.points as usize),
            epochs: memory::losses(self.epochs, choices.len(), logged),
            count: self.epochs,
            rest: memory::PICTURE,
        }
    }

    fn check_places(&self) -> Result<()> {
        let mut all = vec![
            Place::new("--out", &self.out, Role::Filled),
            Place::new("--out", self.picture(), Role::Written),
        ];
        let json = self.json.as_ref().filter(|path| !is_stdout(path));
        all.extend(json.map(|path| Place::new("--json", path, Role::Written)));
        places::check(&all)
    }

    fn picture(&self) -> PathBuf {
        let path = self.out.join("compare");
        path.with_extension(self.format.extension())
    }

    fn json_to_stdout(&self) -> bool {
        self.json.as_deref().is_some_and(is_stdout)
    }
}

/// The rungs that were chosen, and those of them that were completed: all, unless Ctrl-C came.
struct Comparison<'a> {
    args: &'a Args,
    start: Start,
    data: Data,
    fit: LeastSquares,
    choices: Vec<Choice>,
    rungs: Vec<Rung>,
}

impl Comparison<'_> {
    fn interrupted(&self) -> bool {
        self.rungs.len() < self.choices.len()
    }

    /// Those of gradient descent. AdamW comes last where it comes.
    fn gradients(&self) -> &[Rung] {
        let ours = |r: &&Rung| r.choice != Choice::AdamW;
        &self.rungs[..self.rungs.iter().filter(ours).count()]
    }

    fn adamw(&self) -> Option<&Rung> {
        self.rungs.iter().find(|r| r.choice == Choice::AdamW)
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    let choices = args.choices()?;
    args.check_places()?;
    let device = args.problem.open_device()?;
    let start = args.problem.start()?;
    args.needs(&choices).check(&args.problem, &device)?;
    let data = args.problem.data(&device)?;
    let init = args.problem.weights(start.init, &device)?;
    let fit = LeastSquares::new(&data)?;
    warn_if_unstable(&args.problem, args.learning_rate.0, &fit);
    if choices.contains(&Choice::Gradient(Method::Fused)) && !has_kernel(&device) {
        warning("fused: no kernel for Metal, so tensor operations");
    }
    interrupt::run_begins();
    let mut out = Printer::quiet(args.json_to_stdout());
    args.problem.name_seed(&start, &mut out);
    let rungs = climb(args, &choices, &data, &init)?;
    let comparison = Comparison {
        args,
        start,
        data,
        fit,
        choices,
        rungs,
    };
    outcome::finish(&comparison, out)
}

/// One rung after the other, up to the one that Ctrl-C leaves unfinished.
fn climb(args: &Args, choices: &[Choice], data: &Data, init: &Weights) -> Result<Vec<Rung>> {
    let mut rungs = vec![];
    for &choice in choices {
        match rung::train_one(choice, args, data, init)? {
            Some(rung) => rungs.push(rung),
            None => break,
        }
    }
    Ok(rungs)
}
