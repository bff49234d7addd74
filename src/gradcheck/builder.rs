//! One check, put together call by call.

use candle_core::{Result, Tensor};

use super::options::Options;
use super::report::Report;
use super::run;
use super::support::exec::{Exec, Parallel, Serial};

/// A gradient written by hand: one for each input, from the inputs and the output's gradient.
type ByHand<'a> = Box<dyn Fn(&[Tensor], &Tensor) -> Result<Vec<Option<Tensor>>> + 'a>;

/// A check of a function's gradient; [`gradcheck`](super::gradcheck) is its shortcut.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_sine::gradcheck::{Gradcheck, Mode, Options};
///
/// let x = Tensor::new(&[0.5f64, -1.5, 2.], &Device::Cpu)?;
/// let report = Gradcheck::of(|t: &[Tensor]| t[0].powf(3.)?.sum_all())
///     .by_hand(|t: &[Tensor], _: &Tensor| Ok(vec![(t[0].sqr()? * 3.)?]))
///     .options(Options::default().mode(Mode::Full))
///     .run(&[x])?;
/// assert!(report.is_pass());
/// # Ok::<(), candle_core::Error>(())
/// ```
pub struct Gradcheck<'a, F> {
    f: F,
    by_hand: Option<ByHand<'a>>,
    options: Options,
}

impl<'a, F: Fn(&[Tensor]) -> Result<Tensor>> Gradcheck<'a, F> {
    /// A check of `f` with the default options.
    pub fn of(f: F) -> Self {
        Self {
            f,
            by_hand: None,
            options: Options::default(),
        }
    }

    /// Also checks a gradient that was written by hand, as
    /// [`gradcheck_with`](super::gradcheck_with) does.
    pub fn by_hand<M, G>(mut self, manual: M) -> Self
    where
        M: Fn(&[Tensor], &Tensor) -> Result<Vec<G>> + 'a,
        G: Into<Option<Tensor>>,
    {
        self.by_hand = Some(Box::new(move |inputs, grad| {
            Ok(manual(inputs, grad)?.into_iter().map(Into::into).collect())
        }));
        self
    }

    /// With these options.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Runs the check on this thread; `f` may hold a `Cell`.
    ///
    /// # Errors
    ///
    /// As [`gradcheck`](super::gradcheck) and [`gradcheck_with`](super::gradcheck_with).
    pub fn run(self, inputs: &[Tensor]) -> Result<Report> {
        checked(&Serial::new(self.f), self.by_hand, inputs, &self.options)
    }

    /// Runs the check on all cores; the gradient by hand is still called from this thread. On a GPU
    /// the same as [`run`](Self::run): candle gives each thread a stream of its own there (candle-core
    /// 0.11.1, `CudaDevice::new`), and nothing orders one thread's work after another's.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn par_run(self, inputs: &[Tensor]) -> Result<Report>
    where
        F: Sync,
    {
        match inputs.iter().all(|t| t.device().is_cpu()) {
            true => checked(&Parallel::new(self.f), self.by_hand, inputs, &self.options),
            false => self.run(inputs),
        }
    }
}

fn checked(
    exec: &impl Exec,
    by_hand: Option<ByHand>,
    inputs: &[Tensor],
    options: &Options,
) -> Result<Report> {
    run::run(exec, by_hand.as_deref(), inputs, options)
}
