//! `candle-sine compare`: every rung of the ladder on one problem, side by side.

mod table;

use super::args::{Problem, positive, positive_count};
use super::json::{self, Logged, Named};
use super::print::{Printer, warning};
use super::{Answer, files, interrupt};
use anyhow::{Context, Result};
use candle_sine::device;
use candle_sine::sine::figure::{self, Format};
use candle_sine::sine::gradient::fused::has_kernel;
use candle_sine::sine::gradient::optimizer::Optimizer;
use candle_sine::sine::gradient::{Gradient, Method};
use candle_sine::sine::train::{self, History, Options};
use candle_sine::sine::{Data, Weights};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Epochs are timed as many together as take about this long: less than the turn that the system
/// gives to a program.
const PATIENCE: Duration = Duration::from_millis(2);

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    problem: Problem,

    /// Rungs to train, comma-separated; AdamW comes with the optimizer [default: all]
    #[arg(long, value_enum, value_name = "RUNG,...", value_delimiter = ',')]
    gradient: Vec<Method>,

    /// Passes over the data
    #[arg(long, value_name = "N", default_value_t = 1000, allow_negative_numbers = true, value_parser = positive_count)]
    epochs: usize,

    /// Step size of gradient descent
    #[arg(long, value_name = "RATE", default_value = "1e-6", allow_hyphen_values = true, value_parser = positive)]
    learning_rate: f64,

    /// Step size of AdamW, which is no gradient descent and has a scale of its own
    #[arg(long, value_name = "RATE", default_value = "1e-2", allow_hyphen_values = true, value_parser = positive)]
    adamw_rate: f64,

    /// Print the loss of every N-th epoch
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true, value_parser = positive_count)]
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

    fn methods(&self) -> &[Method] {
        match self.gradient.as_slice() {
            [] => Method::ALL,
            chosen => chosen,
        }
    }

    fn check_places(&self) -> Result<()> {
        files::check_dir(&self.out).with_context(|| format!("--out {}", self.out.display()))?;
        let json = files::not_stdout(&self.json).map(|path| ("--json", path));
        let places: Vec<_> = [("--out", self.picture())].into_iter().chain(json).collect();
        files::check_places(&places)
    }

    fn picture(&self) -> PathBuf {
        let path = self.out.join("compare");
        path.with_extension(self.format.extension())
    }
}

/// A run that is over.
struct Rung {
    name: &'static str,
    learning_rate: f64,
    history: History,
    /// Until the first epoch could begin: what depends on the data alone, and one gradient to warm
    /// up.
    setup_seconds: f64,
    epoch_seconds: f64,
}

impl Rung {
    fn curve(&self) -> (&'static str, &[f64]) {
        (self.name, &self.history.losses)
    }
}

/// How long epochs took, as many at a time as were done in one go.
struct Times {
    last: (Instant, usize),
    /// Seconds an epoch, and epochs.
    seen: Vec<(f64, usize)>,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            last: (Instant::now(), 0),
            seen: vec![],
        }
    }
}

impl Times {
    fn reached(&mut self, done: usize) {
        let (then, before) = self.last;
        let epochs = done - before;
        let seconds = then.elapsed().as_secs_f64() / epochs as f64;
        self.seen.push((seconds, epochs));
        self.last = (Instant::now(), done);
    }

    /// Half of all epochs took no longer: other programs' turns on a busy machine do not count.
    fn median(mut self) -> f64 {
        self.seen.sort_by(|a, b| a.0.total_cmp(&b.0));
        let half = self.last.1.div_ceil(2);
        let mut epochs = 0;
        let middle = self.seen.iter().find(|(_, n)| {
            epochs += n;
            epochs >= half
        });
        middle.map_or(f64::NAN, |(seconds, _)| *seconds)
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    args.check_places()?;
    let device = args.problem.open_device()?;
    let start = args.problem.start()?;
    let data = args.problem.data(&device)?;
    let init = args.problem.weights(start.init, &device)?;
    if !has_kernel(&device) {
        warning("fused: no kernel for Metal, so tensor operations");
    }
    interrupt::listen()?;
    let mut rungs = vec![];
    for method in args.methods() {
        let (name, rate) = (method.as_str(), args.learning_rate);
        rungs.extend(descend(name, rate, || method.over(&data), &init, args)?);
    }
    let gradients = rungs.len();
    if args.methods().contains(&Method::Optimizer) {
        let adamw = || Ok(Box::new(Optimizer::adamw(&data)?) as Box<dyn Gradient>);
        rungs.extend(descend("adamw", args.adamw_rate, adamw, &init, args)?);
    }
    let (gradients, adamw) = rungs.split_at(gradients);
    finish(args, &data, gradients, adamw.first())
}

/// One rung from its making to its last epoch; nothing where Ctrl-C came first.
fn descend(
    name: &'static str,
    learning_rate: f64,
    make: impl FnOnce() -> candle_core::Result<Box<dyn Gradient>>,
    init: &Weights,
    args: &Args,
) -> Result<Option<Rung>> {
    let device = init.a.device();
    let began = Instant::now();
    let mut gradient = make()?;
    gradient.loss_and_grad(init)?;
    device.synchronize()?;
    let setup_seconds = began.elapsed().as_secs_f64();
    let mut times = Times::default();
    let options = args.options(learning_rate);
    let history = train::train(gradient.as_mut(), init.clone(), &options, &mut |epoch| {
        // A GPU is given its work ahead of time: what counts is when it is done.
        device.synchronize()?;
        times.reached(epoch.done);
        Ok(interrupt::go_on())
    })?;
    if interrupt::asked() {
        return Ok(None);
    }
    Ok(Some(Rung {
        name,
        learning_rate,
        epoch_seconds: times.median(),
        history,
        setup_seconds,
    }))
}

fn finish(args: &Args, data: &Data, gradients: &[Rung], adamw: Option<&Rung>) -> Result<Answer> {
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    let mut out = Printer::quiet(to_stdout);
    if !gradients.is_empty() {
        table::print(args, gradients, adamw, &mut out);
        let path = args.picture();
        let curves: Vec<_> = gradients.iter().map(Rung::curve).collect();
        let picture = figure::compare(&curves, adamw.map(Rung::curve)).render(args.format)?;
        files::write(&path, &picture).with_context(|| format!("--out {}", args.out.display()))?;
        write_json(args, data, gradients.iter().chain(adamw))?;
        out.line(format_args!("wrote {}", path.display()));
    }
    out.finish()?;
    Ok(match interrupt::asked() {
        true => Answer::Interrupted,
        false => Answer::Yes,
    })
}

/// Schema 1.
#[derive(Serialize)]
struct Json {
    schema: u32,
    device: String,
    dtype: &'static str,
    points: u32,
    epochs: usize,
    threads: usize,
    rungs: Vec<JsonRung>,
}

#[derive(Serialize)]
struct JsonRung {
    name: &'static str,
    learning_rate: f64,
    setup_seconds: f64,
    epoch_seconds: f64,
    final_loss: f64,
    weights: Named,
    log: Vec<Logged>,
}

fn write_json<'a>(args: &Args, data: &Data, rungs: impl Iterator<Item = &'a Rung>) -> Result<()> {
    let Some(path) = &args.json else {
        return Ok(());
    };
    let options = args.options(args.learning_rate);
    let rung = |r: &Rung| {
        let numbered = (1..).zip(r.history.losses.iter().copied());
        let logged = numbered.filter(|(epoch, _)| options.logs(*epoch));
        Ok(JsonRung {
            name: r.name,
            learning_rate: r.learning_rate,
            setup_seconds: r.setup_seconds,
            epoch_seconds: r.epoch_seconds,
            final_loss: r.history.final_loss,
            weights: r.history.weights.values()?.into(),
            log: logged.map(|(epoch, loss)| Logged { epoch, loss }).collect(),
        })
    };
    let report = Json {
        schema: 1,
        device: device::name(data.x.device()),
        dtype: args.problem.dtype.dtype().as_str(),
        points: args.problem.points,
        epochs: args.epochs,
        threads: rayon::current_num_threads(),
        rungs: rungs.map(rung).collect::<Result<_>>()?,
    };
    json::write(path, &report)
}
