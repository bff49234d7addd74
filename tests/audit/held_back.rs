//! The functions of the held-back sweep with formulas of its own, and its random numbers.

use candle_core::{Module, Result, Tensor};
use candle_nn::{Activation, ops};
use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

/// A function, element by element.
pub struct Function {
    /// Its path in the catalogue.
    pub path: &'static str,
    /// How the label of the case begins.
    pub case: &'static str,
    /// Its inputs, as the catalogue calls them.
    pub inputs: &'static [&'static str],
    /// The call.
    pub call: fn(&[Tensor]) -> Result<Tensor>,
    /// Value and slopes, NaN where there is none.
    pub truth: fn(&[f64]) -> (f64, Vec<f64>),
}

/// A generator of its own: SplitMix64.
pub struct Numbers(u64);

impl Numbers {
    pub fn seeded(text: &str, number: u64) -> Self {
        let mix = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
        Self(text.bytes().fold(number ^ 0x5eed, mix))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn sign(&mut self) -> f64 {
        if self.next() & 1 == 0 { 1. } else { -1. }
    }

    /// Of either sign, the magnitude between two powers of two.
    pub fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        let power = low + (high - low) * self.unit();
        self.sign() * power.exp2()
    }

    pub fn power_of_two(&mut self, low: i32, high: i32) -> f64 {
        let powers = (high - low + 1) as f64;
        self.sign() * 2f64.powi(low + (self.unit() * powers) as i32)
    }
}

fn one(value: f64, slope: f64) -> (f64, Vec<f64>) {
    (value, vec![slope])
}

fn two(value: f64, first: f64, second: f64) -> (f64, Vec<f64>) {
    (value, vec![first, second])
}

/// 1 / (1 + e^-x).
fn logistic(x: f64) -> f64 {
    if x < 0. {
        x.exp() / (x.exp() + 1.)
    } else {
        (1. + (-x).exp()).recip()
    }
}

/// x f, as 0 where f is 0.
fn times(x: f64, f: f64) -> f64 {
    if f == 0. { 0. } else { x * f }
}

fn swish(x: f64) -> (f64, Vec<f64>) {
    let (s, rest) = (logistic(x), logistic(-x));
    one(times(x, s), s + times(times(x, s), rest))
}

fn gelu_tanh(x: f64) -> (f64, Vec<f64>) {
    let inner = (2. / PI).sqrt() * (x + 0.044715 * x * x * x);
    let slope = (2. / PI).sqrt() * (1. + 3. * 0.044715 * x * x);
    // (1 + tanh u) / 2 is the logistic function of 2 u.
    let (s, rest) = (logistic(2. * inner), logistic(-2. * inner));
    one(times(x, s), s + times(2. * x * slope, s * rest))
}

fn gelu_exact(x: f64) -> (f64, Vec<f64>) {
    let below = libm::erfc(-x / SQRT_2) / 2.;
    let density = (-x * x / 2.).exp() / (2. * PI).sqrt();
    one(times(x, below), below + times(x, density))
}

/// x tanh(log(1 + e^x)) = x (e²+2e) / (e²+2e+2) with e = e^x.
fn mish(x: f64) -> (f64, Vec<f64>) {
    if x > 40. {
        return one(x, 1.);
    }
    let e = x.exp();
    let n = e * (e + 2.);
    let slope = n / (n + 2.) + times(x, 4. * e * (e + 1.) / (n + 2.).powi(2));
    one(times(x, n / (n + 2.)), slope)
}

/// Slopes of pieces: below the first bound, between, above; NaN at a bound.
fn stair(x: f64, bounds: &[f64], slopes: &[f64]) -> f64 {
    if bounds.contains(&x) {
        return f64::NAN;
    }
    slopes[bounds.iter().filter(|b| x > **b).count()]
}

const X: &[&str] = &["self"];
const XS: &[&str] = &["xs"];
const BOTH: &[&str] = &["self", "rhs"];

macro_rules! function {
    ($path:literal, $case:literal, $inputs:ident, $call:expr, $truth:expr) => {
        Function {
            path: $path,
            case: $case,
            inputs: $inputs,
            call: $call,
            truth: $truth,
        }
    };
}

#[rustfmt::skip]
pub const FUNCTIONS: &[Function] = &[
    function!("candle_core::Tensor::exp", "moderate", X, |a| a[0].exp(), |x| one(x[0].exp(), x[0].exp())),
    function!("candle_core::Tensor::log", "moderate", X, |a| a[0].log(), |x| one(x[0].ln(), if x[0] > 0. { x[0].recip() } else { f64::NAN })),
    function!("candle_core::Tensor::sin", "moderate", X, |a| a[0].sin(), |x| one(x[0].sin(), x[0].cos())),
    function!("candle_core::Tensor::cos", "moderate", X, |a| a[0].cos(), |x| one(x[0].cos(), -x[0].sin())),
    function!("candle_core::Tensor::tanh", "moderate", X, |a| a[0].tanh(), |x| one(x[0].tanh(), x[0].cosh().recip().powi(2))),
    function!("candle_core::Tensor::abs", "moderate", X, |a| a[0].abs(), |x| one(x[0].abs(), stair(x[0], &[0.], &[-1., 1.]))),
    function!("candle_core::Tensor::neg", "moderate", X, |a| a[0].neg(), |x| one(-x[0], -1.)),
    function!("candle_core::Tensor::recip", "moderate", X, |a| a[0].recip(), |x| one(x[0].recip(), -x[0].recip() / x[0])),
    function!("candle_core::Tensor::sqr", "moderate", X, |a| a[0].sqr(), |x| one(x[0] * x[0], x[0] + x[0])),
    function!("candle_core::Tensor::sqrt", "moderate", X, |a| a[0].sqrt(), |x| one(x[0].sqrt(), (2. * x[0].sqrt()).recip())),
    function!("candle_core::Tensor::gelu", "moderate", X, |a| a[0].gelu(), |x| gelu_tanh(x[0])),
    function!("candle_core::Tensor::gelu_erf", "moderate", X, |a| a[0].gelu_erf(), |x| gelu_exact(x[0])),
    function!("candle_core::Tensor::erf", "moderate", X, |a| a[0].erf(), |x| one(libm::erf(x[0]), FRAC_2_SQRT_PI * (-x[0] * x[0]).exp())),
    function!("candle_core::Tensor::relu", "moderate", X, |a| a[0].relu(), |x| one(x[0].max(0.), stair(x[0], &[0.], &[0., 1.]))),
    function!("candle_core::Tensor::silu", "moderate", X, |a| a[0].silu(), |x| swish(x[0])),
    function!("candle_core::Tensor::elu", "alpha 1, moderate", X, |a| a[0].elu(1.), |x| one(x[0].max(0.) + x[0].min(0.).exp_m1(), x[0].min(0.).exp())),
    function!("candle_core::Tensor::affine", "2.5 x + -1", X, |a| a[0].affine(2.5, -1.), |x| one(x[0] * 2.5 - 1., 2.5)),
    function!("candle_core::Tensor::powf", "exponent -1.5", X, |a| a[0].powf(-1.5), |x| one(1. / (x[0] * x[0].sqrt()), -1.5 / (x[0] * x[0] * x[0].sqrt()))),
    function!("candle_core::Tensor::powf", "exponent 0.5", X, |a| a[0].powf(0.5), |x| one(x[0].sqrt(), 0.5 / x[0].sqrt())),
    function!("candle_core::Tensor::powf", "exponent 2", X, |a| a[0].powf(2.), |x| one(x[0] * x[0], 2. * x[0])),
    function!("candle_core::Tensor::powf", "exponent 3", X, |a| a[0].powf(3.), |x| one(x[0] * x[0] * x[0], 3. * x[0] * x[0])),
    function!("candle_core::Tensor::clamp", "inside and outside", X, |a| a[0].clamp(-0.5, 0.5), |x| one(x[0].clamp(-0.5, 0.5), stair(x[0], &[-0.5, 0.5], &[0., 1., 0.]))),
    function!("candle_nn::ops::sigmoid", "moderate", XS, |a| ops::sigmoid(&a[0]), |x| one(logistic(x[0]), logistic(x[0]) * logistic(-x[0]))),
    function!("candle_nn::ops::hard_sigmoid", "moderate", XS, |a| ops::hard_sigmoid(&a[0]), |x| one((x[0] / 6. + 0.5).clamp(0., 1.), stair(x[0], &[-3., 3.], &[0., 1. / 6., 0.]))),
    function!("candle_nn::ops::mish", "moderate", XS, |a| ops::mish(&a[0]), |x| mish(x[0])),
    function!("candle_nn::ops::silu", "moderate", XS, |a| ops::silu(&a[0]), |x| swish(x[0])),
    function!("candle_nn::ops::leaky_relu", "moderate", XS, |a| ops::leaky_relu(&a[0], 0.125), |x| one(x[0].max(x[0] / 8.), stair(x[0], &[0.], &[0.125, 1.]))),
    function!("candle_nn::ops::selu", "moderate", XS, |a| ops::selu(&a[0], 1.625, 1.0625), |x| one(1.0625 * (x[0].max(0.) + 1.625 * x[0].min(0.).exp_m1()), 1.0625 * if x[0] > 0. { 1. } else { 1.625 * x[0].exp() })),
    function!("candle_nn::activation::Activation", "hard swish", XS, |a| Activation::HardSwish.forward(&a[0]), |x| one(times(x[0], (x[0] / 6. + 0.5).clamp(0., 1.)), stair(x[0], &[-3., 3.], &[0., x[0] / 3. + 0.5, 1.]))),
    function!("candle_nn::activation::Activation", "relu6", XS, |a| Activation::Relu6.forward(&a[0]), |x| one(x[0].clamp(0., 6.), stair(x[0], &[0., 6.], &[0., 1., 0.]))),
    function!("candle_nn::activation::Activation", "relu2", XS, |a| Activation::Relu2.forward(&a[0]), |x| one(x[0].max(0.).powi(2), 2. * x[0].max(0.))),
    function!("candle_nn::activation::Activation", "swish", XS, |a| Activation::Swish.forward(&a[0]), |x| swish(x[0])),
    function!("candle_core::Tensor::add", "same shape", BOTH, |a| a[0].add(&a[1]), |x| two(x[0] + x[1], 1., 1.)),
    function!("candle_core::Tensor::sub", "same shape", BOTH, |a| a[0].sub(&a[1]), |x| two(x[0] - x[1], 1., -1.)),
    function!("candle_core::Tensor::mul", "same shape", BOTH, |a| a[0].mul(&a[1]), |x| two(x[0] * x[1], x[1], x[0])),
    function!("candle_core::Tensor::div", "same shape", BOTH, |a| a[0].div(&a[1]), |x| two(x[0] / x[1], x[1].recip(), -(x[0] / x[1]) / x[1])),
    function!("candle_core::Tensor::maximum", "same shape", BOTH, |a| a[0].maximum(&a[1]), |x| two(x[0].max(x[1]), stair(x[0] - x[1], &[0.], &[0., 1.]), stair(x[1] - x[0], &[0.], &[0., 1.]))),
    function!("candle_core::Tensor::minimum", "same shape", BOTH, |a| a[0].minimum(&a[1]), |x| two(x[0].min(x[1]), stair(x[1] - x[0], &[0.], &[0., 1.]), stair(x[0] - x[1], &[0.], &[0., 1.]))),
    function!("candle_core::Tensor::pow", "positive base", BOTH, |a| a[0].pow(&a[1]), |x| {
        let y = (x[1] * x[0].ln()).exp();
        if x[0] > 0. { two(y, x[1] * (x[1] * x[0].ln() - x[0].ln()).exp(), y * x[0].ln()) } else { two(f64::NAN, f64::NAN, f64::NAN) }
    }),
    function!("candle_core::Tensor::broadcast_div", "same shape", BOTH, |a| a[0].broadcast_div(&a[1]), |x| two(x[0] / x[1], x[1].recip(), -(x[0] / x[1]) / x[1])),
];
