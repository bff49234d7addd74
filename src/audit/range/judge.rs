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

/// Takes samples and judges them; empty where the function fails in this type.
pub fn look(line: &Line, samples: &[Sample], format: &Format, device: &Device) -> Seen {
    let mut all: Seen = Vec::new();
    for samples in samples.chunks(line.at_once().min(samples.len().max(1))) {
        let Some(measured) = measure(line, samples, format, device) else {
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
    let weights = line.weights();
    let sampled = |k: usize| Sampled::of(line, measured, k, &weights, format);
    let truths: Vec<Sampled> = (0..n).map(sampled).collect();
    let outputs = weights.len();
    let value = |k: usize| {
        let found = &measured.value[k * outputs..][..outputs];
        truths[k].worst(
            found,
            &truths[k].exact.value,
            &truths[k].slack.value,
            1.,
            format,
        )
    };
    let mut seen = vec![(Part::Value, (0..n).map(value).collect())];
    for (scale, gradients) in measured.gradients.iter().enumerate() {
        for (input, gradient) in gradients.iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            let width = line.widths()[input];
            let one = |k: usize| {
                let t = &truths[k];
                let found = &gradient[k * width..][..width];
                let (exact, slack) = (&t.exact.gradients[input], &t.slack.gradients[input]);
                t.worst(found, exact, slack, SCALES[scale], format)
            };
            seen.push((Part::Gradient { input, scale }, (0..n).map(one).collect()));
        }
    }
    seen
}

/// What is true of a sample, and how far it moves when the inputs move by their last digit.
struct Sampled {
    exact: Exact,
    slack: Exact,
    /// Whether its values exist in the type.
    representable: bool,
    /// Whether it is computed from several numbers, with rounding between.
    together: bool,
}

impl Sampled {
    fn of(line: &Line, measured: &Measured, k: usize, weights: &[f64], format: &Format) -> Self {
        let widths = line.widths();
        let of_sample = |(x, w): (&Vec<f64>, &usize)| x[k * w..][..*w].to_vec();
        let inputs: Vec<Vec<f64>> = measured.inputs.iter().zip(&widths).map(of_sample).collect();
        let exact = at(line, &inputs, weights);
        let together = line.way.is_some();
        let slack = match together {
            true => difference(&exact, &at(line, &nudged(&inputs, format), weights)),
            false => difference(&exact, &exact),
        };
        let limit = format.largest * (1. - 2. * format.unit());
        let representable = exact.value.iter().all(|y| y.abs() <= limit);
        Self {
            exact,
            slack,
            representable,
            together,
        }
    }

    /// The entry that is furthest off beyond what is allowed.
    fn worst(
        &self,
        found: &[f64],
        exact: &[f64],
        slack: &[f64],
        scale: f64,
        format: &Format,
    ) -> Option<Off> {
        if !self.representable {
            return None;
        }
        let largest = exact.iter().fold(0f64, |m, x| m.max((x * scale).abs()));
        let rounding = if self.together {
            16. * format.unit() * largest
        } else {
            0.
        };
        let limit = format.largest * (1. - 2. * format.unit());
        let entries = found.iter().zip(exact.iter().zip(slack));
        let beyond = |(&found, (exact, slack)): (&f64, (&f64, &f64))| {
            let expected = exact * scale;
            let allowed =
                0.1 * expected.abs() + 4. * format.smallest() + rounding + 2. * slack * scale;
            let off = (found - expected).abs();
            let wrong = expected.abs() <= limit && !(off <= allowed);
            wrong.then_some((
                if off.is_nan() { f64::INFINITY } else { off },
                Off { found, expected },
            ))
        };
        let worst = entries
            .filter_map(beyond)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        worst.map(|(_, off)| off)
    }
}

fn at(line: &Line, inputs: &[Vec<f64>], weights: &[f64]) -> Exact {
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    line.exact(&inputs, weights)
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
