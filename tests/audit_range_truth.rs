//! What the sweep of the whole range takes for true is true: its closed forms against candle's own
//! forward in f64 and numerical derivatives of it, and against numerical derivatives of themselves
//! where candle's forward has lost its digits.
#![cfg(feature = "cli")]

#[path = "audit/one_thread.rs"]
mod one_thread;

use candle_core::{DType, Device, Result};
use candle_sine::audit::case::{Case, Data, Values};
use candle_sine::audit::catalog;
use candle_sine::audit::range::format::Format;
use candle_sine::audit::range::line::{Line, Sample};
use candle_sine::audit::range::lines;
use candle_sine::audit::range::table::{Together, Truth, Way};
use candle_sine::audit::run::in_parallel;
use candle_sine::gradcheck::numeric::{Derivative, derivative};

fn what(line: &Line) -> String {
    let (path, name) = (line.case.path, &line.case.name);
    let way = line.way.map_or("", |w| w.name());
    format!("{path} {name} {way}")
}

fn numbers(values: &Values) -> Vec<f64> {
    match &values.data {
        Data::Float(x) => x.clone(),
        Data::Ids(x) => x.iter().map(|x| f64::from(*x)).collect(),
        Data::Mask(_) => vec![],
    }
}

/// Whether a numerical derivative says something of a truth, and that it is another one.
///
/// It says something where its bound is a millionth of it or less, and where both are far above
/// what is lost when terms of the size of `terms` cancel.
fn verdict(d: &Derivative, truth: f64, terms: f64) -> Option<bool> {
    let size = d.value.abs().max(truth.abs());
    let resolved = d.bound <= 1e-6 * size && size > 1e-6 * terms && size > 1e-280;
    let off = (d.value - truth).abs();
    (resolved && truth.is_finite()).then_some(off > 4. * d.bound + 1e-7 * size)
}

/// candle's forward in f64 as a function of one of its numbers.
fn forward(line: &Line, sample: Sample, input: usize, entry: usize) -> impl Fn(f64) -> Vec<f64> {
    let inputs = line.inputs(&[sample], &Format::of(DType::F64));
    let call = line.case.call.clone();
    move |x| {
        let mut inputs = inputs.clone();
        if let Data::Float(values) = &mut inputs[input].data {
            values[entry] = x;
        }
        let tensors = inputs.iter().map(|v| v.tensor(DType::F64, &Device::Cpu));
        let y = tensors.collect::<Result<Vec<_>>>().and_then(|t| call(&t));
        y.and_then(|y| y.flatten_all()?.to_vec1())
            .unwrap_or_default()
    }
}

/// How many derivatives were compared; the first that differs is an error.
fn against_candle(line: &Line, sample: Sample) -> std::result::Result<usize, String> {
    let inputs = line.inputs(&[sample], &Format::of(DType::F64));
    let all: Vec<Vec<f64>> = inputs.iter().map(numbers).collect();
    let (exact, weights) = (line.exact(&all, 1), line.weights());
    let mut compared = 0;
    for (input, values) in all
        .iter()
        .enumerate()
        .filter(|(i, _)| inputs[*i].is_float())
    {
        for (entry, &x) in values.iter().enumerate() {
            let f = forward(line, sample, input, entry);
            let total = |x| f(x).iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>();
            let (d, truth) = (derivative(total, x), exact.gradients[input][entry]);
            let Some(differs) = verdict(&d, truth, 1.) else {
                continue;
            };
            compared += 1;
            let off = |(y, value): (&f64, &f64)| (y - value).abs() > 1e-9 * value.abs().max(1.);
            if differs || f(x).iter().zip(&exact.value).any(off) {
                return Err(format!("{} at {sample:?}: {d:?}, {truth}", what(line)));
            }
        }
    }
    Ok(compared)
}

/// Where candle's f64 forward has its digits.
const POINTS: [f64; 14] = [
    -21., -8.7, -3.2, -1.51, -0.75, -0.3, -1e-3, 1e-3, 0.3, 0.8, 1.7, 3.3, 9.1, 30.,
];

fn usual(line: &Line) -> Vec<Sample> {
    let beside = |x: f64| match line.truth {
        Truth::Pair(_) => vec![[x.abs(), 1.3], [x.abs(), -1.3], [1.3, x], [x, x / 2.]],
        _ => vec![[x, 0.]],
    };
    // candle takes the logarithm of the sigmoid, which has lost its digits beyond.
    let end = if line.case.op() == "binary_cross_entropy_with_logit" {
        10.
    } else {
        f64::INFINITY
    };
    let points = POINTS.into_iter().filter(|x| x.abs() < end);
    points.flat_map(beside).collect()
}

/// Runs a check over the samples of every line; says what differs, and demands that each line had
/// `least` comparisons.
fn every_line<'a>(
    cases: &'a [Case],
    takes: impl Fn(&Line) -> bool,
    samples: impl Fn(&Line) -> Vec<Sample> + Sync,
    check: impl Fn(&Line, Sample) -> std::result::Result<usize, String> + Sync,
    least: usize,
) {
    one_thread::one_thread_an_op();
    let lines: Vec<Line<'a>> = lines(cases).into_iter().filter(takes).collect();
    let of_line = |line: &Line| -> std::result::Result<usize, String> {
        samples(line).into_iter().map(|s| check(line, s)).sum()
    };
    let mut wrong = vec![];
    for (line, outcome) in lines.iter().zip(in_parallel(&lines, &Device::Cpu, of_line)) {
        match outcome {
            Err(error) => wrong.push(error),
            Ok(n) if n < least => wrong.push(format!("{}: only {n} compared", what(line))),
            Ok(_) => {}
        }
    }
    assert!(lines.len() > 50, "{}", lines.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn it_is_the_numerical_derivative_of_candles_forward() {
    let wide = |l: &Line| l.case.dtypes.contains(&DType::F64) && l.case.path != SELU;
    every_line(&catalog::all(), wide, usual, against_candle, 4);
}

/// The call fails in f64.
const SELU: &str = "candle_nn::ops::selu";

/// Magnitudes up to 2^±200, as f64 holds the products of several; where steps are of a length, up
/// to 2^20, as x + step would be rounded beyond.
fn far(line: &Line) -> Vec<Sample> {
    let power = |k: i32| 1.3 * 2f64.powi(k);
    let values = (-200..=200).step_by(5).map(power);
    let values = values.chain((1..150).map(f64::from));
    let end = if by_length(line) { 20 } else { 201 };
    let values = values.filter(|x| *x < power(end));
    let signed: Vec<f64> = values.flat_map(|x| [x, -x]).collect();
    let few: Vec<f64> = signed.iter().copied().step_by(9).collect();
    let beside = |a: &f64| few.iter().map(|b| [*a, *b]).collect::<Vec<_>>();
    match line.truth {
        Truth::Curve(_) => signed.into_iter().map(|x| [x, 0.]).collect(),
        Truth::Pair(_) => few.iter().flat_map(beside).collect(),
        Truth::Together(_) => few.into_iter().map(|x| [x, 0.]).collect(),
    }
}

/// Whether what counts is a distance, whatever the magnitude: from a multiple of a period, or from
/// other numbers that are as large.
fn by_length(line: &Line) -> bool {
    ["sin", "cos"].contains(&line.case.op()) || line.way == Some(Way::Offset)
}

/// The derivative by steps that are parts of x, or by steps of a length.
fn slope(line: &Line, x: f64, mut f: impl FnMut(f64) -> f64) -> Derivative {
    if x == 0. || by_length(line) {
        return derivative(|t| f(x + t), 0.);
    }
    let d = derivative(|s| f(x * (1. + s)), 0.);
    Derivative {
        value: d.value / x,
        bound: d.bound / x.abs(),
        ..d
    }
}

/// What a function lacks to the 1 that it approaches: where the function is rounded to 1, its slope
/// is that of the rest. The three slopes are even.
fn rest(op: &str) -> Option<fn(f64) -> f64> {
    match op {
        "tanh" => Some(|x| -2. / (1. + (2. * x).exp())),
        "sigmoid" => Some(|x| -1. / (1. + x.exp())),
        "erf" => Some(|x| -libm::erfc(x)),
        _ => None,
    }
}

/// The closed form of a slope against numerical derivatives of that of the value.
fn against_itself(line: &Line, sample: Sample) -> std::result::Result<usize, String> {
    match line.truth {
        Truth::Together(t) => together_against_itself(line, &t, sample),
        Truth::Curve(c) => {
            let x = sample[0];
            let d = match rest(line.case.op()) {
                Some(rest) => slope(line, x.abs(), rest),
                None => slope(line, x, c.value),
            };
            alike(line, sample, &[(d, (c.slope)(x))])
        }
        Truth::Pair(p) => {
            let [a, b] = sample;
            let first = slope(line, a, |x| (p.value)(x, b));
            let second = slope(line, b, |x| (p.value)(a, x));
            let both = [(first, (p.slopes[0])(a, b)), (second, (p.slopes[1])(a, b))];
            alike(line, sample, &both)
        }
    }
}

fn alike(
    line: &Line,
    sample: Sample,
    pairs: &[(Derivative, f64)],
) -> std::result::Result<usize, String> {
    let mut compared = 0;
    for (d, truth) in pairs {
        match verdict(d, *truth, 0.) {
            Some(true) => return Err(format!("{} at {sample:?}: {d:?}, {truth}", what(line))),
            Some(false) => compared += 1,
            None => {}
        }
    }
    Ok(compared)
}

/// One output at a time, as a sum over the outputs would hide the small ones.
fn together_against_itself(
    line: &Line,
    t: &Together,
    sample: Sample,
) -> std::result::Result<usize, String> {
    let inputs: Vec<Vec<f64>> = line
        .inputs(&[sample], &Format::of(DType::F64))
        .iter()
        .map(numbers)
        .collect();
    let exact = |inputs: &[Vec<f64>], weights: &[f64]| {
        let slices: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        (t.exact)(&slices, weights)
    };
    let mut pairs = vec![];
    for output in 0..t.outputs {
        let only: Vec<f64> = (0..t.outputs)
            .map(|o| f64::from(u8::from(o == output)))
            .collect();
        let truth = exact(&inputs, &only);
        for (input, gradient) in truth.gradients.iter().enumerate() {
            for (entry, truth) in gradient.iter().enumerate() {
                let f = |x| {
                    let mut inputs = inputs.clone();
                    inputs[input][entry] = x;
                    exact(&inputs, &only).value[output]
                };
                pairs.push((slope(line, inputs[input][entry], f), *truth));
            }
        }
    }
    alike(line, sample, &pairs)
}

#[test]
fn its_slopes_are_the_derivatives_of_its_values_in_the_tails_too() {
    every_line(&catalog::all(), |_| true, far, against_itself, 15);
}
