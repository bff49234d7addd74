//! One check, put together call by call.

use candle_core::{Result, Tensor};

use super::autograd::by_hand::Manual;
use super::options::Options;
use super::report::Report;
use super::run::run;
use super::support::exec::{Parallel, Serial};

/// A check of a function's gradient, put together call by call; [`gradcheck`](super::gradcheck) is its
/// short form.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_sine::gradcheck::{Gradcheck, Mode, Options};
///
/// let x = Tensor::new(&[0.5f64, -1.5, 2.], &Device::Cpu)?;
/// let report = Gradcheck::of(|t| t[0].powf(3.)?.sum_all())
///     .by_hand(|t, _| Ok(vec![(t[0].sqr()? * 3.)?]))
///     .options(Options::default().mode(Mode::Full))
///     .run(&[x])?;
/// assert!(report.is_pass());
/// # Ok::<(), candle_core::Error>(())
/// ```
pub struct Gradcheck<'a, F> {
    f: F,
    by_hand: Option<Manual<'a>>,
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

    /// Also checks a gradient written by hand: autograd, `manual` and numbers, three ways in one table.
    ///
    /// `manual` takes the inputs and the output's gradient and returns one gradient an input, `Tensor`
    /// or `Option<Tensor>`. For a scalar `f` the output's gradient is one, and may be ignored.
    /// [`InputReport::manual`](super::InputReport::manual) has its verdict, and
    /// [`ManualReport::odd_one_out`](super::ManualReport::odd_one_out) which of the three disagrees with the
    /// other two. The check ends in an error if `manual` returns one, too many or too few gradients,
    /// or one whose shape is not its input's.
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use candle_sine::gradcheck::{OddOneOut, Gradcheck};
    ///
    /// let x = Tensor::new(&[0.5f64, -1.5, 2.], &Device::Cpu)?;
    /// let wrong = |t: &[Tensor], _: &Tensor| Ok(vec![(t[0].sqr()? * 2.)?]);
    /// let report = Gradcheck::of(|t| t[0].powf(3.)?.sum_all())
    ///     .by_hand(wrong)
    ///     .run(&[x])?;
    /// let by_hand = report.inputs[0].manual.as_ref().unwrap();
    /// assert_eq!(by_hand.odd_one_out, OddOneOut::Manual);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
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
    /// As [`gradcheck`](super::gradcheck) and [`by_hand`](Self::by_hand).
    pub fn run(self, inputs: &[Tensor]) -> Result<Report> {
        let exec = Serial::new(self.f);
        run(&exec, self.by_hand.as_ref(), inputs, &self.options)
    }

    /// Runs the check on all cores: the same algorithm and the same report, with `f` called from
    /// rayon's threads and the gradient by hand still from this one. On a GPU the same as
    /// [`run`](Self::run): candle gives each thread a stream of its own there (candle-core 0.11.1,
    /// `CudaDevice::new`), and nothing orders one thread's work after another's.
    ///
    /// An `f` that multiplies matrices is checked about twice as fast where the environment variable
    /// `RAYON_NUM_THREADS` is set: without it, candle-core 0.11.1 asks for the number of cores at each
    /// `matmul`, on Linux by reading `/proc/cpuinfo` (`get_num_threads` in its `utils.rs`).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use candle_sine::gradcheck::Gradcheck;
    ///
    /// let a = Tensor::new(&[[1f64, 2.], [3., 4.]], &Device::Cpu)?;
    /// let b = Tensor::new(&[[0.5f64], [-1.]], &Device::Cpu)?;
    /// Gradcheck::of(|t| t[0].matmul(&t[1])).par_run(&[a, b])?.assert_pass();
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn par_run(self, inputs: &[Tensor]) -> Result<Report>
    where
        F: Sync,
    {
        if !inputs.iter().all(|t| t.device().is_cpu()) {
            return self.run(inputs);
        }
        let exec = Parallel::new(self.f);
        run(&exec, self.by_hand.as_ref(), inputs, &self.options)
    }
}
