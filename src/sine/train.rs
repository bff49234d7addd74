//! `for epoch in range(1000)`: gradient descent, and what it leaves behind.

use super::gradient::Gradient;
use super::{Data, Weights};
use candle_core::{DType, Device, Result, Tensor};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// The length and the pace of a run. The default is the post's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The number of the first epoch: 1, or more where an earlier run is continued.
    pub first_epoch: usize,
    /// Passes over the data, each followed by one update of the weights.
    pub epochs: usize,
    /// What a gradient is multiplied with before it is subtracted from its weight.
    pub learning_rate: f64,
    /// Epochs 1, 1 + `log_every`, 1 + 2 `log_every`, ... are logged.
    pub log_every: usize,
    /// How long the observer may be left alone between two logged epochs; zero lets it see every
    /// epoch. Many epochs in one go cost less each, and come to the same numbers.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            first_epoch: 1,
            epochs: 1000,
            learning_rate: 1e-6,
            log_every: 100,
            patience: Duration::ZERO,
        }
    }
}

impl Options {
    /// Whether `epoch`, counted from 1, is logged: the post's `if epoch % 100 == 0`, where it
    /// counts from 0.
    pub fn logs(&self, epoch: usize) -> bool {
        epoch.wrapping_sub(1).is_multiple_of(self.log_every.max(1))
    }

    /// From `epoch`, itself included, to the next that is logged.
    fn until_logged(&self, epoch: usize) -> usize {
        let every = self.log_every.max(1);
        every - epoch.wrapping_sub(1) % every
    }
}

/// What an observer sees of an epoch.
#[derive(Debug)]
pub struct Epoch<'a> {
    /// Counted from 1, as the post prints it.
    pub epoch: usize,
    /// The loss at these weights, known on epochs that are logged.
    pub loss: Option<f64>,
    /// The weights that this epoch's `y_pred` was computed with.
    pub weights: &'a Weights,
    /// How many epochs of the run are done by now: where epochs were done in one go, this is the
    /// first of them and the others are over as well.
    pub done: usize,
}

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct History {
    /// The loss of every epoch, before its update; up to the first that is not finite.
    pub losses: Vec<f64>,
    /// The weights at the end.
    pub weights: Weights,
    /// The weights of the last `y_pred`, one update older than [`weights`](Self::weights): the
    /// post plots these.
    pub y_pred_weights: Weights,
    /// The loss at [`weights`](Self::weights).
    pub final_loss: f64,
    /// Which epoch of this run, counted from 1, was the first whose loss was not finite.
    pub diverged_after: Option<usize>,
}

/// Descends from `weights`, telling `observe` of every epoch, or, given some
/// [patience](Options::patience), of those that are logged and some between; it may end the run by
/// [`ControlFlow::Break`].
///
/// Losses stay on the device between two logged epochs: nothing waits for them.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::{Data, Weights, gradient::Method, post, train};
/// use std::ops::ControlFlow;
///
/// let data = Data::new(1000, DType::F32, &Device::Cpu)?;
/// let w = Weights::new(post::WEIGHTS.map(f64::from), DType::F32, &Device::Cpu)?;
/// let mut manual = Method::Manual.over(&data)?;
/// let history = train::train(manual.as_mut(), w, &train::Options::default(), &mut |epoch| {
///     if let Some(loss) = epoch.loss {
///         println!("epoch : {}, loss : {loss}", epoch.epoch);
///     }
///     Ok(ControlFlow::Continue(()))
/// })?;
/// assert_eq!(history.losses[900], 704.974853515625);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of the gradient, of the device and of the observer. A loss that is not finite is no
/// error: the run ends and [`History::diverged_after`] names the epoch.
pub fn train(
    gradient: &mut dyn Gradient,
    mut weights: Weights,
    options: &Options,
    observe: &mut dyn FnMut(&Epoch) -> Result<ControlFlow<()>>,
) -> Result<History> {
    let mut losses = Losses::default();
    let mut y_pred_weights = weights.clone();
    let end = options.first_epoch + options.epochs;
    let (mut epoch, mut pace) = (options.first_epoch, Pace::default());
    while epoch < end && losses.diverged_after().is_none() {
        let began = Instant::now();
        let epochs = pace.epochs(epoch, end, options);
        let stretch = gradient.descend(&weights, options.learning_rate, epochs)?;
        losses.push(stretch.losses)?;
        let before = std::mem::replace(&mut weights, stretch.weights);
        y_pred_weights = stretch.y_pred_weights;
        let loss = match options.logs(epoch) {
            true => losses.fetch_at(epoch - options.first_epoch)?,
            false => None,
        };
        let weights = &before;
        let done = epoch + epochs - options.first_epoch;
        let finite = loss.is_none_or(f64::is_finite);
        let observed = Epoch {
            epoch,
            loss,
            weights,
            done,
        };
        if !finite || observe(&observed)?.is_break() {
            break;
        }
        pace.adapt(began.elapsed(), options.patience);
        epoch += epochs;
    }
    let loss = gradient.loss_and_grad(&weights)?.loss;
    let loss = loss.to_device(&Device::Cpu)?;
    losses.fetch()?;
    Ok(History {
        diverged_after: losses.diverged_after(),
        losses: losses.fetched,
        weights,
        y_pred_weights,
        final_loss: loss.to_dtype(DType::F64)?.to_scalar()?,
    })
}

/// How many epochs to do in one go.
struct Pace {
    epochs: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { epochs: 1 }
    }
}

impl Pace {
    /// Bounds the memory that one go takes.
    const MOST: usize = 4096;

    /// From `epoch` on, up to the next that is logged or to the `end`.
    fn epochs(&self, epoch: usize, end: usize, options: &Options) -> usize {
        let until_logged = options.until_logged(epoch);
        self.epochs.min(until_logged).min(end - epoch)
    }

    fn adapt(&mut self, took: Duration, patience: Duration) {
        if patience.is_zero() {
            return;
        }
        self.epochs = match took {
            took if took > patience => (self.epochs / 2).max(1),
            took if took < patience / 2 => (self.epochs * 2).min(Self::MOST),
            _ => self.epochs,
        };
    }
}

/// The losses so far; the latest still on the device.
#[derive(Default)]
struct Losses {
    fetched: Vec<f64>,
    pending: Vec<Tensor>,
}

impl Losses {
    /// Bounds the memory held between two logged epochs.
    const MOST_PENDING: usize = 1000;

    fn push(&mut self, losses: Tensor) -> Result<()> {
        self.pending.push(losses);
        match self.pending.len() < Self::MOST_PENDING {
            true => Ok(()),
            false => self.fetch(),
        }
    }

    /// The loss of the `i`-th epoch, or the one that ended the run before it.
    fn fetch_at(&mut self, i: usize) -> Result<Option<f64>> {
        self.fetch()?;
        Ok(self.fetched.get(i).or(self.fetched.last()).copied())
    }

    fn fetch(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let losses = Tensor::cat(&self.pending, 0)?.to_device(&Device::Cpu)?;
        let losses = losses.to_dtype(DType::F64)?;
        self.pending.clear();
        for loss in losses.to_vec1::<f64>()? {
            if self.diverged_after().is_none() {
                self.fetched.push(loss);
            }
        }
        Ok(())
    }

    fn diverged_after(&self) -> Option<usize> {
        let last = self.fetched.last()?;
        (!last.is_finite()).then_some(self.fetched.len())
    }
}

/// The points of the post's `y_rand` or `y_pred` plot: the cubic with `weights` at every x.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::{Data, Weights, train::curve};
///
/// let data = Data::new(3, DType::F64, &Device::Cpu)?;
/// let line = Weights::new([0., 0., 1., 2.], DType::F64, &Device::Cpu)?;
/// assert_eq!(curve(&data, &line)?[1], 2.);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Weights of another dtype or on another device than the data.
pub fn curve(data: &Data, weights: &Weights) -> Result<Vec<f64>> {
    let powers = super::cubic::Powers::new(&data.x)?;
    let y = super::cubic::cubic(&powers, weights)?;
    // Metal has no f64.
    y.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec1()
}
