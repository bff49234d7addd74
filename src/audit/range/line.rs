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

/// So many samples side by side stay in the cache.
const AT_ONCE: usize = 1 << 12;

/// Numbers that functions of two are called with.
const USUAL: [f64; 6] = [0.5, 1., 2., 3., 10., 100.];

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
        let (short, wide) = (format.largest < 1e6, format.largest > 1e300);
        match self.truth {
            Truth::Curve(_) => magnitudes(format),
            Truth::Pair(_) => {
                let every = if short {
                    1
                } else if wide {
                    48
                } else {
                    6
                };
                let mut values = format.grid(&[0.4], every);
                values.extend(USUAL);
                values.sort_by(f64::total_cmp);
                values
            }
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
            _ => AT_ONCE,
        }
    }

    /// The weights of the outputs of one sample.
    pub fn weights(&self) -> Vec<f64> {
        match self.truth {
            Truth::Together(t) => WEIGHTS.iter().copied().cycle().take(t.outputs).collect(),
            _ => vec![1.],
        }
    }

    /// The values and gradients of n samples side by side, with the outputs' weights.
    pub fn exact(&self, inputs: &[Vec<f64>], n: usize) -> Exact {
        let numbers = |k: usize, f: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..inputs[k].len().min(n)).map(f).collect()
        };
        match self.truth {
            Truth::Curve(curve) => Exact {
                value: numbers(0, &|i| (curve.value)(inputs[0][i])),
                gradients: vec![numbers(0, &|i| (curve.slope)(inputs[0][i]))],
            },
            Truth::Pair(pair) => {
                let (a, b) = (&inputs[0], &inputs[1]);
                let slope = |f: &fn(f64, f64) -> f64| numbers(0, &|i| f(a[i], b[i]));
                Exact {
                    value: slope(&pair.value),
                    gradients: pair.slopes.iter().map(slope).collect(),
                }
            }
            Truth::Together(t) => self.exact_together(&t, inputs, n),
        }
    }

    fn exact_together(&self, t: &Together, inputs: &[Vec<f64>], n: usize) -> Exact {
        let weights = self.weights();
        let mut all = Exact::default();
        for k in 0..n {
            let of = |(x, i): (&Vec<f64>, &Input)| x[k * i.base.len()..][..i.base.len()].to_vec();
            let sample: Vec<Vec<f64>> = inputs.iter().zip(t.inputs).map(of).collect();
            let slices: Vec<&[f64]> = sample.iter().map(Vec::as_slice).collect();
            let one = (t.exact)(&slices, &weights);
            all.gradients.resize(one.gradients.len(), Vec::new());
            all.value.extend(one.value);
            for (all, one) in all.gradients.iter_mut().zip(one.gradients) {
                all.extend(one);
            }
        }
        all
    }

    /// How many outputs a sample has.
    pub fn outputs(&self) -> usize {
        match self.truth {
            Truth::Together(t) => t.outputs,
            _ => 1,
        }
    }

    /// How many numbers of an input belong to a sample.
    pub fn width(&self, input: usize) -> usize {
        match self.truth {
            Truth::Together(t) => t.inputs[input].base.len(),
            _ => 1,
        }
    }

    /// The size of the terms that a slope is computed from, where they have one; else 0.
    pub fn natural(&self) -> f64 {
        match self.truth {
            Truth::Curve(c) => c.natural,
            Truth::Pair(_) => 0.,
            Truth::Together(t) => t.natural,
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
