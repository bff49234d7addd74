//! `for epoch in range(1000)`: gradient descent, and what it leaves behind.

use super::gradient::Descent;
use super::{Data, Weights, post};
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
    /// How long a row of epochs between two pauses may take; zero means a pause after every epoch. Many
    /// epochs in a row cost less each, and come to the same numbers.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            first_epoch: 1,
            epochs: post::EPOCHS,
            learning_rate: post::LEARNING_RATE,
            log_every: post::LOG_EVERY,
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

    /// Epochs from `epoch`, itself included, to the next that is logged, itself not included.
    fn until_logged(&self, epoch: usize) -> usize {
        let every = self.log_every.max(1);
        every - epoch.wrapping_sub(1) % every
    }
}

/// A pause of a run, after one of its epochs.
pub struct Pause<'a> {
    /// The epoch that is just over, counted from 1, as the post prints it.
    pub epoch: usize,
    /// How many epochs of this run are over.
    pub done: usize,
    /// The loss of this epoch, known where it is logged.
    pub loss: Option<f64>,
    descent: &'a dyn Descent,
}

impl Pause<'_> {
    /// The weights that this epoch's `y_pred` and loss were computed with.
    ///
    /// # Errors
    /// A device that cannot be read.
    pub fn y_pred_weights(&self) -> Result<Weights> {
        self.descent.y_pred_weights()
    }
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

/// Trains: `options.epochs` epochs of `descent`. In every pause `at_pause` is called, and may end the run
/// by [`ControlFlow::Break`]. There is a pause after every logged epoch, and between two of these as
/// often as [`Options::patience`] wants it.
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
/// let mut manual = Method::Manual.descent(&data, &w)?;
/// let history = train::train(manual.as_mut(), &train::Options::default(), &mut |pause| {
///     if let Some(loss) = pause.loss {
///         println!("epoch : {}, loss : {loss}", pause.epoch);
///     }
///     Ok(ControlFlow::Continue(()))
/// })?;
/// assert_eq!(history.losses[900], 704.974853515625);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of the descent, of the device and of `at_pause`. A loss that is not finite is no error: the
/// run ends and [`History::diverged_after`] names the epoch.
pub fn train(
    descent: &mut dyn Descent,
    options: &Options,
    at_pause: &mut dyn FnMut(&Pause) -> Result<ControlFlow<()>>,
) -> Result<History> {
    let mut losses = Losses::default();
    let mut pace = Pace::default();
    let mut done = 0;
    while done < options.epochs && losses.diverged_after().is_none() {
        let next = options.first_epoch + done;
        let row = pace.row(next, options.epochs - done, options);
        let began = Instant::now();
        losses.push(descent.descend(options.learning_rate, row)?)?;
        done += row;
        let epoch = options.first_epoch + done - 1;
        let loss = match options.logs(epoch) {
            true => losses.fetch_last()?,
            false => None,
        };
        let descent = &*descent;
        let pause = Pause {
            epoch,
            done,
            loss,
            descent,
        };
        if losses.diverged_after().is_some() || at_pause(&pause)?.is_break() {
            break;
        }
        pace.adapt(row, began.elapsed(), options.patience);
    }
    losses.fetch()?;
    Ok(History {
        diverged_after: losses.diverged_after(),
        losses: losses.fetched,
        weights: descent.weights()?,
        y_pred_weights: descent.y_pred_weights()?,
        final_loss: number(&descent.loss()?)?,
    })
}

/// Of a tensor of rank 0.
fn number(tensor: &Tensor) -> Result<f64> {
    // To the CPU first: Metal has no f64.
    let here = tensor.to_device(&Device::Cpu)?;
    here.to_dtype(DType::F64)?.to_scalar()
}

/// How many epochs to do in a row.
struct Pace {
    epochs: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { epochs: 1 }
    }
}

impl Pace {
    /// Bounds the memory that a row takes.
    const MOST: usize = 4096;

    /// The length of the row that begins with `epoch`, of `left` epochs that are left. A logged epoch is
    /// a row of its own, so that its pause comes right after it.
    fn row(&self, epoch: usize, left: usize, options: &Options) -> usize {
        match options.logs(epoch) {
            true => 1,
            false => self.epochs.min(options.until_logged(epoch)).min(left),
        }
    }

    /// A row that a logged epoch has cut short says nothing of the pace.
    fn adapt(&mut self, row: usize, took: Duration, patience: Duration) {
        if patience.is_zero() || row < self.epochs {
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

    /// The last loss, or the one before it that was not finite.
    fn fetch_last(&mut self) -> Result<Option<f64>> {
        self.fetch()?;
        Ok(self.fetched.last().copied())
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

#[cfg(test)]
mod tests {
    use super::Pace;
    use std::time::Duration;

    /// The length of the next row, after one of `row` epochs that took so many milliseconds; patience is
    /// a hundred.
    fn next(epochs: usize, row: usize, took: u64) -> usize {
        let mut pace = Pace { epochs };
        pace.adapt(row, Duration::from_millis(took), Duration::from_millis(100));
        pace.epochs
    }

    #[test]
    fn rows_take_between_half_the_patience_and_all_of_it() {
        assert_eq!((next(8, 8, 49), next(8, 8, 50)), (16, 8));
        assert_eq!((next(8, 8, 100), next(8, 8, 101)), (8, 4));
        assert_eq!(
            (next(1, 1, 500), next(Pace::MOST, Pace::MOST, 1)),
            (1, Pace::MOST)
        );
    }

    /// A row that was cut short, and no patience, say nothing.
    #[test]
    fn what_says_nothing_of_the_pace_leaves_it() {
        assert_eq!((next(8, 7, 1), next(8, 7, 500)), (8, 8));
        let mut pace = Pace { epochs: 8 };
        pace.adapt(8, Duration::from_millis(1), Duration::ZERO);
        assert_eq!(pace.epochs, 8);
    }
}
