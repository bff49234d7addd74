//! Functions of one number and their slopes, in f64, in forms that neither overflow nor cancel.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// A function and its derivative; NaN where there is none.
#[derive(Clone, Copy)]
pub struct Curve {
    /// The function.
    pub value: fn(f64) -> f64,
    /// Its derivative.
    pub slope: fn(f64) -> f64,
    /// The size of the terms that the derivative is made of, where they stay below one; else 0.
    pub natural: f64,
}

const fn curve(value: fn(f64) -> f64, slope: fn(f64) -> f64) -> Curve {
    Curve {
        value,
        slope,
        natural: 0.,
    }
}

/// A function whose slope is made of terms of the size of 1.
const fn bounded(value: fn(f64) -> f64, slope: fn(f64) -> f64) -> Curve {
    Curve {
        value,
        slope,
        natural: 1.,
    }
}

/// 1 / (1 + e^-x), to full relative precision in its tail.
pub fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0. { 1. / (1. + e) } else { e / (1. + e) }
}

/// log(1 + e^x).
pub fn softplus(x: f64) -> f64 {
    x.max(0.) + (-x.abs()).exp().ln_1p()
}

/// 1 - tanh².
fn sech2(x: f64) -> f64 {
    4. * sigmoid(2. * x) * sigmoid(-2. * x)
}

/// The normal distribution function.
fn phi(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// The normal density.
fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2. * PI).sqrt()
}

/// `product(a, b)` is 0 where a is, even if b is not finite.
fn product(a: f64, b: f64) -> f64 {
    if a == 0. { 0. } else { a * b }
}

/// Below a bound, between two, above: the slopes of a function in three pieces.
fn pieces(x: f64, bounds: [f64; 2], slopes: [f64; 3]) -> f64 {
    let place = bounds.iter().filter(|b| x > **b).count();
    if bounds.contains(&x) {
        f64::NAN
    } else {
        slopes[place]
    }
}

/// exp.
pub const EXP: Curve = curve(f64::exp, f64::exp);
/// log.
pub const LOG: Curve = curve(f64::ln, |x| if x > 0. { 1. / x } else { f64::NAN });
/// sin.
pub const SIN: Curve = bounded(f64::sin, f64::cos);
/// cos.
pub const COS: Curve = bounded(f64::cos, |x| -x.sin());
/// tanh.
pub const TANH: Curve = bounded(f64::tanh, sech2);
/// neg.
pub const NEG: Curve = curve(|x| -x, |_| -1.);
/// x itself.
pub const SAME: Curve = curve(|x| x, |_| 1.);
/// abs.
pub const ABS: Curve = curve(f64::abs, |x| pieces(x, [0., 0.], [-1., 1., 1.]));
/// recip.
pub const RECIP: Curve = curve(|x| 1. / x, |x| -(1. / x) / x);
/// sqr.
pub const SQR: Curve = curve(|x| x * x, |x| 2. * x);
/// sqrt.
pub const SQRT: Curve = curve(f64::sqrt, |x| 0.5 / x.sqrt());
/// erf.
pub const ERF: Curve = bounded(libm::erf, |x| 2. / PI.sqrt() * (-x * x).exp());
/// sigmoid.
pub const SIGMOID: Curve = bounded(sigmoid, |x| sigmoid(x) * sigmoid(-x));

/// silu.
pub const SILU: Curve = bounded(
    |x| product(sigmoid(x), x),
    |x| sigmoid(x) * (1. + product(sigmoid(-x), x)),
);

/// The argument of tanh in gelu's approximation, and its slope.
fn inner(x: f64) -> (f64, f64) {
    let c = (2. / PI).sqrt();
    (
        c * x * (1. + 0.044715 * x * x),
        c * (1. + 3. * 0.044715 * x * x),
    )
}

/// Its derivative holds x³ beside 1 - tanh².
pub const GELU: Curve = Curve {
    natural: 8.,
    value: |x| product(sigmoid(2. * inner(x).0), x),
    slope: |x| {
        let (u, du) = inner(x);
        sigmoid(2. * u) + product(product(0.5 * sech2(u), x), du)
    },
};

/// gelu with erf.
pub const GELU_ERF: Curve = bounded(|x| product(phi(x), x), |x| phi(x) + product(density(x), x));

/// mish.
pub const MISH: Curve = bounded(
    |x| x * softplus(x).tanh(),
    |x| {
        let s = softplus(x);
        s.tanh() + product(sech2(s), x * sigmoid(x))
    },
);

/// relu.
pub const RELU: Curve = curve(|x| x.max(0.), |x| pieces(x, [0., 0.], [0., 1., 1.]));
/// relu2.
pub const RELU2: Curve = curve(|x| x.max(0.).powi(2), |x| 2. * x.max(0.));
/// relu6.
pub const RELU6: Curve = curve(|x| x.clamp(0., 6.), |x| pieces(x, [0., 6.], [0., 1., 0.]));
/// leaky relu, slope 0.125.
pub const LEAKY: Curve = curve(
    |x| if x > 0. { x } else { 0.125 * x },
    |x| pieces(x, [0., 0.], [0.125, 1., 1.]),
);
/// hard sigmoid.
pub const HARD_SIGMOID: Curve = curve(
    |x| ((x + 3.) / 6.).clamp(0., 1.),
    |x| pieces(x, [-3., 3.], [0., 1. / 6., 0.]),
);
/// hard swish.
pub const HARD_SWISH: Curve = bounded(
    |x| product(((x + 3.) / 6.).clamp(0., 1.), x),
    |x| pieces(x, [-3., 3.], [0., x / 3. + 0.5, 1.]),
);
/// elu, alpha 1.
pub const ELU: Curve = bounded(|x| if x > 0. { x } else { x.exp_m1() }, |x| x.min(0.).exp());
/// elu, alpha 0.5.
pub const HALF_ELU: Curve = bounded(
    |x| if x > 0. { x } else { 0.5 * x.exp_m1() },
    |x| pieces(x, [0., 0.], [0.5 * x.exp(), 1., 1.]),
);
/// With candle's order of the parameters: alpha 1.625, gamma 1.0625.
pub const SELU: Curve = bounded(
    |x| 1.0625 * if x > 0. { x } else { 1.625 * x.exp_m1() },
    |x| pieces(x, [0., 0.], [1.0625 * 1.625 * x.exp(), 1.0625, 1.0625]),
);
/// x between -0.5 and 0.5.
pub const CLAMP: Curve = curve(
    |x| x.clamp(-0.5, 0.5),
    |x| pieces(x, [-0.5, 0.5], [0., 1., 0.]),
);
/// max(x, 0.5).
pub const AT_LEAST: Curve = curve(|x| x.max(0.5), |x| pieces(x, [0.5, 0.5], [0., 1., 1.]));
/// min(x, 0.5).
pub const AT_MOST: Curve = curve(|x| x.min(0.5), |x| pieces(x, [0.5, 0.5], [1., 0., 0.]));
/// 2.5 x - 1.
pub const AFFINE: Curve = bounded(|x| 2.5 * x - 1., |_| 2.5);
/// x + 2.5.
pub const PLUS: Curve = curve(|x| x + 2.5, |_| 1.);
/// x - 2.5.
pub const MINUS: Curve = curve(|x| x - 2.5, |_| 1.);
/// 2.5 - x.
pub const FROM: Curve = curve(|x| 2.5 - x, |_| -1.);
/// 2.5 x.
pub const TIMES: Curve = curve(|x| 2.5 * x, |_| 2.5);
/// x / 2.5.
pub const OVER: Curve = curve(|x| x / 2.5, |_| 0.4);
/// 2.5 / x.
pub const UNDER: Curve = curve(|x| 2.5 / x, |x| -(2.5 / x) / x);

/// x^-1.5.
pub const POWER_MINUS_3_2: Curve = curve(|x| x.powf(-1.5), |x| -1.5 * x.powf(-2.5));
/// x^0.5.
pub const POWER_1_2: Curve = curve(|x| x.powf(0.5), |x| 0.5 * x.powf(-0.5));
/// x^1.
pub const POWER_1: Curve = SAME;
/// x^2.
pub const POWER_2: Curve = SQR;
/// x^3.
pub const POWER_3: Curve = curve(|x| x * x * x, |x| 3. * x * x);
