//! What is grossly wrong: more than a tenth off, and more than the type's rounding explains.

use candle_core::Device;

use super::format::Format;
use super::line::{Line, Sample};
use super::measure::{Measured, SCALES, measure};
use super::truth::Exact;

/// A value or a gradient that is grossly wrong.
#[derive(Clone, Copy, Debug)]
pub struct Off {
    /// candle's.
    pub found: f64,
    /// What it should be.
    pub expected: f64,
    /// Which of the sample's numbers it is.
    pub at: usize,
    /// In which way.
    pub kind: Kind,
    /// By no more than subnormals that the processor does not keep: see [`Format::on`].
    pub flushed: bool,
}

/// How something is grossly wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// By no more than the type's rounding of what it is computed from: a tail that is lost.
    Tail,
    /// By more.
    Wrong,
    /// It is infinite or NaN.
    NotFinite,
}

impl Kind {
    /// All, mildest first.
    pub const ALL: [Self; 3] = [Self::Tail, Self::Wrong, Self::NotFinite];

    /// Its name as a probe of the audit.
    pub fn probe(self) -> &'static str {
        match self {
            Self::Tail => "range, tail",
            Self::Wrong => "range",
            Self::NotFinite => "range, not finite",
        }
    }
}

/// What is judged of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The outputs.
    Value,
    /// The gradient of an input at one of [`SCALES`].
    Gradient {
        /// Which input.
        input: usize,
        /// Which scale.
        scale: usize,
    },
}

/// The worst of each sample, for each part that there is.
pub type Seen = Vec<(Part, Vec<Option<Off>>)>;

/// Takes samples and judges them, or one part of them; empty where the function fails in this type.
pub fn look(
    line: &Line,
    samples: &[Sample],
    format: &Format,
    device: &Device,
    only: Option<Part>,
) -> Seen {
    let mut all: Seen = Vec::new();
    let wanted = |i: usize| match only {
        None => true,
        Some(Part::Value) => false,
        Some(Part::Gradient { scale, .. }) => scale == i,
    };
    for samples in samples.chunks(line.at_once()) {
        let Some(measured) = measure(line, samples, format, device, wanted) else {
            return Vec::new();
        };
        let seen = judge(line, &measured, samples.len(), format);
        if all.is_empty() {
            all = seen;
        } else {
            for ((_, all), (_, more)) in all.iter_mut().zip(seen) {
                all.extend(more);
            }
        }
    }
    all
}

fn judge(line: &Line, measured: &Measured, n: usize, format: &Format) -> Seen {
    let truths = Truths::of(line, measured, n, format);
    let all = |found: &[f64], part: Part| (0..n).map(|k| truths.worst(found, part, k)).collect();
    let mut seen = vec![(Part::Value, all(&measured.value, Part::Value))];
    for (scale, gradients) in measured.gradients.iter().enumerate() {
        for (input, gradient) in gradients.iter().enumerate() {
            if let Some(gradient) = gradient {
                let part = Part::Gradient { input, scale };
                seen.push((part, all(gradient, part)));
            }
        }
    }
    seen
}

/// What is true of samples side by side, and how far it moves when the inputs move by their last
/// digit.
struct Truths<'a> {
    line: &'a Line<'a>,
    format: &'a Format,
    inputs: &'a [Vec<f64>],
    exact: Exact,
    slack: Option<Exact>,
}

impl<'a> Truths<'a> {
    fn of(line: &'a Line, measured: &'a Measured, n: usize, format: &'a Format) -> Self {
        let inputs = &measured.inputs;
        let exact = line.exact(inputs, n);
        let moved = || difference(&exact, &line.exact(&nudged(inputs, format), n));
        let slack = line.way.is_some().then(moved);
        Self {
            line,
            format,
            inputs,
            exact,
            slack,
        }
    }

    /// The entry of sample k that is furthest off beyond what is allowed.
    fn worst(&self, found: &[f64], part: Part, k: usize) -> Option<Off> {
        let outputs = self.line.outputs();
        let (exact, slack, width, scale) = match part {
            Part::Value => (
                &self.exact.value,
                self.slack.as_ref().map(|s| &s.value),
                outputs,
                1.,
            ),
            Part::Gradient { input, scale } => (
                &self.exact.gradients[input],
                self.slack.as_ref().map(|s| &s.gradients[input]),
                self.line.width(input),
                SCALES[scale],
            ),
        };
        let range = k * width..(k + 1) * width;
        let near = |i: usize| (found[i] - exact[i] * scale).abs() <= 0.1 * (exact[i] * scale).abs();
        if range.clone().all(near) {
            return None;
        }
        let limit = self.format.largest * (1. - 2. * self.format.unit());
        let value = &self.exact.value[k * outputs..][..outputs];
        if value.iter().any(|y| y.abs() > limit) || !self.finite(k) {
            return None;
        }
        let allowed = self.allowed(part, k, &exact[range.clone()], scale);
        let of_entry = |i: usize| {
            let expected = exact[i] * scale;
            let slack = slack.map_or(0., |s| s[i]);
            if expected.abs() > limit {
                return None;
            }
            let off = allowed.judge(found[i], expected, 2. * slack * scale);
            off.map(|off| Off {
                at: i - k * width,
                ..off
            })
        };
        let size = |o: &Off| (o.kind, (o.found - o.expected).abs());
        range.filter_map(of_entry).max_by(|a, b| {
            let (a, b) = (size(a), size(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }

    /// Whether the inputs of sample k are; a multiple of the largest value is not.
    fn finite(&self, k: usize) -> bool {
        let of = |(i, x): (usize, &Vec<f64>)| {
            let width = self.line.width(i);
            x[k * width..][..width].iter().all(|x| x.is_finite())
        };
        self.inputs.iter().enumerate().all(of)
    }

    fn allowed(&self, part: Part, k: usize, exact: &[f64], scale: f64) -> Allowed {
        let (unit, smallest) = (self.format.unit(), self.format.smallest());
        let scale_up = scale.max(1.);
        let largest = exact.iter().fold(0f64, |m, x| m.max((x * scale).abs()));
        let rounding = if self.line.way.is_some() {
            16. * unit * largest
        } else {
            0.
        };
        let x = self.inputs[0][k * self.line.width(0)..]
            .first()
            .map_or(0., |x| x.abs());
        let size = if part == Part::Value {
            x.max(1.)
        } else {
            scale
        };
        Allowed {
            always: 4. * smallest * scale_up + rounding,
            flushed: self.format.kept * scale_up + rounding,
            tail: 16. * unit * self.line.natural() * size,
        }
    }
}

/// What may be off beside a tenth of what is expected.
struct Allowed {
    always: f64,
    /// Up to it, as a subnormal that is not kept.
    flushed: f64,
    /// Beyond it, as a lost tail.
    tail: f64,
}

impl Allowed {
    fn judge(&self, found: f64, expected: f64, slack: f64) -> Option<Off> {
        let off = (found - expected).abs();
        let near = 0.1 * expected.abs() + slack;
        let kind = match off {
            _ if !found.is_finite() && !expected.is_nan() => Kind::NotFinite,
            off if off <= near + self.always || expected.is_nan() => return None,
            off if off <= self.tail => Kind::Tail,
            _ => Kind::Wrong,
        };
        Some(Off {
            found,
            expected,
            at: 0,
            kind,
            flushed: off <= near + self.flushed,
        })
    }
}

/// Every number of the first input a last digit up or down in turn.
fn nudged(inputs: &[Vec<f64>], format: &Format) -> Vec<Vec<f64>> {
    let mut inputs = inputs.to_vec();
    for (i, x) in inputs[0].iter_mut().enumerate() {
        let step = (2. * format.unit() * x.abs()).max(format.smallest());
        *x += if i % 2 == 0 { step } else { -step };
    }
    inputs
}

fn difference(a: &Exact, b: &Exact) -> Exact {
    let off = |(a, b): (&f64, &f64)| match (a - b).abs() {
        off if off.is_nan() => 0.,
        off => off,
    };
    let all = |a: &Vec<f64>, b: &Vec<f64>| a.iter().zip(b).map(off).collect();
    Exact {
        value: all(&a.value, &b.value),
        gradients: a
            .gradients
            .iter()
            .zip(&b.gradients)
            .map(|(a, b)| all(a, b))
            .collect(),
    }
}
