//! The numbers of the decision rules, each with its derivation, or with what goes wrong without it.
//!
//! A user's own numbers are in [`Options`](crate::gradcheck::Options): rtol, atol and kappa. Numbers that only say
//! how derivatives are computed (levels of a tableau, nodes of a segment), and single factors of 2 or 4 inside a
//! rule, stand where they are used.

// An entry by the numeric derivative at a point: `law`.

/// A backward pass may be off by so many units of round-off of the row's largest entry: as many as the 16-bit
/// floats' rtol allows of the entry itself. Also what "a few units" is where f is called close to x, or again.
pub(crate) const ROUNDING: f64 = 8.;

/// A pass leaves room for an error of at most this many rtol of an entry: 1e-6 of it in f64, 1e-2 in f32.
pub(crate) const CERTAIN: f64 = 100.;

/// And for no more than this share of it, whatever the dtype: 16-bit floats have few digits.
pub(crate) const MOST: f64 = 0.25;

/// Rounding in a narrow dtype does not change a gradient by more than this share.
pub(crate) const GROSS: f64 = 0.1;

/// Single precision: a hundred units in the last place of an f32.
pub(crate) const SINGLE: f64 = 1e-5;

/// Terms as large as f that cancel in its gradient may be off by so many units of round-off of G = |f|/|x|.
pub(crate) const INSIDE: f64 = 64.;

/// f may round x, and a multiple of it, before it does anything: its slope is then that of a point so many units
/// of round-off away. Without this number the f32 gradient of sin(wx) is flagged from w of 1e5 on.
pub(crate) const ARGUMENT: f64 = 4.;

/// A bound of this share of what a pass allows hides nothing.
pub(crate) const SHARP: f64 = 1e-3;

/// f is flat beside its own size where its slope is this share of G: few digits of it can be known.
pub(crate) const SATURATED: f64 = 1e-6;

/// Elements of one input that differ by more than this factor are not measured by each other's gradients.
pub(crate) const PEERS: f64 = 1048576.;

// A gradient along segments: `segment`, `readings`.

/// A pass of segments would have shown a gradient that is wrong by a quarter as a whole: a halved or doubled
/// gradient is at least twice as far off as what could hide.
pub(crate) const RESOLVED: f64 = 0.25;

/// A change of f stands out where it is this many times its noise.
pub(crate) const CLEAR: f64 = 40.;

/// Values of f that scatter by more than so many units of rounding are those of a piecewise constant f: sums of f32
/// leave one or two.
pub(crate) const ROUGH: f64 = 16.;

/// So many jumps of f, as large as the largest on a segment, may set its two sides apart: beside a change of
/// routing in a mixture of experts right gradients were apart by 1.3 to 2.8 of them.
pub(crate) const FEW: f64 = 4.;

/// The chance that an error of [`RESOLVED`] in a random direction has stayed hidden in every segment, where
/// something else is cut.
pub(crate) const CHANCE: f64 = 1e-3;

/// The share of f by which each segment changes it. The first is short, so that few kinks lie on it. On the second
/// and the third, each 16 times as long as the one before, a wrong gradient sets the two sides 16 times as far apart;
/// a piecewise constant f does not. Three are long, so that two of them are a majority; the last is asked only if the
/// others leave the verdict open.
pub(crate) const LENGTHS: [f64; 5] = [4e-4, 6.4e-3, 0.1, 0.3, 0.2];

/// The step of each segment is at most so much of the largest step.
pub(crate) const CAPS: [f64; 5] = [1. / 256., 1. / 16., 1., 1., 1.];

/// Where an error in any direction has to show, the second segment is taken so many times more.
pub(crate) const AGAIN: usize = 2;

/// A segment of this share of f is long: none shorter may call a gradient wrong by itself, since over short
/// distances f may be piecewise constant.
pub(crate) const LONG: f64 = 0.05;

/// The largest step, in root mean squares of the variable; of all variables, where f hardly moves by that.
pub(crate) const FARTHEST: f64 = 0.5;

/// The largest step is so many times as far where even that does not stand out of f's own noise.
pub(crate) const BEYOND: f64 = 8.;

// A check as a whole: `run`.

/// Calls of f before anything is flagged: a dropout of 1% of twenty elements changes one call in six.
pub(crate) const RARE: usize = 32;

/// [`Mode::Auto`](crate::gradcheck::Mode::Auto) takes every entry where 4 evaluations an input element and one
/// backward pass an output are at most this many together, and
pub(crate) const FULL_EVALUATIONS: usize = 8192;

/// where the Jacobian has at most this many entries.
pub(crate) const FULL_ENTRIES: usize = 1 << 22;
