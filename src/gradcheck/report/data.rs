//! What a check found, as data.

use candle_core::DType;

use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Mode;
use crate::gradcheck::support::values::rel_err;

/// Everything one check found. `Display` prints it as a table; with the `serde` feature it
/// serializes, NaN and infinite numbers as JSON's `null`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// One for each input checked.
    pub inputs: Vec<InputReport>,
    /// One for each probe and input.
    pub probes: Vec<ProbeReport>,
    /// [`Mode::Full`] or [`Mode::Fast`], as chosen.
    pub mode: Mode,
    /// The dtype the numeric derivative was taken in.
    #[cfg_attr(feature = "serde", serde(serialize_with = "dtype_name"))]
    pub numeric_dtype: DType,
    /// Calls of f in all.
    pub evaluations: usize,
    /// Backward passes in all.
    pub backwards: usize,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// What was found for one input.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct InputReport {
    /// Its position among the inputs.
    pub input: usize,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its dtype, which is that of the gradient.
    #[cfg_attr(feature = "serde", serde(serialize_with = "dtype_name"))]
    pub dtype: DType,
    /// The worst of its entries' verdicts.
    pub verdict: Verdict,
    /// The entry of the worst verdict that is furthest off, against its tolerance. In fast mode the one
    /// to which halving led, unless it passes and the input does not.
    pub worst: Option<Entry>,
    /// Entries of the Jacobian that passed on a bound small enough to tell. In fast mode 0: it sees
    /// projections, not entries.
    pub certified: usize,
    /// Entries of the Jacobian: output elements times input elements.
    pub entries: usize,
    /// How many entries got each verdict, of those compared one by one.
    pub counts: Vec<(Verdict, usize)>,
    /// The largest |analytic - numeric| that is finite. In fast mode 0.
    pub max_abs_err: f64,
    /// Calls of f for this input alone, also for a gradient by hand, probes aside; 0 where all inputs
    /// passed together.
    pub evaluations: usize,
    /// Fast mode: the smallest error of a single entry that this run could have seen.
    pub smallest_visible: Option<f64>,
    /// Where segments settled the verdict: the relative error of the gradient as a whole that would
    /// have shown.
    pub resolution: Option<f64>,
    /// A hand-written gradient against the same numbers, from
    /// [`Gradcheck::by_hand`](crate::gradcheck::Gradcheck::by_hand).
    pub manual: Option<ManualReport>,
    /// What the backward pass said when it failed, that no gradient is right here, and the like.
    pub notes: Vec<String>,
}

/// One entry of the Jacobian, d output\[`output`\] / d input\[`input`\].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Entry {
    /// The index of the output element, one number a dimension.
    pub output: Vec<usize>,
    /// The index of the input element, one number a dimension.
    pub input: Vec<usize>,
    /// What the backward pass gave; 0 where it gave no gradient.
    pub analytic: f64,
    /// The numeric derivative.
    pub numeric: f64,
    /// The bound on the numeric derivative's error.
    pub bound: f64,
    /// This entry's own verdict.
    pub verdict: Verdict,
}

impl Entry {
    /// |analytic - numeric| / max(|analytic|, |numeric|), or 0 where both are 0.
    pub fn rel_err(&self) -> f64 {
        rel_err(self.analytic, self.numeric)
    }
}

/// A hand-written gradient of one input, compared with autograd's.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ManualReport {
    /// The worst verdict of its entries against the numeric derivative.
    pub verdict: Verdict,
    /// Its worst entry; `analytic` is the hand-written value.
    pub worst: Option<Entry>,
    /// Which of the three disagrees with the other two.
    pub odd_one_out: OddOneOut,
    /// Autograd's value at the hand-written gradient's worst entry.
    pub autograd: Option<f64>,
}

/// Which of autograd, the hand-written gradient and the numeric derivative disagrees with the
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OddOneOut {
    /// All three agree.
    None,
    /// The hand-written gradient alone.
    Manual,
    /// autograd alone.
    Autograd,
    /// The numeric derivative alone: a kink, a value of f that its gradient does not follow, or the
    /// same mistake made twice.
    Numeric,
    /// No two agree.
    All,
}

/// A way of calling f, or its backward pass, that must not change the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Probe {
    /// `f(x) + f(x)`: f called twice on one variable, whose gradients add up.
    Twice,
    /// Every input is a strided view: a transpose, or a column where there are no two dimensions.
    Strided,
    /// x is contiguous, but not at the start of its storage.
    Offset,
    /// The backward pass is linear in the output's gradient.
    Linear,
}

impl Probe {
    /// The name as reports print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Twice => "f(x) + f(x)",
            Self::Strided => "strided",
            Self::Offset => "offset",
            Self::Linear => "linear",
        }
    }
}

/// The outcome of one probe on one input.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ProbeReport {
    /// Which probe.
    pub probe: Probe,
    /// The position of the input probed.
    pub input: usize,
    /// What came out.
    pub outcome: Outcome,
}

/// What came out of a probe.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "outcome", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// The gradient is the same.
    Pass,
    /// The probe could not be run: f refused the layout, or the shape has no such view. Not a fault
    /// of the gradient.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The gradient differs.
    Failed {
        /// How it differs.
        verdict: Verdict,
        /// Where it differs most: an index into the input.
        at: Vec<usize>,
        /// The gradient found there.
        found: f64,
        /// The gradient that the plain call implies there.
        expected: f64,
        /// What that suggests.
        note: String,
    },
    /// f's own value differs from that of the plain call: the forward is at fault, whatever its
    /// gradient.
    Forward {
        /// The index of the output element that differs most.
        at: Vec<usize>,
        /// The value found there.
        found: f64,
        /// The value of the plain call there.
        expected: f64,
    },
}

impl Outcome {
    /// The verdict this outcome stands for; a skipped probe is none.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Pass => Some(Verdict::Pass),
            Self::Skipped { .. } => None,
            Self::Failed { verdict, .. } => Some(*verdict),
            Self::Forward { .. } => Some(Verdict::Wrong),
        }
    }
}

impl Report {
    /// Whether every input and every probe that could be run passed.
    pub fn is_pass(&self) -> bool {
        self.verdict() == Verdict::Pass
    }

    /// The worst verdict of all, where a cause comes before its consequences: `severed` before
    /// `wrong`.
    pub fn verdict(&self) -> Verdict {
        let inputs = self.inputs.iter().map(InputReport::overall);
        let probes = self.probes.iter().filter_map(|p| p.outcome.verdict());
        let all = inputs.chain(probes);
        all.max_by_key(|v| v.rank()).unwrap_or(Verdict::Pass)
    }

    /// For tests: does nothing if the check passed.
    ///
    /// # Panics
    ///
    /// With the whole table if it did not pass.
    #[track_caller]
    #[allow(clippy::panic)] // to panic in a test is what it is for
    pub fn assert_pass(&self) {
        if !self.is_pass() {
            panic!("{self}");
        }
    }
}

impl InputReport {
    /// Nothing has been compared yet.
    pub(crate) fn new(input: usize, shape: &[usize], dtype: DType, outputs: usize) -> Self {
        Self {
            input,
            shape: shape.to_vec(),
            dtype,
            verdict: Verdict::Pass,
            worst: None,
            certified: 0,
            entries: shape.iter().product::<usize>() * outputs,
            counts: Vec::new(),
            max_abs_err: 0.,
            evaluations: 0,
            smallest_visible: None,
            resolution: None,
            manual: None,
            notes: Vec::new(),
        }
    }

    /// The worse of autograd's verdict and the hand-written gradient's.
    pub(crate) fn overall(&self) -> Verdict {
        let manual = self.manual.as_ref().map(|m| m.verdict);
        self.verdict.max(manual.unwrap_or(Verdict::Pass))
    }
}

#[cfg(feature = "serde")]
fn dtype_name<S: serde::Serializer>(dtype: &DType, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(dtype.as_str())
}
