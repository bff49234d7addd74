//! What was found of a model, by the names of its parameters.

use std::ops::Range;

use candle_core::DType;

use super::marks::{Cut, Mark};
use super::suspects::Suspect;
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;

/// Everything one check of a model found. `{}` prints a screen with names folded, `{:#}` a line a
/// parameter; with the `serde` feature it serializes.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModelReport {
    /// One for each parameter that was judged, in the order of the names.
    pub parameters: Vec<ParameterReport>,
    /// Not parameters, and judged by nobody: BatchNorm's running statistics, and what the caller
    /// named.
    pub buffers: Vec<String>,
    /// Not judged: f does not read them, or nothing that it returns depends on them.
    pub unread: Vec<String>,
    /// The marks in the order passed.
    pub marks: Vec<Mark>,
    /// Between which marks the graph ends; empty where nothing is severed or wrong.
    pub cuts: Vec<Cut>,
    /// Where something is severed and no two marks are around it: functions known to do that.
    pub suspects: Vec<Suspect>,
    /// The loss where the parameters are.
    pub loss: f64,
    /// Forward and backward passes together.
    pub passes: usize,
    /// Forward passes alone.
    pub forwards: usize,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// What was found for one parameter.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ParameterReport {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its dtype.
    #[cfg_attr(feature = "serde", serde(serialize_with = "dtype_name"))]
    pub dtype: DType,
    /// What is concluded.
    pub verdict: Verdict,
    /// Whether a plain backward pass gives it no gradient at all.
    pub missing: bool,
    /// The relative error of its gradient, as a whole, that this check could have seen: 0.02 means
    /// that a gradient 2% too large would have shown. None where nothing could be seen.
    pub resolution: Option<f64>,
    /// Along the segment that contradicts the gradient most: the change of the loss, autograd's
    /// integral of it, and the error that separates them at most by chance (one standard error).
    pub worst: Option<Segment>,
    /// The entry that moves along that segment, where it is one alone: looked for in the parameter that
    /// is contradicted most, by halves. None where no entry shows by itself.
    pub worst_entry: Option<Vec<usize>>,
    /// The rows (of the first dimension) whose gradient is zero though the loss moves with them, as
    /// ranges from the first to beyond the last.
    pub severed_rows: Vec<Range<usize>>,
    /// The elements whose gradient is zero though the loss moves with them.
    pub severed_elements: usize,
    /// Wrong in a model in which something else is severed: what lies before a cut misses a branch.
    pub consequence: bool,
    /// What the backward pass said when it failed, and the like.
    pub notes: Vec<String>,
}

/// f(x+u) - f(x-u) beside autograd's integral of ∇f·u.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Segment {
    /// The change of the loss.
    pub difference: f64,
    /// Autograd's account of it.
    pub integral: f64,
    /// The standard error of what separates the two.
    pub error: f64,
}

impl Segment {
    pub(crate) fn of(evidence: &Evidence) -> Self {
        Self {
            difference: evidence.difference,
            integral: evidence.difference - evidence.apart,
            error: evidence.error,
        }
    }
}

impl ModelReport {
    /// The worst verdict, where a cut comes before what follows from it: severed before wrong.
    pub fn verdict(&self) -> Verdict {
        let all = self.parameters.iter().map(|p| p.verdict);
        all.max_by_key(|v| v.rank()).unwrap_or(Verdict::Pass)
    }

    /// Whether every parameter passed.
    pub fn is_pass(&self) -> bool {
        self.verdict() == Verdict::Pass
    }

    /// For tests: does nothing if the check passed.
    ///
    /// # Panics
    ///
    /// With the whole report if it did not pass.
    #[track_caller]
    #[allow(clippy::panic)] // to panic in a test is what it is for
    pub fn assert_pass(&self) {
        if !self.is_pass() {
            panic!("{self}");
        }
    }

    /// What was found for the parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&ParameterReport> {
        self.parameters.iter().find(|p| p.name == name)
    }

    /// The parameters with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &ParameterReport> {
        self.parameters.iter().filter(move |p| p.verdict == verdict)
    }
}

impl ParameterReport {
    /// Nothing but the verdict.
    pub(crate) fn new(name: &str, shape: &[usize], dtype: DType, verdict: Verdict) -> Self {
        Self {
            name: name.to_string(),
            shape: shape.to_vec(),
            dtype,
            verdict,
            missing: false,
            resolution: None,
            worst: None,
            worst_entry: None,
            severed_rows: Vec::new(),
            severed_elements: 0,
            consequence: false,
            notes: Vec::new(),
        }
    }
}

#[cfg(feature = "serde")]
fn dtype_name<S: serde::Serializer>(dtype: &DType, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(dtype.as_str())
}
