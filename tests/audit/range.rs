//! Elementwise functions, activations, norms, reductions and losses over the whole range of f32, bf16 and f16,
//! with gradients of 1, 2^-10 and 2^10 from above, against candle in f64, which the samples have verified.
//!
//! What is found: a value or a gradient that is more than a tenth off, and by more than the type's rounding of
//! the inputs explains, or that is not finite where f64 has a number that the type holds.

use candle_core::{DType, Device, Result, Tensor, Var};
use std::collections::BTreeSet;

use crate::case::{Call, Case, Data, Values};
use crate::catalog::ALL;
use crate::check::Row;
use crate::defects::{self, Defect, flat};
use crate::float::Float;
pub use crate::swept::{Inputs, SWEPT, Swept, Way};

const SCALES: [(&str, f64); 3] = [("1", 1.), ("2^-10", 1. / 1024.), ("2^10", 1024.)];
/// What the outputs are multiplied with before they are summed.
const WEIGHTS: [f64; 4] = [1., -0.5, 0.75, -0.25];
/// Numbers that functions of two are called with.
const USUAL: [f64; 6] = [0.5, 1., 2., 3., 10., 100.];

/// The functions that are swept, each once.
pub fn functions() -> BTreeSet<&'static str> {
    SWEPT.iter().map(|s| s.path).collect()
}

/// Where a function is taken: a number an input for a function of two tensors, else the first is x or m.
type Sample = [f64; 2];

/// A function in a type, one way.
struct Line {
    case: &'static Case,
    oracle: Call,
    swept: &'static Swept,
    way: Option<Way>,
    float: Float,
}

/// What is compared: the outputs, or the gradient of an input with one of [`SCALES`] from above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Value,
    Gradient { input: usize, scale: usize },
}

/// What is wrong.
#[derive(Clone, Copy)]
struct Off {
    found: f64,
    expected: f64,
    /// Whether what was found is.
    finite: bool,
    /// By no more than subnormals that this processor does not keep: that is no defect of candle's.
    flushed: bool,
}

/// The rows of a function that is swept, each with the magnitudes between which it is wrong.
pub fn rows(swept: &'static Swept) -> Result<Vec<(Row, f64, f64)>> {
    let case = ALL
        .iter()
        .find(|c| c.path == swept.path && c.name == swept.case);
    let Some(case) = case else {
        candle_core::bail!("{} has no sample {:?}", swept.path, swept.case)
    };
    let mut rows = vec![];
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        for way in swept.ways() {
            let oracle = match swept.oracle {
                Some(call) => std::sync::Arc::new(call),
                None => case.call.clone(),
            };
            let float = Float::of(dtype);
            rows.extend(
                Line {
                    case,
                    oracle,
                    swept,
                    way,
                    float,
                }
                .rows()?,
            );
        }
    }
    Ok(rows)
}

/// What is not as the marks say: a row without one, a mark without a row in a type that it names (in any, if it
/// names none).
pub fn wrong(swept: &'static Swept, rows: &[(Row, f64, f64)]) -> Vec<String> {
    let unnamed = rows.iter().filter(|(row, ..)| row.defect.is_none());
    let mut all: Vec<String> = unnamed
        .map(|(row, from, to)| format!("{row}, {from:e} to {to:e}"))
        .collect();
    for mark in swept.fails {
        let (name, words) = mark.split_once(": ").unwrap_or((mark, ""));
        if defects::named(name).is_none() {
            all.push(format!("there is no defect {name:?}"));
        }
        let all_types = ["f32", "bf16", "f16"];
        let named: Vec<_> = all_types
            .into_iter()
            .filter(|d| words.split(", ").any(|w| w == *d))
            .collect();
        for dtype in if named.is_empty() {
            all_types.to_vec()
        } else {
            named
        } {
            let here = |row: &Row| row.defect == Some(name) && row.dtype == dtype;
            if !rows.iter().any(|(row, ..)| here(row)) {
                all.push(format!("{}: nothing is of {mark:?} in {dtype}", swept.path));
            }
        }
    }
    all
}

/// Every threshold on record comes out: the magnitude nearest to 1 at which a defect shows, with a gradient of 1
/// from above or in the value; with another where it does not show in these.
pub fn threshold(defect: &'static Defect) -> std::result::Result<(), String> {
    let mine = |s: &&Swept| {
        s.fails
            .iter()
            .any(|m| m.split(':').next() == Some(defect.name))
    };
    let rows: Result<Vec<_>> = SWEPT.iter().filter(mine).map(rows).collect();
    let rows = rows.map_err(|e| e.to_string())?.concat();
    for (bounds, upper) in [(defect.from, false), (defect.below, true)] {
        for (dtype, bound) in bounds.iter().filter(|(dtype, _)| *dtype != DType::F64) {
            let of = |usual: bool| {
                let mine = rows.iter().filter(|(row, ..)| {
                    row.defect == Some(defect.name) && row.dtype == dtype.as_str()
                });
                let mine = mine.filter(|(row, ..)| !usual || !row.case.contains("2^"));
                let mine = mine.map(|(_, from, to)| if upper { *to } else { *from });
                let mine = mine.filter(|x| (*x < 0.1) == upper);
                if upper {
                    mine.reduce(f64::max)
                } else {
                    mine.reduce(f64::min)
                }
            };
            let found = of(true).or(of(false));
            if !found.is_some_and(|found| (found - bound).abs() <= 2e-3 * bound) {
                return Err(format!(
                    "{} in {}: {bound} on record, {found:?} found",
                    defect.name,
                    dtype.as_str()
                ));
            }
        }
    }
    Ok(())
}

impl Line {
    fn rows(&self) -> Result<Vec<(Row, f64, f64)>> {
        let samples = self.samples();
        let mut rows = vec![];
        for (part, off) in self.look(&samples, None)? {
            let own = self.own(part);
            for negative in [true, false] {
                for finite in [true, false] {
                    let here = samples
                        .iter()
                        .zip(&off)
                        .filter(|(s, _)| s[own].is_sign_negative() == negative);
                    let wrong = here.filter_map(|(s, off)| off.map(|off| (*s, off)));
                    let mut wrong: Vec<(Sample, Off)> =
                        wrong.filter(|(_, off)| off.finite == finite).collect();
                    wrong.sort_by(|a, b| a.0[own].abs().total_cmp(&b.0[own].abs()));
                    rows.extend(self.row(part, negative, &wrong)?);
                }
            }
        }
        Ok(rows)
    }

    fn row(
        &self,
        part: Part,
        negative: bool,
        wrong: &[(Sample, Off)],
    ) -> Result<Option<(Row, f64, f64)>> {
        let (Some((first, off)), Some((last, _))) = (wrong.first(), wrong.last()) else {
            return Ok(None);
        };
        let own = self.own(part);
        let input = if let Part::Gradient { input, .. } = part {
            input
        } else {
            0
        };
        let (word, scale) = match part {
            Part::Value => ("value", ""),
            Part::Gradient { scale, .. } => (self.case.args[input].0, SCALES[scale].0),
        };
        let side = if negative { "negative" } else { "positive" };
        let kind = if off.finite { "wrong" } else { "not finite" };
        let way = self.way.map_or("", Way::name);
        let words = [word, scale, side, kind, way, self.float.dtype.as_str()];
        let mark = self.swept.fails.iter().find(|mark| covers(mark, words));
        let defect = mark.and_then(|mark| defects::named(mark));
        if defect.is_none() && wrong.iter().all(|(_, off)| off.flushed) {
            return Ok(None);
        }
        let [mut from, mut to] = [first, last].map(|s| s[own].abs());
        let bounded = |bounds: &[(DType, f64)]| bounds.iter().any(|(d, _)| *d == self.float.dtype);
        if defect.is_some_and(|d| bounded(d.from) && from > 0.1) {
            from = self.edge(part, *first, off.finite, false)?;
        }
        if defect.is_some_and(|d| bounded(d.below) && to < 0.1) {
            to = self.edge(part, *last, off.finite, true)?;
        }
        let row = Row {
            path: self.case.path,
            case: [self.case.name.as_str(), way, side, scale]
                .join(", ")
                .replace(", , ", ", "),
            input: word,
            dtype: self.float.dtype.as_str(),
            probe: "range".into(),
            verdict: kind,
            note: format!("{} at {first:?}, should be {}", off.found, off.expected),
            defect: defect.map(|d| d.name),
        };
        Ok(Some((row, from, to)))
    }

    /// Which of a sample's numbers moves.
    fn own(&self, part: Part) -> usize {
        match (self.swept.inputs, part) {
            (Inputs::Two, Part::Gradient { input, .. }) => input,
            _ => 0,
        }
    }

    fn grid(&self) -> Vec<f64> {
        match self.swept.inputs {
            Inputs::One => self.float.magnitudes(),
            Inputs::Two => {
                let mut values = self
                    .float
                    .grid(&[0.4], if self.float.is_short() { 1 } else { 6 });
                values.extend(USUAL);
                values.sort_by(f64::total_cmp);
                values
            }
            Inputs::Several(_) if self.at_once() > 1 => self.float.grid(&[0.2, 0.7], 1),
            Inputs::Several(_) => self
                .float
                .grid(&[0.4], if self.float.is_short() { 1 } else { 3 }),
        }
    }

    fn samples(&self) -> Vec<Sample> {
        let all: Vec<f64> = self.grid().iter().flat_map(|x| [*x, -*x]).collect();
        match self.swept.inputs {
            Inputs::Two => all
                .iter()
                .flat_map(|a| all.iter().map(|b| [*a, *b]))
                .collect(),
            _ => all.into_iter().map(|x| [x, 0.]).collect(),
        }
    }

    /// How many samples one call takes, side by side.
    fn at_once(&self) -> usize {
        match self.swept.inputs {
            Inputs::Several(inputs) if !inputs[0].1.contains(&0) => 1,
            _ => 1 << 12,
        }
    }

    fn inputs(&self, samples: &[Sample]) -> Vec<Values> {
        let n = samples.len();
        let flat = |k: usize| crate::case::at(&samples.iter().map(|s| s[k]).collect::<Vec<_>>());
        let inputs = match self.swept.inputs {
            Inputs::One => return vec![flat(0)],
            Inputs::Two => return vec![flat(0), flat(1)],
            Inputs::Several(inputs) => inputs,
        };
        let of = |(k, (base, dims)): (usize, &(&[f64], &[usize]))| {
            let copies = if dims.contains(&0) { n } else { 1 };
            let moved = |i: usize, x: f64, m: f64| match self.way {
                Some(Way::All) if k == 0 => x * m,
                Some(Way::One) if k == 0 && i == 0 => m,
                Some(Way::Offset) if k == 0 => x + m,
                _ => x,
            };
            let all = samples[..copies].iter().flat_map(|s| {
                base.iter()
                    .enumerate()
                    .map(move |(i, x)| moved(i, *x, s[0]))
            });
            let all: Vec<f64> = all.map(|x| self.float.round(x)).collect();
            let dims = dims.iter().map(|d| if *d == 0 { n } else { *d }).collect();
            let ids = matches!(self.case.args[k].1.data, Data::Ids(_));
            let data = if ids {
                Data::Ids(all.iter().map(|x| *x as u32).collect())
            } else {
                Data::Float(all)
            };
            Values { dims, data }
        };
        inputs.iter().enumerate().map(of).collect()
    }

    /// The worst of each sample, for each part that there is; nothing where the function fails in this type.
    fn look(
        &self,
        samples: &[Sample],
        only: Option<Part>,
    ) -> Result<Vec<(Part, Vec<Option<Off>>)>> {
        let mut all: Vec<(Part, Vec<Option<Off>>)> = vec![];
        for samples in samples.chunks(self.at_once()) {
            let inputs = self.inputs(samples);
            let scales: Vec<usize> = match only {
                None => vec![0, 1, 2],
                Some(Part::Value) => vec![],
                Some(Part::Gradient { scale, .. }) => vec![scale],
            };
            let Ok(found) = measure(
                &self.case.call,
                &inputs,
                samples.len(),
                self.float.dtype,
                &scales,
            ) else {
                return Ok(vec![]);
            };
            let exact = measure(&self.oracle, &inputs, samples.len(), DType::F64, &[0])?;
            let nudged = self
                .way
                .map(|_| {
                    measure(
                        &self.oracle,
                        &self.nudged(&inputs),
                        samples.len(),
                        DType::F64,
                        &[0],
                    )
                })
                .transpose()?;
            for (part, found) in &found {
                let same = match part {
                    Part::Value => Part::Value,
                    Part::Gradient { input, .. } => Part::Gradient {
                        input: *input,
                        scale: 0,
                    },
                };
                let of = |measured: &[(Part, Vec<f64>)]| {
                    measured
                        .iter()
                        .find(|(p, _)| *p == same)
                        .map(|(_, x)| x.clone())
                };
                let Some(truth) = of(&exact) else { continue };
                let moved = nudged
                    .as_ref()
                    .and_then(|n| of(n))
                    .unwrap_or_else(|| truth.clone());
                let judged = self.judge(*part, found, &truth, &moved, &exact[0].1, samples.len());
                match all.iter_mut().find(|(p, _)| p == part) {
                    Some((_, all)) => all.extend(judged),
                    None => all.push((*part, judged)),
                }
            }
        }
        Ok(all)
    }

    /// Every number of the first input a last digit up or down in turn.
    fn nudged(&self, inputs: &[Values]) -> Vec<Values> {
        let mut inputs = inputs.to_vec();
        if let Data::Float(x) = &mut inputs[0].data {
            for (i, x) in x.iter_mut().enumerate() {
                let step = 2. * self.float.unit() * x.abs();
                *x += if i % 2 == 0 { step } else { -step };
            }
        }
        inputs
    }

    fn judge(
        &self,
        part: Part,
        found: &[f64],
        truth: &[f64],
        moved: &[f64],
        value: &[f64],
        n: usize,
    ) -> Vec<Option<Off>> {
        let limit = self.float.largest * (1. - 2. * self.float.unit());
        let scale = if let Part::Gradient { scale, .. } = part {
            SCALES[scale].1
        } else {
            1.
        };
        let (width, outputs) = (found.len() / n, value.len() / n);
        let of = |k: usize| {
            let range = k * width..(k + 1) * width;
            if value[k * outputs..][..outputs]
                .iter()
                .any(|y| y.is_nan() || y.abs() > limit)
            {
                return None;
            }
            let largest = truth[range.clone()]
                .iter()
                .fold(0f64, |m, x| m.max((x * scale).abs()));
            let rounding = if self.way.is_some() {
                16. * self.float.unit() * largest
            } else {
                0.
            };
            let entry = |i: usize| {
                let expected = truth[i] * scale;
                let slack = Some((truth[i] - moved[i]).abs())
                    .filter(|s| s.is_finite())
                    .unwrap_or(0.);
                let near = 0.1 * expected.abs() + 2. * slack * scale + rounding;
                let off = (found[i] - expected).abs();
                let right = off <= near + 4. * self.float.smallest * scale.max(1.)
                    || expected.abs() > limit;
                let flushed = off <= near + self.float.kept * scale.max(1.);
                let finite = found[i].is_finite();
                (!right).then_some(Off {
                    found: found[i],
                    expected,
                    finite,
                    flushed,
                })
            };
            range.filter_map(entry).max_by(|a, b| {
                let size = |o: &Off| (o.found - o.expected).abs();
                b.finite.cmp(&a.finite).then(size(a).total_cmp(&size(b)))
            })
        };
        (0..n).map(of).collect()
    }

    /// The magnitude nearest to 1 at which it is wrong: below a sample that is wrong, or `above` it.
    ///
    /// Many values between the last that is right and the first that is wrong are taken at once, and again, until
    /// those are neighbours: so a fault that comes and goes is found where it comes first.
    fn edge(&self, part: Part, wrong: Sample, finite: bool, above: bool) -> Result<f64> {
        let own = self.own(part);
        let (grid, mut edge) = (self.grid(), wrong[own].abs());
        let place = grid.partition_point(|x| *x < edge);
        let next = if above {
            grid.get(place + 1)
        } else {
            place.checked_sub(1).map(|i| &grid[i])
        };
        let Some(mut right) = next.copied() else {
            return Ok(edge);
        };
        let many = if self.at_once() == 1 { 1 } else { 512 };
        loop {
            let mut between = self.float.between(right, edge, many);
            if above {
                between.reverse();
            }
            if between.is_empty() {
                return Ok(edge);
            }
            let moved = between.iter().map(|m| {
                let mut sample = wrong;
                sample[own] = m.copysign(wrong[own]);
                sample
            });
            let seen = self.look(&moved.collect::<Vec<_>>(), Some(part))?;
            let of_part = seen
                .into_iter()
                .find(|(p, _)| *p == part)
                .map(|(_, off)| off)
                .unwrap_or_default();
            match of_part
                .iter()
                .position(|off| off.is_some_and(|o| o.finite == finite))
            {
                Some(i) => {
                    right = if i == 0 { right } else { between[i - 1] };
                    edge = between[i];
                }
                None => right = between.last().copied().unwrap_or(right),
            }
        }
    }
}

/// Whether a mark is of a row: each kind of word that it has, it has of the row.
fn covers(mark: &str, row: [&str; 6]) -> bool {
    let words: Vec<&str> = mark
        .split_once(": ")
        .map_or(vec![], |(_, words)| words.split(", ").collect());
    let kinds: [&[&str]; 5] = [
        &["1", "2^-10", "2^10"],
        &["negative", "positive"],
        &["wrong", "not finite"],
        &["all elements", "one element", "an offset"],
        &["f32", "bf16", "f16"],
    ];
    let other: Vec<&str> = words
        .iter()
        .filter(|w| !kinds.iter().any(|k| k.contains(w)))
        .copied()
        .collect();
    let part = other.is_empty()
        || other.contains(&row[0])
        || row[0] != "value" && other.contains(&"gradient");
    let rest = kinds
        .iter()
        .zip(&row[1..])
        .all(|(kind, word)| !words.iter().any(|w| kind.contains(w)) || words.contains(word));
    part && rest
}

/// The value, and the gradients of the weighted sum at some of [`SCALES`], widened.
fn measure(
    call: &Call,
    inputs: &[Values],
    samples: usize,
    dtype: DType,
    scales: &[usize],
) -> Result<Vec<(Part, Vec<f64>)>> {
    let mut tensors = vec![];
    let mut vars = vec![];
    for values in inputs {
        let t = values.tensor(dtype)?;
        let var = if values.is_float() {
            Some(Var::from_tensor(&t)?)
        } else {
            None
        };
        tensors.push(var.as_ref().map_or(t, |v| v.as_tensor().clone()));
        vars.push(var);
    }
    let y = call(&tensors)?;
    let mut all = vec![(Part::Value, flat(&y)?)];
    for &scale in scales {
        let outputs = y.elem_count() / samples;
        let seed = (0..y.elem_count()).map(|i| WEIGHTS[i % outputs % 4] * SCALES[scale].1);
        let seed: Vec<f64> = seed.collect();
        let seed = Tensor::from_vec(seed, y.dims(), &Device::Cpu)?.to_dtype(y.dtype())?;
        let Ok(store) = (&y * seed)?.sum_all()?.backward() else {
            continue;
        };
        for (input, var) in vars.iter().enumerate() {
            if let Some(gradient) = var.as_ref().and_then(|v| store.get(v)) {
                all.push((Part::Gradient { input, scale }, flat(gradient)?));
            }
        }
    }
    Ok(all)
}
