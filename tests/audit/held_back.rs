//! A sweep that shares nothing with the rest of the audit: reductions, norms and losses at random lengths, points and
//! gradients from above, against formulas of its own that are differentiated by dual numbers.

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor, Var};
use candle_nn::{BatchNorm, GroupNorm, LayerNorm, RmsNorm, loss, ops};
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::defects::flat;

/// A number and its derivative.
#[derive(Clone, Copy)]
struct Dual(f64, f64);

impl Add for Dual {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self(self.0 + o.0, self.1 + o.1)
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0, -self.1)
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        self + -o
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        Self(self.0 * o.0, self.0 * o.1 + self.1 * o.0)
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, o: Self) -> Self {
        Self(self.0 / o.0, (self.1 - self.0 / o.0 * o.1) / o.0)
    }
}

impl Dual {
    fn sqrt(self) -> Self {
        Self(self.0.sqrt(), self.1 / (2. * self.0.sqrt()))
    }

    fn exp(self) -> Self {
        Self(self.0.exp(), self.1 * self.0.exp())
    }

    fn ln(self) -> Self {
        Self(self.0.ln(), self.1 / self.0)
    }

    fn abs(self) -> Self {
        if self.0 < 0. { -self } else { self }
    }
}

const EPS: f64 = 1. / 1024.;

fn c(x: f64) -> Dual {
    Dual(x, 0.)
}

fn sum(x: impl IntoIterator<Item = Dual>) -> Dual {
    x.into_iter().fold(c(0.), |a, b| a + b)
}

fn mean(x: &[Dual]) -> Dual {
    sum(x.iter().copied()) / c(x.len() as f64)
}

fn squares(x: &[Dual]) -> Vec<Dual> {
    x.iter().map(|x| *x * *x).collect()
}

fn centred(x: &[Dual]) -> Vec<Dual> {
    x.iter().map(|v| *v - mean(x)).collect()
}

fn extreme(x: &[Dual], sign: f64) -> Dual {
    x.iter()
        .copied()
        .reduce(|a, b| if sign * a.0 > sign * b.0 { a } else { b })
        .unwrap_or(c(0.))
}

fn log_sum_exp(x: &[Dual]) -> Dual {
    sum(x.iter().map(|v| (*v - extreme(x, 1.)).exp())).ln() + extreme(x, 1.)
}

/// x / sqrt(mean x² + eps) times the weights, plus the biases.
fn scaled(x: &[Dual], weight: &[Dual], bias: Option<&[Dual]>) -> Vec<Dual> {
    let root = (mean(&squares(x)) + c(EPS)).sqrt();
    let of = |i: usize| x[i] / root * weight[i] + bias.map_or(c(0.), |b| b[i]);
    (0..x.len()).map(of).collect()
}

fn batch_norm(a: &[Tensor]) -> Result<Tensor> {
    // The elements of the row are the batch of one channel; its weight and bias are the first ones.
    let (weight, bias) = (a[1].narrow(0, 0, 1)?, a[2].narrow(0, 0, 1)?);
    let wide = if a[0].dtype() == DType::F64 {
        DType::F64
    } else {
        DType::F32
    };
    let (zero, one) = (
        Tensor::zeros(1, wide, &Device::Cpu)?,
        Tensor::ones(1, wide, &Device::Cpu)?,
    );
    BatchNorm::new(1, zero, one, weight, bias, EPS)?.forward_t(&a[0].t()?, true)
}

/// Path, the call on x of (1, n), two vectors of n and the class, and the formula on the same.
type Function = (
    &'static str,
    fn(&[Tensor]) -> Result<Tensor>,
    fn(&[Vec<Dual>], usize) -> Vec<Dual>,
);

#[rustfmt::skip]
const FUNCTIONS: [Function; 20] = [
    ("Tensor::sum", |a| a[0].sum(1), |x, _| vec![sum(x[0].iter().copied())]),
    ("Tensor::mean", |a| a[0].mean(1), |x, _| vec![mean(&x[0])]),
    ("Tensor::var", |a| a[0].var(1), |x, _| vec![sum(squares(&centred(&x[0]))) / c(x[0].len() as f64 - 1.)]),
    ("Tensor::max", |a| a[0].max(1), |x, _| vec![extreme(&x[0], 1.)]),
    ("Tensor::min", |a| a[0].min(1), |x, _| vec![extreme(&x[0], -1.)]),
    ("Tensor::norm", |a| a[0].norm(), |x, _| vec![sum(squares(&x[0])).sqrt()]),
    ("Tensor::log_sum_exp", |a| a[0].log_sum_exp(1), |x, _| vec![log_sum_exp(&x[0])]),
    ("Tensor::cumsum", |a| a[0].cumsum(1), |x, _| (0..x[0].len()).map(|i| sum(x[0][..=i].iter().copied())).collect()),
    ("ops::softmax", |a| ops::softmax(&a[0], 1), |x, _| x[0].iter().map(|v| (*v - log_sum_exp(&x[0])).exp()).collect()),
    ("ops::log_softmax", |a| ops::log_softmax(&a[0], 1), |x, _| x[0].iter().map(|v| *v - log_sum_exp(&x[0])).collect()),
    ("ops::rms_norm_slow", |a| ops::rms_norm_slow(&a[0], &a[1], EPS as f32), |x, _| scaled(&x[0], &x[1], None)),
    ("RmsNorm::forward_diff", |a| RmsNorm::new(a[1].clone(), EPS).forward_diff(&a[0]), |x, _| scaled(&x[0], &x[1], None)),
    ("ops::layer_norm_slow", |a| ops::layer_norm_slow(&a[0], &a[1], &a[2], EPS as f32),
        |x, _| scaled(&centred(&x[0]), &x[1], Some(&x[2]))),
    ("LayerNorm, no bias", |a| LayerNorm::new_no_bias(a[1].clone(), EPS).forward(&a[0]),
        |x, _| scaled(&centred(&x[0]), &x[1], None)),
    ("GroupNorm", |a| { let n = a[1].elem_count(); GroupNorm::new(a[1].clone(), a[2].clone(), n, 1, EPS)?.forward(&a[0].unsqueeze(2)?) },
        |x, _| scaled(&centred(&x[0]), &x[1], Some(&x[2]))),
    ("BatchNorm, training", batch_norm,
        |x, _| scaled(&centred(&x[0]), &vec![x[1][0]; x[0].len()], Some(&vec![x[2][0]; x[0].len()]))),
    ("loss::mse", |a| loss::mse(&a[0], &a[1].unsqueeze(0)?),
        |x, _| vec![mean(&x[0].iter().zip(&x[1]).map(|(a, b)| (*a - *b) * (*a - *b)).collect::<Vec<_>>())]),
    ("loss::huber", |a| loss::huber(&a[0], &a[1].unsqueeze(0)?, 1.), |x, _| {
        let of = |d: Dual| if d.0.abs() < 1. { d * d * c(0.5) } else { d.abs() - c(0.5) };
        vec![mean(&x[0].iter().zip(&x[1]).map(|(a, b)| of(*a - *b)).collect::<Vec<_>>())]
    }),
    ("loss::cross_entropy", |a| loss::cross_entropy(&a[0], &a[3]), |x, k| vec![log_sum_exp(&x[0]) - x[0][k]]),
    ("loss::binary_cross_entropy_with_logit",
        |a| loss::binary_cross_entropy_with_logit(&a[0], &a[1].unsqueeze(0)?.affine(0., 1.)?),
        |x, _| vec![mean(&x[0].iter().map(|v| (c(1.) + (-*v).exp()).ln()).collect::<Vec<_>>())]),
];

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Of either sign, the magnitude between 1/4 and 4.
    fn number(&mut self) -> f64 {
        let power = (self.next() >> 11) as f64 / (1u64 << 53) as f64 * 4. - 2.;
        if self.next() & 1 == 0 {
            power.exp2()
        } else {
            -power.exp2()
        }
    }
}

/// How far off is grossly wrong, of the largest number beside it.
const TYPES: [(DType, f64); 4] = [
    (DType::F64, 1e-7),
    (DType::F32, 1e-3),
    (DType::F16, 0.1),
    (DType::BF16, 0.5),
];

/// Nothing is grossly wrong.
pub fn sweep() -> std::result::Result<(), String> {
    let mut numbers = Numbers(1);
    let mut wrong = vec![];
    for (name, call, formula) in FUNCTIONS {
        for _ in 0..40 {
            let n = 3 + (numbers.next() % 6) as usize;
            let class = (numbers.next() % n as u64) as usize;
            let inputs: [Vec<f64>; 3] =
                std::array::from_fn(|_| (0..n).map(|_| numbers.number()).collect());
            let upstream: Vec<f64> = (0..n).map(|_| numbers.number()).collect();
            for (dtype, tolerance) in TYPES {
                let point = Point {
                    inputs: &inputs,
                    class,
                    upstream: &upstream,
                    dtype,
                };
                let (found, expected) = point
                    .both(call, formula)
                    .map_err(|e| format!("{name}: {e}"))?;
                let largest = expected.iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
                let far = |(f, e): (&f64, &f64)| f.is_nan() || (f - e).abs() > tolerance * largest;
                if found.len() != expected.len() || found.iter().zip(&expected).any(far) {
                    wrong.push(format!(
                        "{name} in {dtype:?} at {inputs:?}: {found:?}, should be {expected:?}"
                    ));
                }
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

struct Point<'a> {
    inputs: &'a [Vec<f64>; 3],
    class: usize,
    upstream: &'a [f64],
    dtype: DType,
}

impl Point<'_> {
    /// The value and all gradients, by candle and by the formula at the inputs as the type has them.
    fn both(
        &self,
        call: fn(&[Tensor]) -> Result<Tensor>,
        formula: fn(&[Vec<Dual>], usize) -> Vec<Dual>,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let n = self.inputs[0].len();
        let mut vars = vec![];
        for (i, x) in self.inputs.iter().enumerate() {
            let dims: &[usize] = if i == 0 { &[1, n] } else { &[n] };
            vars.push(Var::from_tensor(
                &Tensor::from_slice(x, dims, &Device::Cpu)?.to_dtype(self.dtype)?,
            )?);
        }
        let mut tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        tensors.push(Tensor::new(&[self.class as u32], &Device::Cpu)?);
        let y = call(&tensors)?.flatten_all()?;
        let upstream = &self.upstream[..y.elem_count()];
        let seed =
            Tensor::from_slice(upstream, y.elem_count(), &Device::Cpu)?.to_dtype(self.dtype)?;
        let store = (&y * &seed)?.sum_all()?.backward()?;
        let at: Vec<Vec<f64>> = tensors[..3].iter().map(flat).collect::<Result<_>>()?;
        let seed = flat(&seed)?;
        let (mut found, mut expected) = (flat(&y)?, vec![]);
        for (i, var) in vars.iter().enumerate() {
            found.extend(store.get(var).map_or(Ok(vec![0.; n]), flat)?);
            for k in 0..n {
                let dual = |(j, x): (usize, &Vec<f64>)| {
                    let of =
                        |(l, x): (usize, &f64)| Dual(*x, f64::from(u8::from((i, k) == (j, l))));
                    x.iter().enumerate().map(of).collect::<Vec<_>>()
                };
                let y = formula(
                    &at.iter().enumerate().map(dual).collect::<Vec<_>>(),
                    self.class,
                );
                if expected.is_empty() {
                    expected.extend(y.iter().map(|y| y.0));
                }
                expected.push(y.iter().zip(&seed).map(|(y, g)| y.1 * g).sum());
            }
        }
        Ok((found, expected))
    }
}
