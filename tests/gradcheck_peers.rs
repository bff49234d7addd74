//! What the test suites of other checkers ask, as facts: a function, written here in candle, the point, and
//! the right answer, beside the one that is given. A right gradient is never flagged, in f64 and in f32, and
//! once more with its gradient 1% too large, which must be.
//!
//! `cargo test --release --test gradcheck_peers -- --nocapture` prints the answers by peer.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Result, Shape, Tensor, bail};
use candle_nn::{loss, ops};
use candle_sine::gradcheck::{Mode, Options, Verdict, gradcheck};

const CPU: &Device = &Device::Cpu;

/// The identity, whose backward pass is the function.
struct Back<F>(F);

impl<F: Fn(&Tensor) -> Result<Tensor>> CustomOp1 for Back<F> {
    fn name(&self) -> &'static str {
        "back"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("contiguous input only")
        };
        let same = match storage {
            CpuStorage::F64(v) => CpuStorage::F64(v[start..end].to_vec()),
            CpuStorage::F32(v) => CpuStorage::F32(v[start..end].to_vec()),
            _ => bail!("f64 and f32 only"),
        };
        Ok((same, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.0)(grad).map(Some)
    }
}

fn back(
    y: &Tensor,
    bwd: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    y.contiguous()?.apply_op1(Back(bwd))
}

/// The right answer.
#[derive(Clone, Copy, PartialEq)]
enum Right {
    /// The gradient is the derivative.
    Is,
    /// The same, where the derivative is 0, or below atol: a factor does not show.
    Zero,
    /// There is no derivative at this point.
    None,
    /// The value or the gradient is infinite or NaN.
    NonFinite,
    /// The gradient is not the derivative.
    Not,
}
use Right::{Is, NonFinite, None as No, Not, Zero};

type F = fn(&[Tensor]) -> Result<Tensor>;

struct Case {
    peer: &'static str,
    name: &'static str,
    inputs: Vec<Vec<f64>>,
    f: F,
    right: Right,
    /// What is said instead, where it is known not to be the right answer.
    known: Option<Verdict>,
}

macro_rules! cases {
    ($all:ident, $peer:literal; $($name:literal, [$($x:expr),*], $f:expr, $right:expr $(, $known:expr)?;)*) => {
        $($all.push(Case {
            peer: $peer,
            name: $name,
            inputs: vec![$($x.to_vec()),*],
            f: $f,
            right: $right,
            known: [$($known)?].first().copied(),
        });)*
    };
}

/// Numbers from -1.4 to 1.4, no two alike.
fn v(n: u32) -> Vec<f64> {
    (0..n)
        .map(|k| 1.4 * (1.7 * f64::from(k) + 0.4).sin())
        .collect()
}

/// Positive ones.
fn pos(n: u32) -> Vec<f64> {
    v(n).iter().map(|x| x.abs() + 0.3).collect()
}

/// [x > 0]
fn step(x: &Tensor) -> Result<Tensor> {
    x.gt(0.)?.to_dtype(x.dtype())
}

fn tan(x: &Tensor) -> Result<Tensor> {
    x.sin()? / x.cos()?
}

fn cosh(x: &Tensor, sign: f64) -> Result<Tensor> {
    (x.exp()? + (x.neg()?.exp()? * sign)?)? * 0.5
}

fn chainer(all: &mut Vec<Case>) {
    cases! { all, "Chainer";
        "x²", [v(2)], |t| t[0].sqr(), Is;
        "1", [v(2)], |t| t[0].ones_like(), Zero;
        "exp", [v(2)], |t| t[0].exp(), Is;
        "three outputs of two inputs", [v(2), pos(2)], |t| {
            let of = |a: f64, b: f64| (&t[0] * a)? + (&t[1] * b)?;
            Tensor::stack(&[of(2., 3.)?, of(4., 5.)?, of(6., 7.)?], 0)
        }, Is;
        "the input itself", [v(6)], |t| Ok(t[0].clone()), Is;
        "x, beyond 1 twice that", [[0.]], |t| t[0].abs()?.lt(1.)?.where_cond(&t[0], &(&t[0] * 2.)?), Is;
        "0 at -100", [[-100.]], |t| t[0].zeros_like(), Zero;
        "0 at 1e-4", [[1e-4]], |t| t[0].zeros_like(), Zero;
        "2x at -100", [[-100.]], |t| &t[0] * 2., Is;
        "2x at 0", [[0.]], |t| &t[0] * 2., Is;
        "2x at infinity", [[f64::INFINITY]], |t| &t[0] * 2., Zero, Verdict::Inconclusive;
        "x² + 2 at -100", [[-100.]], |t| t[0].sqr()? + 2., Is;
        "x² + 2 at 0", [[0.]], |t| t[0].sqr()? + 2., Zero;
        "cubic at 100", [[100.]], |t| ((t[0].powf(3.)? * -3.)? + (t[0].sqr()? * 2.)?)? + 1., Is;
        "cubic at 0", [[0.]], |t| ((t[0].powf(3.)? * -3.)? + (t[0].sqr()? * 2.)?)? + 1., Zero;
        "|x| at 0", [[0.]], |t| t[0].abs(), No;
        "|x| at 3, 1, 0, 2", [[3., 1., 0., 2.]], |t| t[0].abs(), No;
        "|x| at 8e-4", [[8e-4]], |t| t[0].abs(), Is;
        "|x| at -1.2e-3", [[-1.2e-3]], |t| t[0].abs(), Is;
        "|x| at -100", [[-100.]], |t| t[0].abs(), Is;
        "[x > 0] at 0", [[0.]], |t| step(&t[0]), No;
        "[x > 0] at 8e-4", [[8e-4]], |t| step(&t[0]), Zero;
        "[x > 0] at 100", [[100.]], |t| step(&t[0]), Zero;
        "clip to 0..1 at 0", [[0.]], |t| t[0].clamp(0., 1.), No;
        "clip to 0..1 at 1", [[1.]], |t| t[0].clamp(0., 1.), No;
        "clip to 0..1 at 0.5", [[0.5]], |t| t[0].clamp(0., 1.), Is;
        "floor at 0", [[0.]], |t| t[0].floor(), No;
        "floor at 100.0008", [[100.0008]], |t| t[0].floor(), Zero;
        "exp at -100", [[-100.]], |t| t[0].exp(), Zero;
        "exp at 13", [[13.]], |t| t[0].exp(), Is;
        "log at 100", [[100.]], |t| t[0].log(), Is;
        "log at 1e-3", [[1e-3]], |t| t[0].log(), Is;
        "log at 0", [[0.]], |t| t[0].log(), NonFinite;
        "log at -10", [[-10.]], |t| t[0].log(), NonFinite;
        "tan at π/2", [[FRAC_PI_2]], |t| tan(&t[0]), No;
        "tan at 3π/2 + 8e-4", [[3. * FRAC_PI_2 + 8e-4]], |t| tan(&t[0]), Is;
        "tan at 3π/2 - 1e-3", [[3. * FRAC_PI_2 - 1e-3]], |t| tan(&t[0]), Is;
        "NaN inside -1..1, at 0", [[0.]], |t| nan_segment(&t[0]), NonFinite;
        "NaN inside -1..1, at 1", [[1.]], |t| nan_segment(&t[0]), No, Verdict::NonFinite;
    }
}

fn nan_segment(x: &Tensor) -> Result<Tensor> {
    let (one, nan) = (x.ones_like()?, (x.ones_like()? * f64::NAN)?);
    x.abs()?.lt(1.)?.where_cond(&nan, &one)
}

fn ceres(all: &mut Vec<Case>) {
    let blocks = [v(2), v(3), v(4)];
    let [a, b, c] = &blocks;
    cases! { all, "Ceres";
        "exp(-a·x) of three blocks", [a, b, c], |t| bad_term(t, 0.), Is;
        "exp(-a·x), its Jacobian off by 1e-8", [a, b, c], |t| bad_term(t, 1e-8), Not;
        "linear, offset by hundreds", [[1., 2., 3.], [4., 5.]], |t| linear(t, 0.), Is;
        "linear, one entry of the Jacobian off", [[1., 2., 3.], [4., 5.]], |t| linear(t, 0.1), Not;
    }
}

/// exp(-a·x), and that much more in each entry of its gradient.
fn bad_term(t: &[Tensor], offset: f64) -> Result<Tensor> {
    let mut sum = t[0].sum_all()?.zeros_like()?;
    for (k, x) in t.iter().enumerate() {
        let a = Tensor::new(pos(9)[k..k + x.elem_count()].to_vec(), CPU)?;
        let x = back(x, move |g| g + offset)?;
        sum = (sum + x.mul(&a.to_dtype(x.dtype())?)?.sum_all()?)?;
    }
    sum.neg()?.exp()
}

fn linear(t: &[Tensor], offset: f64) -> Result<Tensor> {
    let matrix = |values: &[f64], columns| Tensor::new(values, CPU)?.reshape((3, columns));
    let (j0, j1) = (
        matrix(&[1., 2., 3., 4., 5., 6., 7., 8., 9.], 3)?,
        matrix(&[10., 11., 12., 13., 14., 15.], 2)?,
    );
    let x0 = back(&t[0], move |g| {
        g + Tensor::new(&[offset, 0., 0.], CPU)?.to_dtype(g.dtype())?
    })?;
    let product =
        |j: Tensor, x: &Tensor| j.to_dtype(x.dtype())?.matmul(&x.unsqueeze(1)?)?.squeeze(1);
    let y = (product(j0, &x0)? + product(j1, &t[1])?)?;
    &y + Tensor::new(&[100., 200., 300.], CPU)?.to_dtype(y.dtype())?
}

fn tensorflow(all: &mut Vec<Case>) {
    cases! { all, "TensorFlow";
        "x + 2 in a shape", [[3.; 6]], |t| t[0].reshape((2, 3))? + 2., Is;
        "rows gathered", [v(8)], |t| t[0].reshape((4, 2))?.index_select(&Tensor::new(&[1u32, 3], CPU)?, 0), Is;
        "gathered twice", [v(16)], |t| {
            let y = t[0].reshape((8, 2))?.index_select(&Tensor::new(&[1u32, 3, 5, 6], CPU)?, 0)?;
            y.index_select(&Tensor::new(&[0u32, 2], CPU)?, 0)
        }, Is;
        "a gradient of NaN", [[0.7]], |t| back(&t[0], |g| g * f64::NAN), NonFinite;
        "no elements", [[]], |t| t[0].reshape((0, 3))? * 1., Zero;
        "a product of no rows", [[], v(12)], |t| t[0].reshape((0, 3))?.matmul(&t[1].reshape((3, 4))?), Zero;
        "a two-layer net with cross entropy", [v(12), v(20), v(5), v(15), v(3)], |t| {
            let hidden = t[0].reshape((3, 4))?.matmul(&t[1].reshape((4, 5))?)?;
            let hidden = hidden.broadcast_add(&t[2])?.relu()?;
            let logits = hidden.matmul(&t[3].reshape((5, 3))?)?.broadcast_add(&t[4])?;
            loss::cross_entropy(&logits, &Tensor::new(&[2u32, 0, 1], CPU)?)
        }, Is;
    }
}

fn jax(all: &mut Vec<Case>) {
    cases! { all, "JAX";
        "floor, ceil and round in 0.1..0.4", [[0.1, 0.2, 0.33, 0.39]], |t| (t[0].floor()? + t[0].ceil()?)? + t[0].round()?, Zero;
        "neg", [v(4)], |t| t[0].neg(), Is;
        "exp2", [v(4)], |t| (&t[0] * 2f64.ln())?.exp(), Is;
        "log1p", [pos(4)], |t| (&t[0] + 1.)?.log(), Is;
        "sinh", [v(4)], |t| cosh(&t[0], -1.), Is;
        "cosh", [v(4)], |t| cosh(&t[0], 1.), Is;
        "tan", [[-1.3, -0.5, 0.2, 1.3]], |t| tan(&t[0]), Is;
        "erf", [v(4)], |t| t[0].erf(), Is;
        "pow of two inputs", [pos(4), pos(4)], |t| t[0].pow(&t[1]), Is;
        "rsqrt", [pos(4)], |t| t[0].sqrt()?.recip(), Is;
        "cbrt", [pos(4)], |t| t[0].powf(1. / 3.), Is;
        "logistic", [v(4)], |t| ops::sigmoid(&t[0]), Is;
        "div", [v(4), pos(4)], |t| &t[0] / &t[1], Is;
        "max", [v(4), pos(4)], |t| t[0].maximum(&t[1]), Is;
        "max of equals", [[1., 2.], [1., 3.]], |t| t[0].maximum(&t[1]), No;
        "min of equals", [[1., 2.], [1., 3.]], |t| t[0].minimum(&t[1]), No;
        "sinh at 0", [[0.]], |t| cosh(&t[0], -1.), Is;
        "cosh at 0", [[0.]], |t| cosh(&t[0], 1.), Zero;
        "tanh at 0 and 1000", [[0., 1000.]], |t| t[0].tanh(), Is;
        "sin at 0, π, π/2, π/4", [[0., PI, FRAC_PI_2, FRAC_PI_4]], |t| t[0].sin(), Is;
        "cos at 0, π, π/2, π/4", [[0., PI, FRAC_PI_2, FRAC_PI_4]], |t| t[0].cos(), Is;
        "erf at 0", [[0.]], |t| t[0].erf(), Is;
        "erf at 10", [[10.]], |t| t[0].erf(), Zero;
        "erfc at 10", [[10.]], |t| t[0].erf()?.affine(-1., 1.), Zero, Verdict::Inconclusive;
        "clamp between x ± 10", [v(4)], |t| t[0].clamp(-10., 10.), Is;
        "concatenate", [v(3), v(1), v(4)], |t| Tensor::cat(&[&t[0], &t[1], &t[2]], 0), Is;
        "conv with strides", [v(24), v(8)], |t| t[0].reshape((1, 2, 3, 4))?.conv2d(&t[1].reshape((2, 2, 1, 2))?, 0, 1, 1, 1), Is;
        "f64 by way of f32", [v(4)], |t| t[0].to_dtype(DType::F32)?.to_dtype(t[0].dtype()), Zero, Verdict::Imprecise;
        "logsumexp", [v(6)], |t| t[0].reshape((2, 3))?.log_sum_exp(1), Is;
        "cumsum", [v(6)], |t| t[0].reshape((2, 3))?.cumsum(1), Is;
        "softmax", [v(6)], |t| ops::softmax(&t[0].reshape((2, 3))?, 1), Is;
        "where", [v(4), pos(4)], |t| Tensor::new(&[1u8, 0, 0, 1], CPU)?.where_cond(&t[0], &t[1]), Is;
    }
}

fn hips(all: &mut Vec<Case>) {
    cases! { all, "HIPS autograd";
        "3|x| at ±1.1", [[1.1, -1.1]], |t| t[0].abs()? * 3., Is;
        "3 sign(x) at ±1.1", [[1.1, -1.1]], |t| t[0].sign()? * 3., Zero;
        "(x + sin x²) x at 1.3", [[1.3]], |t| (&t[0] + t[0].sqr()?.sin()?)? * &t[0], Is;
        "x²/y", [v(3), pos(3)], |t| t[0].sqr()? / &t[1], Is;
        "x^0 at 0, whose gradient is 0 · 0^-1 in candle", [[0.]], |t| t[0].powf(0.), NonFinite;
        "x² by powf at 0", [[0.]], |t| t[0].powf(2.), Zero;
        "variance", [v(6)], |t| t[0].reshape((2, 3))?.var(1), Is;
        "the norm", [v(4)], |t| t[0].sqr()?.sum_all()?.sqrt(), Is;
        "the norm at 0", [[0., 0.]], |t| t[0].sqr()?.sum_all()?.sqrt(), NonFinite;
        "the largest of a row", [v(6)], |t| t[0].reshape((2, 3))?.max(D::Minus1), Is;
        "outer product", [v(2), v(3)], |t| t[0].unsqueeze(1)?.broadcast_mul(&t[1].unsqueeze(0)?), Is;
        "an input used four times", [v(3)], |t| (&t[0] * &t[0])? + (&t[0] * t[0].exp()?)?, Is;
    }
}

fn julia(all: &mut Vec<Case>) {
    cases! { all, "FiniteDifferences.jl";
        "sin at 1", [[1.]], |t| t[0].sin(), Is;
        "√(x + 1) at 1", [[1.]], |t| (&t[0] + 1.)?.sqrt(), Is;
        "log at 0.001", [[0.001]], |t| t[0].log(), Is;
        "|x| at 0.001", [[0.001]], |t| t[0].abs(), Is;
        "4x³ + 3x² + 2x + 1 at 1", [[1.]], |t| ((t[0].powf(3.)? * 4.)? + (t[0].sqr()? * 3.)?)? + (&t[0] * 2.)?, Is;
    }
    cases! { all, "ChainRulesTestUtils";
        "2x, rule 2", [[2.1]], |t| &t[0] * 2., Is;
        "2x, rule 3", [[2.1]], |t| back(&(&t[0] * 2.)?, |g| g * 1.5), Not;
        "the first of two", [v(4), v(4)], |t| &t[0] * 1., Is;
        "(x, 2x)", [v(4)], |t| Tensor::stack(&[&t[0], &(&t[0] * 2.)?], 0), Is;
        "x + √ε, with the gradient of x", [[2.1]], |t| &t[0] + f64::EPSILON.sqrt(), Is;
        "200 times, where it is accumulated", [v(4)], |t| back(&t[0], |g| g * 200.), Not;
        "the second argument's rule alone is wrong", [v(4), v(4)], |t| &t[0] * back(&t[1], |g| g * 0.5)?, Not;
        "a rule that gives zero", [v(4)], |t| t[0].detach().sin()? + (&t[0] * 0.)?, Not;
    }
}

fn numdifftools(all: &mut Vec<Case>) {
    cases! { all, "numdifftools";
        "Rosenbrock at 2, 3", [[2., 3.]], |t| {
            let (x, y) = (t[0].get(0)?, t[0].get(1)?);
            ((y - x.sqr()?)?.sqr()? * 105.)? + x.affine(-1., 1.)?.sqr()?
        }, Is;
        "∞", [[0.]], |t| (t[0].ones_like()? * f64::INFINITY)? + &t[0], NonFinite;
        "cos at 2.2e-14 and 8.94", [[2.220446e-14, 8.9428143931508, 7.65645472]], |t| t[0].cos(), Is;
        "x³ at 0", [[0.]], |t| (&t[0] * &t[0])? * &t[0], Zero;
        "x³ at 2", [[2.; 6]], |t| (&t[0] * &t[0])? * &t[0], Is;
        "x, x², x³ at -1000", [[-1000.]], |t| Tensor::stack(&[&t[0], &t[0].sqr()?, &t[0].powf(3.)?], 0), Is;
        "xyz + y exp x", [[3., 5., 7.]], |t| {
            let (x, y, z) = (t[0].get(0)?, t[0].get(1)?, t[0].get(2)?);
            ((&x * &y)? * z)? + x.exp()? * y
        }, Is;
        "squared residuals where they vanish", [[1., 2., 0.75]], |t| {
            let x = Tensor::arange(0f64, 10., CPU)?.affine(0.1, 0.)?.to_dtype(t[0].dtype())?;
            let model = |a: &Tensor, b: &Tensor, c: &Tensor| {
                a.broadcast_add(&b.broadcast_mul(&c.broadcast_mul(&x)?.exp()?)?)
            };
            let y = model(&Tensor::new(1., CPU)?, &Tensor::new(2., CPU)?, &Tensor::new(0.75, CPU)?);
            let y = match t[0].dtype() {
                DType::F64 => y?,
                dtype => ((x.affine(0.75, 0.)?.exp()? * 2.)? + 1.)?.to_dtype(dtype)?,
            };
            (model(&t[0].get(0)?, &t[0].get(1)?, &t[0].get(2)?)? - y)?.sqr()
        }, Zero;
    }
}

fn pytorch(all: &mut Vec<Case>) {
    cases! { all, "PyTorch";
        "(2x + y, 3x + y)", [v(4), v(4)], |t| Tensor::stack(&[((&t[0] * 2.)? + &t[1])?, ((&t[0] * 3.)? + &t[1])?], 0), Is;
        "a backward pass that leaves the output's gradient out", [[0.6]], |t| {
            back(&t[0], |g| g.ones_like()? * 1.)? * 1.
        }, Not;
        "a hook that adds 1e-2", [v(4)], |t| back(&t[0].clone(), |g| g + 1e-2), Not;
        "a cut branch in a sum", [v(4)], |t| t[0].sqr()?.detach() + (&t[0] * 1e-3)?, Not;
        "addmm", [v(4), v(6), v(6)], |t| t[0].reshape((2, 2))? + t[1].reshape((2, 3))?.matmul(&t[2].reshape((3, 2))?)?, Is;
        "bmm", [v(12), v(12)], |t| t[0].reshape((2, 2, 3))?.matmul(&t[1].reshape((2, 3, 2))?), Is;
        "gelu, whose constants candle rounds", [v(4)], |t| t[0].gelu_erf(), Not;
        "gelu by tanh, the same", [v(4)], |t| t[0].gelu(), Not;
        "silu", [v(4)], |t| t[0].silu(), Is;
        "elu", [v(4)], |t| t[0].elu(1.3), Is;
        "relu at 0", [[0., 1.]], |t| t[0].relu(), No;
        "log_softmax", [v(6)], |t| ops::log_softmax(&t[0].reshape((2, 3))?, 1), Is;
        "nll", [v(6)], |t| loss::nll(&t[0].reshape((2, 3))?, &Tensor::new(&[2u32, 0], CPU)?), Is;
        "mse", [v(4), pos(4)], |t| loss::mse(&t[0], &t[1]), Is;
        "layer norm", [v(8)], |t| {
            let x = t[0].reshape((2, 4))?;
            let x = x.broadcast_sub(&x.mean_keepdim(1)?)?;
            x.broadcast_div(&(x.sqr()?.mean_keepdim(1)? + 1e-5)?.sqrt()?)
        }, Is;
        "conv1d", [v(10), v(6)], |t| t[0].reshape((1, 2, 5))?.conv1d(&t[1].reshape((1, 2, 3))?, 1, 1, 1, 1), Is;
        "conv_transpose2d", [v(8), v(8)], |t| {
            t[0].reshape((1, 2, 2, 2))?.conv_transpose2d(&t[1].reshape((2, 1, 2, 2))?, 0, 0, 1, 1)
        }, Is;
        "avg_pool2d", [v(16)], |t| t[0].reshape((1, 1, 4, 4))?.avg_pool2d(2), Is;
        "max_pool2d, whose candle gradient the audit finds wrong", [v(16)], |t| t[0].reshape((1, 1, 4, 4))?.max_pool2d(2), Not;
        "gather", [v(6)], |t| t[0].reshape((2, 3))?.gather(&Tensor::new(&[[0u32, 0], [2, 1]], CPU)?, 1), Is;
        "index_add", [v(6), v(4)], |t| {
            t[0].reshape((3, 2))?.index_add(&Tensor::new(&[1u32, 1], CPU)?, &t[1].reshape((2, 2))?, 0)
        }, Is;
        "repeat", [v(4)], |t| t[0].reshape((2, 2))?.repeat((2, 3)), Is;
        "roll", [v(4)], |t| t[0].roll(1, 0), Is;
        "chunk", [v(6)], |t| Ok(t[0].reshape((2, 3))?.chunk(2, 0)?[1].clone()), Is;
        "permuted and flattened", [v(12)], |t| t[0].reshape((2, 3, 2))?.permute((2, 0, 1))?.flatten_all(), Is;
        "pad", [v(4)], |t| t[0].reshape((2, 2))?.pad_with_zeros(1, 1, 2), Is;
    }
}

fn burn(all: &mut Vec<Case>) {
    cases! { all, "burn";
        "a product with |x|, one of them 0", [[0., -1., 3., 4.], [6., 7., 9., -10.]], |t| {
            t[0].reshape((2, 2))?.matmul(&t[1].reshape((2, 2))?.abs()?)
        }, Is;
        "relu of a product", [[1., 7., -2., -3.], [4., -7., 2., 3.]], |t| {
            t[0].reshape((2, 2))?.matmul(&t[1].reshape((2, 2))?)?.relu()
        }, Is;
        "recip", [[2., 5., 0.4]], |t| t[0].recip(), Is;
        "sign of a product", [[0.5, 1.7], [3., -2.]], |t| (&t[0] * &t[1])?.sign(), Zero;
        "masked", [v(4)], |t| Tensor::new(&[1u8, 0, 0, 1], CPU)?.where_cond(&(t[0].zeros_like()? + 2.)?, &t[0]), Is;
        "a slice assigned", [v(6), v(2)], |t| t[0].reshape((3, 2))?.slice_scatter(&t[1].reshape((1, 2))?, 0, 1), Is;
        "the mean of a square of a transpose", [v(6)], |t| t[0].reshape((2, 3))?.t()?.sqr()?.mean_all(), Is;
        "softmax of a product", [v(4), v(4)], |t| {
            ops::softmax(&t[0].reshape((2, 2))?.matmul(&t[1].reshape((2, 2))?)?, 1)
        }, Is;
    }
}

fn all() -> Vec<Case> {
    let mut all = Vec::new();
    for suite in [
        chainer,
        ceres,
        tensorflow,
        jax,
        hips,
        julia,
        numdifftools,
        pytorch,
        burn,
    ] {
        suite(&mut all);
    }
    all
}

fn verdict(case: &Case, dtype: DType, factor: Option<f64>) -> Result<Verdict> {
    let inputs = case
        .inputs
        .iter()
        .map(|x| Tensor::new(&x[..], CPU)?.to_dtype(dtype));
    let f = |t: &[Tensor]| match factor {
        Some(k) => back(&(case.f)(t)?, move |g| g * k),
        None => (case.f)(t),
    };
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    Ok(gradcheck(f, &inputs, &Options::default())?.verdict())
}

fn agrees(right: Right, found: Verdict) -> bool {
    match right {
        Is | Zero => found == Verdict::Pass,
        No => found == Verdict::Kink,
        NonFinite => found == Verdict::NonFinite,
        Not => matches!(
            found,
            Verdict::Wrong | Verdict::Severed | Verdict::Imprecise
        ),
    }
}

#[test]
fn the_peers_cases() {
    let cases = all();
    let (mut wrong, mut by_peer) = (Vec::new(), BTreeMap::<&str, [usize; 3]>::new());
    for case in &cases {
        let name = format!("{}: {}", case.peer, case.name);
        let f64 = verdict(case, DType::F64, None).unwrap();
        let expected = case
            .known
            .map_or(agrees(case.right, f64), |known| f64 == known);
        if !expected {
            wrong.push(format!("{name}: {f64}"));
        }
        if !agrees(case.right, f64) {
            println!("not the right answer: {name}: {f64}");
        }
        let counts = by_peer.entry(case.peer).or_default();
        counts[0] += 1;
        counts[1] += usize::from(agrees(case.right, f64));
        if matches!(case.right, Is | Zero) {
            let f32 = verdict(case, DType::F32, None).unwrap();
            counts[2] += usize::from(f32 == Verdict::Pass);
            if f32.is_defect() {
                wrong.push(format!("{name} in f32: {f32}"));
            }
        }
        if case.right == Is {
            let scaled = verdict(case, DType::F64, Some(1.01)).unwrap();
            if !agrees(Not, scaled) {
                wrong.push(format!("{name}, 1% too large: {scaled}"));
            }
        }
    }
    println!("| peer | cases | answered right in f64 | passes in f32 |\n|---|---:|---:|---:|");
    for (peer, [cases, right, f32]) in by_peer {
        println!("| {peer} | {cases} | {right} | {f32} |");
    }
    assert!(
        cases.len() > 100 && wrong.is_empty(),
        "{}",
        wrong.join("\n")
    );
}

/// What the peers refuse without a verdict, and what depends on more than the point.
#[test]
fn the_peers_refusals() {
    let x = Tensor::new(&[0.5, -1.5, 2.], CPU).unwrap();
    let check = |f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
        gradcheck(f, std::slice::from_ref(&x), &Options::default())
    };
    // PyTorch: no differentiable output; an output whose shape or dtype depends on the values.
    assert!(check(&|t| t[0].ge(0.)).is_err());
    let calls = AtomicU64::new(0);
    let call = || calls.fetch_add(1, Ordering::Relaxed);
    assert!(check(&|t| t[0].narrow(0, 0, 2 + (call() % 2) as usize)).is_err());
    let empty = |t: &[Tensor]| {
        t[0].unsqueeze(0)?
            .apply_op1(Back(|g: &Tensor| g.t()?.contiguous()))
    };
    assert!(check(&empty).unwrap().verdict().is_defect());
    // PyTorch: a backward pass that is not the same twice.
    let report = check(&|t| {
        let n = calls.fetch_add(1, Ordering::Relaxed) as f64;
        t[0].apply_op1(Back(move |g: &Tensor| g * (1. + n)))
    });
    assert!(report.unwrap().verdict().is_defect());
    // PyTorch #59615: in fast mode, one wrong entry.
    let one = |g: &Tensor| g + (g * Tensor::new(&[0., 1e-3, 0.], CPU)?)?;
    let f = |t: &[Tensor]| t[0].apply_op1(Back(one))?.sin();
    let options = Options::default().mode(Mode::Fast);
    let report = gradcheck(f, std::slice::from_ref(&x), &options).unwrap();
    assert_eq!(report.verdict(), Verdict::Wrong, "{report}");
    // TensorFlow: an empty gradient of another shape. Chainer, PyTorch: no inputs.
    assert!(gradcheck(|t| Ok(t[0].clone()), &[], &Options::default()).is_err());
}
