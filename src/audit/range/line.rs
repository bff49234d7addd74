//! One function taken over the range one way: its samples, and what they are as inputs.

use super::format::Format;
use super::table::{Input, Together, Truth, Way};
use super::truth::Exact;
use crate::audit::case::{Case, Data, Values};

/// Where a function is taken: a number an input for a function of two tensors, else the first
/// number is x or m, and the second says nothing.
pub type Sample = [f64; 2];

/// A function, one way.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// The case whose call it is.
    pub case: &'a Case,
    /// Its values and derivatives.
    pub truth: Truth,
    /// How a function of a few numbers takes the range.
    pub way: Option<Way>,
}

/// What the outputs are multiplied with before they are summed, but for the upstream scale.
const WEIGHTS: [f64; 4] = [1., -0.5, 0.75, -0.25];

impl Line<'_> {
    /// The samples, of both signs.
    pub fn samples(&self, format: &Format) -> Vec<Sample> {
        let both_signs =
            |values: &[f64]| -> Vec<f64> { values.iter().flat_map(|x| [*x, -*x]).collect() };
        match self.truth {
            Truth::Curve(_) => {
                let values = both_signs(&magnitudes(format));
                values.into_iter().chain([0.]).map(|x| [x, 0.]).collect()
            }
            Truth::Pair(_) => {
                let values = both_signs(&self.grid(format));
                values
                    .iter()
                    .flat_map(|a| values.iter().map(|b| [*a, *b]))
                    .collect()
            }
            Truth::Together(_) => {
                let values = both_signs(&self.grid(format));
                values.into_iter().map(|m| [m, 0.]).collect()
            }
        }
    }

    /// The magnitudes that samples are made of, in rising order.
    pub fn grid(&self, format: &Format) -> Vec<f64> {
        let short = format.index(format.largest) < 1 << 15 && format.largest < 1e6;
        match self.truth {
            Truth::Curve(_) => magnitudes(format),
            Truth::Pair(_) => format.grid(&[0.4], if short { 1 } else { 6 }),
            Truth::Together(t) if t.side_by_side() => format.grid(&[0.2, 0.7], 1),
            Truth::Together(_) => format.grid(&[0.4], if short { 1 } else { 3 }),
        }
    }

    /// The inputs of samples side by side.
    pub fn inputs(&self, samples: &[Sample], format: &Format) -> Vec<Values> {
        let n = samples.len();
        let flat = |k: usize| Values {
            dims: vec![n],
            data: Data::Float(samples.iter().map(|s| s[k]).collect()),
        };
        match self.truth {
            Truth::Curve(_) => vec![flat(0)],
            Truth::Pair(_) => vec![flat(0), flat(1)],
            Truth::Together(t) => {
                let input = |(k, input)| self.input(k, input, samples, format);
                t.inputs.iter().enumerate().map(input).collect()
            }
        }
    }

    fn input(&self, k: usize, input: &Input, samples: &[Sample], format: &Format) -> Values {
        let n = samples.len();
        let dims = input
            .dims
            .iter()
            .map(|d| if *d == 0 { n } else { *d })
            .collect();
        let copies = if input.dims.contains(&0) { n } else { 1 };
        let data = samples[..copies].iter().flat_map(|s| {
            let moved = |(i, x)| if k == 0 { self.moved(i, x, s[0]) } else { x };
            input.base.iter().copied().enumerate().map(moved)
        });
        let data: Vec<f64> = data.map(|x| format.round(x)).collect();
        Values {
            dims,
            data: match input.float {
                true => Data::Float(data),
                false => Data::Ids(data.iter().map(|x| *x as u32).collect()),
            },
        }
    }

    fn moved(&self, i: usize, x: f64, m: f64) -> f64 {
        match self.way {
            Some(Way::All) => x * m,
            Some(Way::One) if i == 0 => m,
            Some(Way::Offset) => x + m,
            _ => x,
        }
    }

    /// How many samples one call takes.
    pub fn at_once(&self) -> usize {
        match self.truth {
            Truth::Together(t) if !t.side_by_side() => 1,
            _ => usize::MAX,
        }
    }

    /// The weights of the outputs of one sample.
    pub fn weights(&self) -> Vec<f64> {
        match self.truth {
            Truth::Together(t) => WEIGHTS.iter().copied().cycle().take(t.outputs).collect(),
            _ => vec![1.],
        }
    }

    /// The values and gradients of one sample with the outputs' weights; `inputs` is what
    /// [`Self::inputs`] gives, as slices of the sample.
    pub fn exact(&self, inputs: &[&[f64]], weights: &[f64]) -> Exact {
        match self.truth {
            Truth::Curve(curve) => Exact {
                value: vec![(curve.value)(inputs[0][0])],
                gradients: vec![vec![(curve.slope)(inputs[0][0])]],
            },
            Truth::Pair(pair) => {
                let (a, b) = (inputs[0][0], inputs[1][0]);
                Exact {
                    value: vec![(pair.value)(a, b)],
                    gradients: pair.slopes.iter().map(|f| vec![f(a, b)]).collect(),
                }
            }
            Truth::Together(t) => (t.exact)(inputs, weights),
        }
    }

    /// How many numbers of each input belong to a sample.
    pub fn widths(&self) -> Vec<usize> {
        match self.truth {
            Truth::Curve(_) => vec![1],
            Truth::Pair(_) => vec![1, 1],
            Truth::Together(t) => t.inputs.iter().map(|i| i.base.len()).collect(),
        }
    }

    /// Which of a sample's numbers is that of an input's own range.
    pub fn own(&self, input: usize) -> usize {
        match self.truth {
            Truth::Pair(_) => input,
            _ => 0,
        }
    }
}

impl Together {
    fn side_by_side(&self) -> bool {
        self.inputs[0].dims.contains(&0)
    }
}

/// The magnitudes for functions of one tensor: every value of the 16-bit types; of the others
/// several to a power of two, and many where exponentials end.
fn magnitudes(format: &Format) -> Vec<f64> {
    if format.index(format.largest) < 1 << 16 {
        return format.every();
    }
    let eighths = [0., 0.1357, 0.25, 0.3861, 0.5, 0.6359, 0.75, 0.99999];
    let wide = format.largest > 1e300;
    let mut values = match wide {
        true => format.grid(&[0., 0.37], 4),
        false => format.grid(&eighths, 1),
    };
    let top = if wide { 1024. } else { 256. };
    values.extend(format.between(1., top, 1024));
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}
