//! One rung, from its making to its last epoch.

use super::super::args::Precision;
use super::super::{interrupt, memory, progress::Progress};
use super::Args;
use anyhow::Result;
use candle_sine::sine::gradient::optimizer::Optimizer;
use candle_sine::sine::gradient::{Descent, Method};
use candle_sine::sine::train::{self, History};
use candle_sine::sine::{Data, Weights};
use std::time::Instant;

const ADAMW_RATE: f64 = 1e-2;

/// A rung before it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Gradient(Method),
    AdamW,
}

impl Choice {
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradient(method) => method.as_str(),
            Self::AdamW => "adamw",
        }
    }

    pub fn learning_rate(self, args: &Args) -> f64 {
        match self {
            Self::Gradient(_) => args.learning_rate.0,
            Self::AdamW => args.adamw_rate.map_or(ADAMW_RATE, |rate| rate.0),
        }
    }

    /// See [`memory::a_point`].
    pub fn a_point(self, dtype: Precision) -> usize {
        match self {
            Self::Gradient(method) => memory::a_point(method, dtype),
            Self::AdamW => memory::a_point(Method::Optimizer, dtype),
        }
    }

    fn descent(self, data: &Data, init: &Weights) -> candle_core::Result<Box<dyn Descent>> {
        match self {
            Self::Gradient(method) => method.descent(data, init),
            Self::AdamW => Ok(Box::new(Optimizer::adamw(data, init)?)),
        }
    }
}

/// A run that is over.
pub struct Rung {
    pub choice: Choice,
    pub history: History,
    /// Until the first epoch could begin: what depends on the data alone, and one loss to warm
    /// up.
    pub setup_seconds: f64,
    /// Not a number where the first epoch was the last.
    pub epoch_seconds: f64,
}

impl Rung {
    /// For the picture.
    pub fn curve(&self) -> (&'static str, &[f64]) {
        (self.choice.name(), &self.history.losses)
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
        self.last.1 = done;
    }

    /// What came since the last epochs does not count.
    fn go_on(&mut self) {
        self.last.0 = Instant::now();
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

/// Nothing where Ctrl-C came before its last epoch.
pub fn train_one(choice: Choice, args: &Args, data: &Data, init: &Weights) -> Result<Option<Rung>> {
    if interrupt::asked() {
        return Ok(None);
    }
    let device = init.a.device();
    let began = Instant::now();
    let mut descent = choice.descent(data, init)?;
    descent.loss()?;
    device.synchronize()?;
    let setup_seconds = began.elapsed().as_secs_f64();
    let name = format!("{:>9} ", choice.name());
    let progress = Progress::new(&name, args.epochs, args.problem.points);
    let mut times = Times::default();
    let options = args.options(choice.learning_rate(args));
    let history = train::train(descent.as_mut(), &options, &mut |pause| {
        // A GPU is given its work ahead of time: what counts is when it is done.
        device.synchronize()?;
        times.reached(pause.done);
        progress.reached(pause.done);
        times.go_on();
        Ok(interrupt::go_on())
    })?;
    let whole = history.losses.len() == args.epochs || history.diverged_after.is_some();
    Ok(whole.then(|| Rung {
        choice,
        epoch_seconds: times.median(),
        history,
        setup_seconds,
    }))
}
