//! Loses precision.

use candle_nn::loss::binary_cross_entropy_with_logit;
use candle_nn::ops;
use std::f64::consts::{PI, SQRT_2};

use super::{DEFECT, Defect, Is::*, Kind::*, Of::*, f32, f64, softplus, t};

#[rustfmt::skip]
pub const ALL: &[Defect] = &[
    Defect {
        name: "gelu-constants", kind: Precision, shows: &["wrong", "imprecise"],
        test: "gelu_has_a_gradient_of_six_digits",
        what: "six correct digits",
        when: "f64",
        x: f64(&[1.], &[1]), of: Gradient,
        candle: |x| x.gelu(),
        is: Numbers(&[1.0829639004263785]), should_be: &[1.08296408384578], within: 1e-09,
        torch: "F.gelu(x, approximate=\"tanh\")",
        instead: "its formula in tensors",
        right: |x| {
            let inner = (x * x.sqr()?.affine(0.044715, 1.)?)?.affine((2. / PI).sqrt(), 0.)?;
            (x * 0.5)? * inner.tanh()?.affine(1., 1.)?
        },
        cause: ("candle-core/src/backprop.rs:613", "let tanh = (0.0356774 * &cube + (0.797885 * arg)?)?.tanh()?;"),
        ..DEFECT
    },
    Defect {
        name: "gelu-erf-constants", kind: Precision, shows: &["wrong", "imprecise"],
        test: "gelu_erf_has_a_gradient_of_six_digits",
        what: "six correct digits",
        when: "f64",
        x: f64(&[1.], &[1]), of: Gradient,
        candle: |x| x.gelu_erf(),
        is: Numbers(&[1.0833153005156202]), should_be: &[1.08331547058769], within: 1e-09,
        torch: "F.gelu(x)",
        instead: "x/2 (1 + erf(x/sqrt 2)) in tensors",
        right: |x| (x * 0.5)? * (x / SQRT_2)?.erf()?.affine(1., 1.)?,
        cause: ("candle-core/src/backprop.rs:630", "let scaled_exp_arg = (0.398942 * neg_half_square.exp()? * arg)?;"),
        ..DEFECT
    },
    Defect {
        name: "layer-norm-variance", kind: Precision, shows: &["forward"],
        test: "layer_norm_loses_digits_beside_a_large_mean",
        what: "the value loses digits: the variance is the difference of two large numbers; at a mean of 1000 and \
            a deviation of 1 it is 0.6% off",
        when: "the mean is large against the deviation",
        x: f32(&[999.1, 1000.2, 1000.9], &[1, 3]), of: Value,
        candle: |x| ops::layer_norm(x, &t(&[1.; 3], &[3])?, &t(&[0.; 3], &[3])?, 1e-5),
        is: Numbers(&[-1.578652, 0.2176763, 1.360776]), should_be: &[-1.30486, 0.1799239, 1.124772], within: 0.001,
        torch: "F.layer_norm(x, (3,), torch.ones(3), torch.zeros(3), 1e-5)",
        instead: "ops::layer_norm_slow",
        right: |x| ops::layer_norm_slow(x, &t(&[1.; 3], &[3])?, &t(&[0.; 3], &[3])?, 1e-5),
        cause: ("candle-nn/src/ops.rs:750", "let var = sum2 / dim_m1 as f32 - mean * mean;"),
        ..DEFECT
    },
    Defect {
        name: "bce-cancellation", kind: Precision, shows: &["forward"],
        test: "binary_cross_entropy_with_logit_loses_digits",
        what: "digits are lost as the logit grows: at 10, two or three of them",
        when: "logits near 10 and beyond, before it saturates",
        x: f32(&[10.], &[1]), of: Value,
        candle: |x| binary_cross_entropy_with_logit(x, &t(&[0.], &[1])?),
        is: Numbers(&[9.999586]), should_be: &[10.00005],
        torch: "F.binary_cross_entropy_with_logits(x, torch.tensor([0.]))",
        instead: "max(x, 0) - x t + log(1 + exp(-|x|))",
        right: |x| (softplus(x)? - (x * t(&[0.], &[1])?)?)?.mean_all(),
        cause: ("candle-nn/src/loss.rs:68",
            "let right_side = (target.affine(-1., 1.))? * inp.affine(-1., 1.)?.log()?;"),
        upstream: "https://github.com/huggingface/candle/issues/2561",
        ..DEFECT
    },
];
