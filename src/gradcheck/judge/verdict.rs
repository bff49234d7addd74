//! What a check can conclude.

use std::fmt;

/// What a check concludes about one entry, one input, one probe, or the whole function.
///
/// Ordered from the mildest to the worst. [`Report::verdict`](crate::gradcheck::Report::verdict) is the worst one
/// found, but [`Severed`](Verdict::Severed) before [`Wrong`](Verdict::Wrong): a cut comes before what is wrong
/// because of it. Only [`Pass`](Verdict::Pass) is a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Verdict {
    /// autograd and the numeric derivative agree, and the numeric one is sharp enough to tell.
    Pass,
    /// The function jumps here, or has a kink: its one-sided slopes differ and autograd's value lies
    /// between them. Any such value is a subgradient; move the input to check the derivative.
    Kink,
    /// They differ by no more than atol, or the numeric derivative is not sharp enough to call it a
    /// pass.
    Inconclusive,
    /// Right to single precision, not to f64's: rounded constants in the gradient, or a step
    /// computed in f32.
    Imprecise,
    /// The same call, or the same backward pass, gave two different results.
    Nondeterministic,
    /// The backward pass returned an error.
    Unsupported,
    /// Infinite or NaN: the function, its numeric derivative, or its gradient.
    NonFinite,
    /// The backward pass panicked.
    Panicked,
    /// No gradient, or only zeros, or none from this branch, where the derivative is not zero: the graph is cut.
    Severed,
    /// The gradient is not the derivative.
    Wrong,
}

impl Verdict {
    /// The name as reports print it and `serde` writes it, e.g. `non_finite`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Kink => "kink",
            Self::Inconclusive => "inconclusive",
            Self::Imprecise => "imprecise",
            Self::Nondeterministic => "nondeterministic",
            Self::Unsupported => "unsupported",
            Self::NonFinite => "non_finite",
            Self::Panicked => "panicked",
            Self::Severed => "severed",
            Self::Wrong => "wrong",
        }
    }

    /// Mildest first.
    pub(crate) const ALL: [Self; 10] = [
        Self::Pass,
        Self::Kink,
        Self::Inconclusive,
        Self::Imprecise,
        Self::Nondeterministic,
        Self::Unsupported,
        Self::NonFinite,
        Self::Panicked,
        Self::Severed,
        Self::Wrong,
    ];

    /// Whether this flags the function: everything but `pass`, `kink` and `inconclusive`, which
    /// say something about the point or the arithmetic.
    pub const fn is_defect(self) -> bool {
        !matches!(self, Self::Pass | Self::Kink | Self::Inconclusive)
    }

    /// From the mildest to what is to be repaired first: a cut comes before what is wrong because of
    /// it.
    pub(crate) const fn rank(self) -> usize {
        match self {
            Self::Severed => Self::Wrong as usize + 1,
            verdict => verdict as usize,
        }
    }

    /// What it means, in a line.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Pass => "autograd and the numeric derivative agree",
            Self::Kink => {
                "the one-sided slopes differ here and autograd's value lies between them: \
                 a subgradient"
            }
            Self::Inconclusive => {
                "the numeric derivative is not sharp enough, or they differ by less than atol"
            }
            Self::Imprecise => "right to single precision only",
            Self::Nondeterministic => "the same call gave two different results",
            Self::Unsupported => "the backward pass returned an error",
            Self::NonFinite => "a value or a derivative is infinite or NaN",
            Self::Panicked => "the backward pass panicked",
            Self::Severed => "no gradient flows where the derivative is not zero",
            Self::Wrong => "the gradient is not the derivative",
        }
    }

    /// What a person can try next.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Pass => "",
            Self::Kink => "move the input off the kink to check the derivative itself",
            Self::Inconclusive => {
                "use f64 inputs, inputs nearer to 1 in size, or a smoother point; \
                 a larger rtol if less will do"
            }
            Self::Imprecise => {
                "look for rounded constants in the backward, or an f32 step inside an f64 function"
            }
            Self::Nondeterministic => "fix the random state or the order of summation inside f",
            Self::Unsupported => "implement the backward, or use an op that has one",
            Self::NonFinite => "check a point inside the domain; look for 0/0 or inf - inf",
            Self::Panicked => {
                "a bwd that returns None for an input that is itself computed makes candle panic"
            }
            Self::Severed => {
                "look for apply_op*_no_bwd, detach, a bwd that returns None, or data copied out of \
                 the graph"
            }
            Self::Wrong => {
                "derive the entry above by hand; ratios of -1, 2 or 1/n often name the fault"
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
