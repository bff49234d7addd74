//! Functions of a few numbers together: sums, extremes, norms, softmaxes, losses.
//!
//! Each takes its inputs and the weights v of its outputs, and gives the outputs y and the gradient
//! of v·y with respect to each input, in f64; an empty gradient where none is asked for, NaN where
//! there is none.

use super::curve::{sigmoid, softplus};

/// The outputs and the gradient of their weighted sum.
#[derive(Clone, Debug, Default)]
pub struct Exact {
    /// The outputs.
    pub value: Vec<f64>,
    /// A gradient an input.
    pub gradients: Vec<Vec<f64>>,
}

/// Inputs and weights to outputs and gradients.
pub type Rows = fn(&[&[f64]], &[f64]) -> Exact;

/// What stands under the square root of the norms beside the mean square.
const EPS: f64 = 1. / 1024.;

fn of_one(value: Vec<f64>, gradient: Vec<f64>) -> Exact {
    Exact {
        value,
        gradients: vec![gradient],
    }
}

fn mean_of(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    x.iter().map(|x| x / n).sum()
}

fn dot_of(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// sum.
pub fn sum(a: &[&[f64]], v: &[f64]) -> Exact {
    of_one(vec![a[0].iter().sum()], vec![v[0]; a[0].len()])
}

/// mean.
pub fn mean(a: &[&[f64]], v: &[f64]) -> Exact {
    let n = a[0].len();
    of_one(vec![mean_of(a[0])], vec![v[0] / n as f64; n])
}

/// var.
pub fn var(a: &[&[f64]], v: &[f64]) -> Exact {
    let (m, n) = (mean_of(a[0]), a[0].len() as f64 - 1.);
    let value = a[0].iter().map(|x| (x - m).powi(2) / n).sum();
    let slope = |x: &f64| v[0] * 2. * (x - m) / n;
    of_one(vec![value], a[0].iter().map(slope).collect())
}

fn extreme(x: &[f64], v: f64, found: f64) -> Exact {
    let places = x.iter().filter(|x| **x == found).count();
    let slope = |x: &f64| match places {
        1 => v * f64::from(u8::from(*x == found)),
        _ => f64::NAN,
    };
    of_one(vec![found], x.iter().map(slope).collect())
}

/// max.
pub fn max(a: &[&[f64]], v: &[f64]) -> Exact {
    extreme(
        a[0],
        v[0],
        a[0].iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}

/// min.
pub fn min(a: &[&[f64]], v: &[f64]) -> Exact {
    extreme(
        a[0],
        v[0],
        a[0].iter().copied().fold(f64::INFINITY, f64::min),
    )
}

/// norm.
pub fn norm(a: &[&[f64]], v: &[f64]) -> Exact {
    let largest = a[0].iter().fold(0f64, |m, x| m.max(x.abs()));
    let length = largest
        * a[0]
            .iter()
            .map(|x| (x / largest).powi(2))
            .sum::<f64>()
            .sqrt();
    let slope = |x: &f64| v[0] * x / length;
    of_one(vec![length], a[0].iter().map(slope).collect())
}

/// v·x, for two inputs.
pub fn dot(a: &[&[f64]], v: &[f64]) -> Exact {
    let times = |x: &[f64]| x.iter().map(|x| v[0] * x).collect();
    Exact {
        value: vec![dot_of(a[0], a[1])],
        gradients: vec![times(a[1]), times(a[0])],
    }
}

/// cumsum.
pub fn cumsum(a: &[&[f64]], v: &[f64]) -> Exact {
    let upto = |i: usize| a[0][..=i].iter().sum();
    let from = |i: usize| v[i..].iter().sum();
    let n = 0..a[0].len();
    of_one(n.clone().map(upto).collect(), n.map(from).collect())
}

/// The largest, log Σ exp beyond it, and each element's share.
fn shares(x: &[f64]) -> (f64, f64, Vec<f64>) {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = x.iter().map(|x| (x - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    // The largest apart, so that the sum of the others keeps its digits.
    let place = x.iter().position(|x| *x == largest).unwrap_or(0);
    let others = powers.iter().enumerate().filter(|(i, _)| *i != place);
    let beyond = others.map(|(_, p)| p).sum::<f64>().ln_1p();
    (largest, beyond, powers.iter().map(|p| p / total).collect())
}

/// Log sum exp.
pub fn log_sum_exp(a: &[&[f64]], v: &[f64]) -> Exact {
    let (largest, beyond, shares) = shares(a[0]);
    of_one(
        vec![largest + beyond],
        shares.iter().map(|p| v[0] * p).collect(),
    )
}

/// Softmax.
pub fn softmax(a: &[&[f64]], v: &[f64]) -> Exact {
    let (_, _, p) = shares(a[0]);
    // p_i Σ_j p_j (v_i - v_j), which is p_i (v_i - p·v) without its cancellation.
    let slope = |i: usize| p[i] * p.iter().zip(v).map(|(p, w)| p * (v[i] - w)).sum::<f64>();
    let gradient = (0..p.len()).map(slope).collect();
    of_one(p, gradient)
}

/// Log softmax.
pub fn log_softmax(a: &[&[f64]], v: &[f64]) -> Exact {
    let (largest, beyond, p) = shares(a[0]);
    let value = a[0].iter().map(|x| (x - largest) - beyond).collect();
    // v_i - p_i Σ v_j, as Σ_j (p_j v_i - p_i v_j): 1 - p_i would cancel.
    let slope = |i: usize| -> f64 {
        let others = (0..p.len()).filter(|j| *j != i);
        others.map(|j| p[j] * v[i] - p[i] * v[j]).sum()
    };
    let gradient = (0..p.len()).map(slope).collect();
    of_one(value, gradient)
}

/// x, weight: x / sqrt(mean x² + eps) · weight.
pub fn rms_norm(a: &[&[f64]], v: &[f64]) -> Exact {
    let (x, weight) = (a[0], a[1]);
    let r = (mean_of(&x.iter().map(|x| x * x).collect::<Vec<_>>()) + EPS).sqrt();
    let unit: Vec<f64> = x.iter().map(|x| x / r).collect();
    let pulled: Vec<f64> = v.iter().zip(weight).map(|(v, w)| v * w).collect();
    let along = dot_of(&pulled, &unit) / x.len() as f64;
    Exact {
        value: unit.iter().zip(weight).map(|(u, w)| u * w).collect(),
        gradients: vec![
            pulled
                .iter()
                .zip(&unit)
                .map(|(p, u)| (p - u * along) / r)
                .collect(),
            v.iter().zip(&unit).map(|(v, u)| v * u).collect(),
        ],
    }
}

/// (x - mean) / sqrt(variance + eps), and its gradient given that of the result.
fn standard(x: &[f64], pulled: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let m = mean_of(x);
    let centred: Vec<f64> = x.iter().map(|x| x - m).collect();
    let r = (dot_of(&centred, &centred) / x.len() as f64 + EPS).sqrt();
    let unit: Vec<f64> = centred.iter().map(|c| c / r).collect();
    let (mean, along) = (mean_of(pulled), dot_of(pulled, &unit) / x.len() as f64);
    let slope = |(p, u): (&f64, &f64)| (p - mean - u * along) / r;
    let gradient = pulled.iter().zip(&unit).map(slope).collect();
    (unit, gradient)
}

/// Groups of elements standardised together, then scaled and shifted by their channel's weight and
/// bias; `of` says which group and which channel an element is in.
fn affine_groups(a: &[&[f64]], v: &[f64], of: impl Fn(usize) -> (usize, usize)) -> Exact {
    let (x, weight) = (a[0], a[1]);
    let n = x.len();
    let zero = vec![0.; n];
    let bias = a.get(2).copied().unwrap_or(&zero);
    let mut exact = Exact {
        value: vec![0.; n],
        gradients: a.iter().map(|a| vec![0.; a.len()]).collect(),
    };
    let groups = (0..n).map(|i| of(i).0).max().map_or(0, |g| g + 1);
    for group in 0..groups {
        let members: Vec<usize> = (0..n).filter(|&i| of(i).0 == group).collect();
        let own: Vec<f64> = members.iter().map(|&i| x[i]).collect();
        let pulled: Vec<f64> = members.iter().map(|&i| v[i] * weight[of(i).1]).collect();
        let (unit, gradient) = standard(&own, &pulled);
        for (k, &i) in members.iter().enumerate() {
            let channel = of(i).1;
            exact.value[i] = unit[k] * weight[channel] + bias[channel];
            exact.gradients[0][i] = gradient[k];
            exact.gradients[1][channel] += v[i] * unit[k];
            if let Some(bias) = exact.gradients.get_mut(2) {
                bias[channel] += v[i];
            }
        }
    }
    exact
}

/// x, weight, bias or none.
pub fn layer_norm(a: &[&[f64]], v: &[f64]) -> Exact {
    affine_groups(a, v, |i| (0, i))
}

/// x of (3, 3, 2), weight, bias: a group a channel, over the batch.
pub fn batch_norm(a: &[&[f64]], v: &[f64]) -> Exact {
    affine_groups(a, v, |i| (i / 2 % 3, i / 2 % 3))
}

/// x of (1, 4, 3), weight, bias: two groups of two channels.
pub fn group_norm(a: &[&[f64]], v: &[f64]) -> Exact {
    affine_groups(a, v, |i| (i / 6, i / 3))
}

/// Two halves: silu of the first times the second.
pub fn swiglu(a: &[&[f64]], v: &[f64]) -> Exact {
    let (x, y) = (a[0][0], a[0][1]);
    let silu = x * sigmoid(x);
    let slope = sigmoid(x) * (1. + x * sigmoid(-x));
    of_one(vec![silu * y], vec![v[0] * (slope * y), v[0] * silu])
}

/// xs, one weight.
pub fn prelu(a: &[&[f64]], v: &[f64]) -> Exact {
    let (xs, w) = (a[0], a[1][0]);
    let slope = |(x, v): (&f64, &f64)| match x {
        0. => f64::NAN,
        _ => v * if *x > 0. { 1. } else { w },
    };
    Exact {
        value: xs
            .iter()
            .map(|x| if *x > 0. { *x } else { w * x })
            .collect(),
        gradients: vec![
            xs.iter().zip(v).map(slope).collect(),
            vec![xs.iter().zip(v).map(|(x, v)| v * x.min(0.)).sum()],
        ],
    }
}

/// The class of the targets.
pub const CLASS: usize = 1;

/// Minus the log-probability of the class, given log-probabilities.
pub fn nll(a: &[&[f64]], v: &[f64]) -> Exact {
    let slope = |i| if i == CLASS { -v[0] } else { 0. };
    of_one(vec![-a[0][CLASS]], (0..a[0].len()).map(slope).collect())
}

/// The same, given logits.
pub fn cross_entropy(a: &[&[f64]], v: &[f64]) -> Exact {
    let (largest, beyond, p) = shares(a[0]);
    // 1 - p as the sum of the others, which keeps its digits.
    let others: f64 = p
        .iter()
        .enumerate()
        .map(|(i, p)| if i == CLASS { 0. } else { *p })
        .sum();
    let slope = |(i, p): (usize, &f64)| v[0] * if i == CLASS { -others } else { *p };
    of_one(
        vec![(largest - a[0][CLASS]) + beyond],
        p.iter().enumerate().map(slope).collect(),
    )
}

/// Logits and targets: the mean of log(1 + e^x) - x t.
pub fn bce(a: &[&[f64]], v: &[f64]) -> Exact {
    let n = a[0].len() as f64;
    // t softplus(-x) + (1 - t) softplus(x) does not cancel.
    let loss = |(x, t): (&f64, &f64)| t * softplus(-x) + (1. - t) * softplus(*x);
    let slope = |(x, t): (&f64, &f64)| v[0] / n * ((1. - t) * sigmoid(*x) - t * sigmoid(-x));
    let both = || a[0].iter().zip(a[1]);
    Exact {
        value: vec![both().map(loss).sum::<f64>() / n],
        gradients: vec![
            both().map(slope).collect(),
            a[0].iter().map(|x| -v[0] * x / n).collect(),
        ],
    }
}

/// The mean of a function of the differences, with its slope.
fn of_differences(a: &[&[f64]], v: f64, f: fn(f64) -> f64, slope: fn(f64) -> f64) -> Exact {
    let n = a[0].len() as f64;
    let differences: Vec<f64> = a[0].iter().zip(a[1]).map(|(a, b)| a - b).collect();
    let slopes: Vec<f64> = differences.iter().map(|d| v * slope(*d) / n).collect();
    Exact {
        value: vec![differences.iter().map(|d| f(*d) / n).sum()],
        gradients: vec![slopes.clone(), slopes.iter().map(|s| -s).collect()],
    }
}

/// mse.
pub fn mse(a: &[&[f64]], v: &[f64]) -> Exact {
    of_differences(a, v[0], |d| d * d, |d| 2. * d)
}

/// With delta 1.
pub fn huber(a: &[&[f64]], v: &[f64]) -> Exact {
    let f = |d: f64| {
        if d.abs() <= 1. {
            0.5 * d * d
        } else {
            d.abs() - 0.5
        }
    };
    of_differences(a, v[0], f, |d| d.clamp(-1., 1.))
}
