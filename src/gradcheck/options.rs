//! What a caller may set.

use candle_core::{DType, Result, bail};

use super::judge::tolerance::Tolerance;

/// How much of the Jacobian to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Mode {
    /// [`Full`](Mode::Full) up to some thousands of evaluations, [`Fast`](Mode::Fast) beyond.
    #[default]
    Auto,
    /// Every entry: one backward pass an output element, one derivative an input element.
    Full,
    /// Random projections vᵀJu, and a search by halving when one disagrees.
    Fast,
}

/// The settings of a check. Every default is chosen per dtype, so `Options::default()` is enough.
///
/// ```
/// use candle_sine::gradcheck::{Mode, Options};
/// let options = Options::default().rtol(1e-6).mode(Mode::Full).layouts(false);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) rtol: Option<f64>,
    pub(crate) atol: Option<f64>,
    pub(crate) kappa: f64,
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
    pub(crate) inputs: Option<Vec<usize>>,
    pub(crate) widen: bool,
    pub(crate) probes: bool,
    pub(crate) layouts: bool,
    pub(crate) determinism: bool,
    pub(crate) rounds: usize,
    pub(crate) buffers: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rtol: None,
            atol: None,
            kappa: 4.,
            mode: Mode::Auto,
            seed: 0,
            inputs: None,
            widen: true,
            probes: true,
            layouts: true,
            determinism: true,
            rounds: 3,
            buffers: Vec::new(),
        }
    }
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Relative tolerance. By default f64 1e-8, f32 1e-4, f16 4e-3, bf16 3e-2.
    pub fn rtol(mut self, rtol: f64) -> Self {
        self.rtol = Some(rtol);
        self
    }

    /// Absolute tolerance: a difference below it is not called wrong, but never certified either.
    /// By default f64 1e-10, f32 1e-6, f16 1e-4, bf16 1e-3.
    pub fn atol(mut self, atol: f64) -> Self {
        self.atol = Some(atol);
        self
    }

    /// How many error bounds of the numeric derivative a difference may reach. By default 4.
    pub fn kappa(mut self, kappa: f64) -> Self {
        self.kappa = kappa;
        self
    }

    /// How much of the Jacobian to compare. By default [`Mode::Auto`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The seed of the random signs. By default 0; the same seed gives the same report.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The inputs to check, by position. By default every float one.
    pub fn inputs(mut self, inputs: impl IntoIterator<Item = usize>) -> Self {
        self.inputs = Some(inputs.into_iter().collect());
        self
    }

    /// Whether the numeric derivative may be taken in f64 where the function runs in it. By default
    /// yes: the inputs widen exactly, and an f32 derivative is then known to more than f32's digits.
    pub fn widen(mut self, widen: bool) -> Self {
        self.widen = widen;
        self
    }

    /// Whether the probes of the inputs as views ([`Probe::Strided`](super::Probe::Strided),
    /// [`Probe::Offset`](super::Probe::Offset)) are among the [`probes`](Self::probes).
    pub fn layouts(mut self, on: bool) -> Self {
        self.layouts = on;
        self
    }

    /// Whether to call the function and its backward pass twice and compare.
    pub fn determinism(mut self, on: bool) -> Self {
        self.determinism = on;
        self
    }

    /// Random projections an input in fast mode. By default 3.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Of a model, the variables that are no parameters, by name: listed apart and judged by nobody.
    /// BatchNorm's `running_mean` and `running_var` are always among them.
    pub fn buffers<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.buffers = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether to run the probes ([`Probe`](super::Probe)), and with them the check of
    /// [`determinism`](Self::determinism).
    pub fn probes(mut self, on: bool) -> Self {
        self.probes = on;
        self.determinism(on)
    }

    /// Refuses settings with which no verdict would mean anything.
    pub(crate) fn validate(&self) -> Result<()> {
        let usable = |value: f64, least| value >= least && value.is_finite();
        for (name, value) in [("rtol", self.rtol), ("atol", self.atol)] {
            if let Some(value) = value.filter(|value| !usable(*value, 0.)) {
                bail!("gradcheck: {name} must be finite and not negative, got {value}")
            }
        }
        let kappa = self.kappa;
        if !usable(kappa, 1.) {
            bail!("gradcheck: kappa must be finite and at least 1, got {kappa}")
        }
        if self.rounds == 0 {
            bail!("gradcheck: rounds must be at least 1")
        }
        Ok(())
    }

    pub(crate) fn tolerance(&self, dtype: DType) -> Tolerance {
        let defaults = Tolerance::of(dtype);
        Tolerance {
            rtol: self.rtol.unwrap_or(defaults.rtol),
            atol: self.atol.unwrap_or(defaults.atol),
            kappa: self.kappa,
            ..defaults
        }
    }
}
