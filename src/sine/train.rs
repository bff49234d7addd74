//! `for epoch in range(1000)`: gradient descent, and what it leaves behind.

use super::gradient::Gradient;
use super::{Data, Weights};
use candle_core::{DType, Result, Tensor};
use std::ops::ControlFlow;

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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            first_epoch: 1,
            epochs: 1000,
            learning_rate: 1e-6,
            log_every: 100,
        }
    }
}

impl Options {
    /// Whether `epoch`, counted from 1, is logged: the post's `if epoch % 100 == 0`, where it
    /// counts from 0.
    pub fn logs(&self, epoch: usize) -> bool {
        epoch.wrapping_sub(1).is_multiple_of(self.log_every.max(1))
    }
}

/// What an observer sees of an epoch, before its update.
#[derive(Debug)]
pub struct Epoch<'a> {
    /// Counted from 1, as the post prints it.
    pub epoch: usize,
    /// The loss at these weights, known on epochs that are logged.
    pub loss: Option<f64>,
    /// The weights that this epoch's `y_pred` was computed with.
    pub weights: &'a Weights,
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
    /// How many epochs ran before a loss was not finite, that one included.
    pub diverged_after: Option<usize>,
}

/// Descends from `weights`, telling `observe` of every epoch; it may end the run by
/// [`ControlFlow::Break`].
///
/// Losses stay on the device between two logged epochs: nothing waits for them.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::{Data, Weights, gradient::Method, train, weights};
/// use std::ops::ControlFlow;
///
/// let data = Data::new(1000, DType::F32, &Device::Cpu)?;
/// let w = Weights::new(weights::POST.map(f64::from), DType::F32, &Device::Cpu)?;
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
    for epoch in options.first_epoch..options.first_epoch + options.epochs {
        let step = gradient.loss_and_grad(&weights)?;
        losses.push(step.loss)?;
        let logged = options.logs(epoch);
        if logged {
            losses.fetch()?;
        }
        if losses.diverged_after().is_some() {
            break;
        }
        let loss = losses.fetched.last().copied().filter(|_| logged);
        y_pred_weights = weights;
        weights = y_pred_weights.descend(&step.grad, options.learning_rate)?;
        let weights = &y_pred_weights;
        if observe(&Epoch {
            epoch,
            loss,
            weights,
        })?
        .is_break()
        {
            break;
        }
    }
    losses.fetch()?;
    let final_loss = gradient.loss_and_grad(&weights)?.loss;
    Ok(History {
        diverged_after: losses.diverged_after(),
        losses: losses.fetched,
        weights,
        y_pred_weights,
        final_loss: final_loss.to_dtype(DType::F64)?.to_scalar()?,
    })
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

    fn push(&mut self, loss: Tensor) -> Result<()> {
        self.pending.push(loss);
        match self.pending.len() < Self::MOST_PENDING {
            true => Ok(()),
            false => self.fetch(),
        }
    }

    fn fetch(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let losses = Tensor::stack(&self.pending, 0)?.to_dtype(DType::F64)?;
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
    let y = super::cubic::y_pred(&powers, weights)?;
    y.to_dtype(DType::F64)?.to_vec1()
}
