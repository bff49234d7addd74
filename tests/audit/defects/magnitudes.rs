//! Trains wrong or loses precision at magnitudes of its own: what the range finds.

use candle_core::{DType, Module, Tensor};
use candle_nn::{Activation, ops};

use super::{DEFECT, Defect, Is::*, Kind::*, Of::*, batch_norm, bf16, f16, f32, in_f32, t};

#[rustfmt::skip]
pub const ALL: &[Defect] = &[
    Defect {
        name: "silu-large", kind: SilentWrong,
        test: "silu_of_a_large_element_has_a_gradient_of_0_or_2",
        what: "the gradient alternates between 0 and 2 times what it should be; in swiglu too",
        when: "large elements: sigmoid (1 - y) + y no longer holds the 1",
        from: &[(DType::F64, 9007199254740994.0), (DType::F32, 16777218.0), (DType::BF16, 258.0), (DType::F16, 2050.0)],
        x: bf16(&[258., 260.], &[2]), of: Gradient,
        candle: |x| x.silu(),
        is: Numbers(&[2., 0.]), should_be: &[1., 1.], within: 0.01,
        torch: "F.silu(x)",
        instead: "x * candle_nn::ops::sigmoid(x), in f32",
        right: |x| in_f32(x, |x| x * ops::sigmoid(x)?),
        cause: ("candle-core/src/backprop.rs:645", "let silu_grad = &sigmoid_arg * (1. - *node) + *node;"),
        ..DEFECT
    },
    Defect {
        name: "upstream-times-x", kind: SilentWrong,
        test: "hard_swish_overflows_under_a_loss_scale",
        what: "the gradient is NaN: the gradient from above times x overflows before it meets a slope of 0",
        when: "an upstream gradient of 2^10, as a loss scale makes it: x * f(x) is differentiated as a product. \
            mish of negative elements too",
        from: &[(DType::F32, 3.323e+35), (DType::BF16, 3.323e+35), (DType::F16, 64.0)],
        x: f16(&[100.], &[1]), of: Gradient,
        candle: |x| Activation::HardSwish.forward(x)? * 1024.,
        is: Numbers(&[f64::NAN]), should_be: &[1024.], within: 10.0,
        torch: "F.hardswish(x) * 1024",
        instead: "in f32",
        right: |x| in_f32(x, |x| Activation::HardSwish.forward(x))? * 1024.,
        cause: ("candle-nn/src/activation.rs:43", "Self::HardSwish => xs * crate::ops::hard_sigmoid(xs)?,"),
        ..DEFECT
    },
    Defect {
        name: "recip-square", kind: SilentWrong,
        test: "recip_of_a_large_element_has_a_gradient_of_0",
        what: "the gradient is 0",
        when: "large elements: their square leaves the type, though the gradient, 1/x^2, does not; a number \
            divided by a tensor too",
        from: &[(DType::F64, 1.341e+154), (DType::F32, 1.845e+19), (DType::BF16, 1.845e+19), (DType::F16, 256.0)],
        x: f16(&[300.], &[1]), of: Gradient,
        candle: |x| x.recip(),
        is: Numbers(&[0.]), should_be: &[-1.108646e-05], within: 1e-06,
        torch: "x.reciprocal()",
        instead: "powf(-1.)",
        right: |x| x.powf(-1.),
        cause: ("candle-core/src/backprop.rs:569", "let grad = (grad / arg.sqr()?)?;"),
        ..DEFECT
    },
    Defect {
        name: "sqrt-halved-late", kind: SilentWrong,
        test: "sqrt_of_a_small_element_overflows_under_a_loss_scale",
        what: "the gradient is infinite",
        when: "f16, small elements and an upstream gradient far above 1, as of 2^10: it is halved only after the \
            division",
        below: &[(DType::F16, 0.0002444)],
        x: f16(&[0.0001], &[1]), of: Gradient,
        candle: |x| x.sqrt()? * 1024.,
        is: Numbers(&[f64::INFINITY]), should_be: &[51200.], within: 500.0,
        torch: "x.sqrt() * 1024",
        instead: "in f32",
        right: |x| in_f32(x, Tensor::sqrt)? * 1024.,
        cause: ("candle-core/src/backprop.rs:703", "let arg_grad = grad.div(node)?.affine(0.5, 0.)?;"),
        ..DEFECT
    },
    Defect {
        name: "powf-factor-late", kind: SilentWrong,
        test: "powf_of_a_small_element_overflows_under_a_loss_scale",
        what: "the gradient is infinite",
        when: "f16, exponent 0.5, small elements and an upstream gradient far above 1, as of 2^10: the exponent \
            is multiplied last",
        below: &[(DType::F16, 0.00024414)],
        x: f16(&[0.0001], &[1]), of: Gradient,
        candle: |x| x.powf(0.5)? * 1024.,
        is: Numbers(&[f64::INFINITY]), should_be: &[51200.], within: 500.0,
        torch: "x.pow(0.5) * 1024",
        instead: "in f32",
        right: |x| in_f32(x, |x| x.powf(0.5))? * 1024.,
        cause: ("candle-core/src/backprop.rs:660", "let arg_grad = (&(grad * arg.powf(e - 1.)?)? * *e)?;"),
        ..DEFECT
    },
    Defect {
        name: "pow-rounded", kind: SilentWrong,
        test: "pow_rounds_its_logarithm",
        what: "the gradient is 0, infinite or a tenth off, the value in bf16 off too: exp(y log x) rounds y log \
            x, and its backward passes through y x^y / x",
        when: "x^y or its product with the upstream gradient near the ends of the type; in f16 also 189^2; in \
            bf16 whenever y log x is large",
        x: f16(&[200.], &[1]), of: Gradient,
        candle: |x| x.pow(&t(&[2.], &[1])?.to_dtype(DType::F16)?),
        is: Numbers(&[f64::INFINITY]), should_be: &[400.], within: 10.0,
        torch: "x.pow(torch.tensor([2.], dtype=torch.float16))",
        instead: "in f32",
        right: |x| in_f32(x, |x| x.pow(&t(&[2.], &[1])?)),
        cause: ("candle-core/src/tensor.rs:2935", "rhs.mul(&self.log()?)?.exp()"),
        ..DEFECT
    },
    Defect {
        name: "mean-overflow", kind: SilentWrong,
        test: "mean_overflows_before_it_divides",
        what: "the value is infinite: the sum overflows before it is divided",
        when: "f16, elements that add up to more than 65504",
        from: &[(DType::F16, 16384.0)],
        x: f16(&[30000.; 3], &[3]), of: Value,
        candle: |x| x.mean(0),
        is: Numbers(&[f64::INFINITY]), should_be: &[30000.], within: 100.0,
        torch: "x.mean(0)",
        instead: "the mean in f32",
        right: |x| in_f32(x, |x| x.mean(0)),
        cause: ("candle-core/src/tensor.rs:1068", "self.sum_impl(mean_dims, false)? * scale"),
        ..DEFECT
    },
    Defect {
        name: "var-overflow", kind: SilentWrong,
        test: "var_overflows_before_it_divides",
        what: "the value is infinite, the gradient infinite or NaN: the squares are added before they are \
            divided, and the mean overflows",
        when: "deviations whose squares add up to more than the type holds; in f16 from 106 with an upstream \
            gradient of 2^10",
        from: &[(DType::F32, 1.332e+19), (DType::BF16, 1.333e+19), (DType::F16, 184.9)],
        x: f16(&[-200., 0., 200.], &[3]), of: Value,
        candle: |x| x.var(0),
        is: Numbers(&[f64::INFINITY]), should_be: &[40000.], within: 100.0,
        torch: "x.var(0)",
        instead: "in f32",
        right: |x| in_f32(x, |x| x.var(0)),
        cause: ("candle-core/src/tensor.rs:1076", "squares.sum_impl(dim, true)? / (self.dim(dim)? - 1) as f64"),
        ..DEFECT
    },
    Defect {
        name: "norm-square", kind: SilentWrong,
        test: "norm_overflows_in_its_squares",
        what: "the gradient is 0, infinite or off, the value infinite or off: the squares leave the type",
        when: "f16, a norm above 256, or small elements; with an upstream gradient of 2^10 below 0.0112",
        below: &[(DType::F32, 2.647e-23), (DType::BF16, 6.776e-21), (DType::F16, 0.0003452)],
        x: f16(&[300., 400.], &[2]), of: Gradient,
        candle: |x| x.norm(),
        is: Numbers(&[0., 0.]), should_be: &[0.6000977, 0.7998047], within: 0.01,
        torch: "torch.linalg.vector_norm(x)",
        instead: "in f32, divided by its largest element first",
        right: |x| in_f32(x, |x| {
            let largest = x.abs()?.max_all()?.detach();
            x.broadcast_div(&largest)?.norm()? * largest
        }),
        cause: ("candle-core/src/tensor.rs:1458", "self.sqr().and_then(|x| x.sum_all()).and_then(|x| x.sqrt())"),
        ..DEFECT
    },
    Defect {
        name: "batch-norm-sum", kind: SilentWrong,
        test: "batch_norm_overflows_in_the_sum_of_a_channel",
        what: "the gradient is NaN: the sum over a channel overflows",
        when: "f32, the elements of a channel add up to more than the type holds; the value is infinite then, in \
            PyTorch too",
        from: &[(DType::F32, 5.671e+37)],
        x: f32(&[1e38; 4], &[4, 1]), of: Gradient,
        candle: |x| batch_norm()?.forward_train(x)? * t(&[1., -1., 1., -1.], &[4, 1])?,
        is: Numbers(&[f64::NAN; 4]), should_be: &[316.2278, -316.2278, 316.2278, -316.2278], within: 0.1,
        torch: "F.batch_norm(x, None, None, torch.ones(1), torch.zeros(1), True, 0.1, 1e-5) * torch.tensor([[1.], \
            [-1.], [1.], [-1.]])",
        instead: "take a constant near the mean off first",
        right: |x| {
            let near_the_mean = x.flatten_all()?.narrow(0, 0, 1)?.detach();
            let x = x.broadcast_sub(&near_the_mean)?;
            batch_norm()?.forward_train(&x)? * t(&[1., -1., 1., -1.], &[4, 1])?
        },
        cause: ("candle-nn/src/batch_norm.rs:223", "let mean_x = x.mean_keepdim(1)?;"),
        ..DEFECT
    },
    Defect {
        name: "sigmoid-half", kind: Precision,
        test: "sigmoid_in_f16_is_0_below_minus_11",
        what: "the tail is lost: e^-x overflows, and the value and the gradient are 0; in swiglu too",
        when: "f16, elements below -11.09; the gradient loses digits before",
        x: f16(&[-12.], &[1]), of: Value,
        candle: |x| ops::sigmoid(x),
        is: Numbers(&[0.]), should_be: &[6.139278e-06], within: 1e-06,
        torch: "x.sigmoid()",
        instead: "in f32",
        right: |x| in_f32(x, ops::sigmoid),
        cause: ("candle-nn/src/ops.rs:59", "fn fwd<T: num_traits::Float>(v: T) -> T {"),
        ..DEFECT
    },
    Defect {
        name: "silu-tail", kind: Precision,
        test: "silu_in_bf16_loses_the_gradient_of_its_tail",
        what: "the gradient of the negative tail is lost in the rounding of its terms",
        when: "bf16, negative elements",
        x: bf16(&[-1.234375], &[1]), of: Gradient,
        candle: |x| x.silu(),
        is: Numbers(&[0.01171875]), should_be: &[0.009887695], within: 0.001,
        torch: "F.silu(x)",
        instead: "x * candle_nn::ops::sigmoid(x), in f32",
        right: |x| in_f32(x, |x| x * ops::sigmoid(x)?),
        cause: ("candle-core/src/backprop.rs:645", "let silu_grad = &sigmoid_arg * (1. - *node) + *node;"),
        ..DEFECT
    },
    Defect {
        name: "gelu-tail", kind: Precision,
        test: "gelu_in_bf16_loses_the_gradient_of_its_tail",
        what: "the gradient of the negative tail is lost in the rounding of its terms, in f16 the value too",
        when: "bf16 and f16, negative elements: PyTorch computes them in f32",
        x: bf16(&[-4.], &[1]), of: Gradient,
        candle: |x| x.gelu(),
        is: Numbers(&[0.]), should_be: &[-0.0003356934], within: 0.0001,
        torch: "F.gelu(x, approximate=\"tanh\")",
        instead: "in f32",
        right: |x| in_f32(x, Tensor::gelu),
        cause: ("candle-core/src/backprop.rs:614", "let gelu_grad = (((0.5 * &tanh)?"),
        ..DEFECT
    },
    Defect {
        name: "gelu-erf-tail", kind: Precision, shows: &["wrong"],
        test: "gelu_erf_loses_the_gradient_of_its_tail",
        what: "the gradient of the negative tail is lost in the rounding of its terms",
        when: "negative elements: from -8.6 in f64, -5.7 in f32, -0.73 in bf16 and -0.75 in f16",
        x: f16(&[-0.734375], &[1]), of: Gradient,
        candle: |x| x.gelu_erf(),
        is: Numbers(&[0.0078125]), should_be: &[0.0076332092], within: 0.0001,
        torch: "F.gelu(x)",
        instead: "in f32, for the two half types",
        right: |x| in_f32(x, Tensor::gelu_erf),
        cause: ("candle-core/src/backprop.rs:633", "let gelu_erf_grad = (0.5 + scaled_exp_arg + erf_scaled_sqrt)?;"),
        ..DEFECT
    },
    Defect {
        name: "elu-value", kind: Precision,
        test: "elu_of_a_small_negative_element_is_lost",
        what: "the value of small negative elements is lost: e^x - 1 cancels, and is 0 in the end",
        when: "negative elements nearer to 0 than the type's rounding of 1 times ten",
        below: &[(DType::F64, 5.05e-16), (DType::F32, 2.71e-07), (DType::BF16, 0.01782), (DType::F16, 0.00222)],
        x: f16(&[-0.0003], &[1]), of: Value,
        candle: |x| x.elu(1.),
        is: Numbers(&[-0.0004882812]), should_be: &[-0.0002999306], within: 2e-05,
        torch: "F.elu(x)",
        instead: "in f32, for the two half types",
        right: |x| in_f32(x, |x| x.elu(1.)),
        cause: ("candle-core/src/cpu_backend/mod.rs:1747", "(v.exp() - T::one()) * alpha"),
        ..DEFECT
    },
    Defect {
        name: "elu-slope", kind: Precision,
        test: "elu_loses_the_gradient_of_its_tail",
        what: "the gradient of the tail is lost: it is taken from the rounded value, as y + alpha",
        when: "negative elements: PyTorch keeps e^x",
        from: &[(DType::F64, 35.73), (DType::F32, 15.35), (DType::BF16, 4.031), (DType::F16, 6.113)],
        x: f16(&[-9.], &[1]), of: Gradient,
        candle: |x| x.elu(1.),
        is: Numbers(&[0.]), should_be: &[0.0001233816], within: 2e-05,
        torch: "F.elu(x)",
        instead: "in f32, for the two half types",
        right: |x| in_f32(x, |x| x.elu(1.)),
        cause: ("candle-core/src/backprop.rs:655", "let negative_exp_mask = (negative_mask * (*node + *alpha))?;"),
        ..DEFECT
    },
    Defect {
        name: "selu-value", kind: Precision,
        test: "selu_of_a_small_negative_element_is_lost",
        what: "the value of small negative elements is lost: e^x - 1 cancels",
        when: "negative elements nearer to 0 than 4e-7 (f32)",
        below: &[(DType::F32, 4.001e-07)],
        x: f32(&[-1e-8], &[1]), of: Value,
        candle: |x| ops::selu(x, 1.6732632, 1.050701),
        is: Numbers(&[0.]), should_be: &[-1.758099e-08], within: 1e-09,
        torch: "F.selu(x)",
        instead: "xs.elu(alpha)? * gamma in f64, which keeps the tail of the gradient down to -36",
        right: |x| (x.to_dtype(DType::F64)?.elu(1.67326324)? * 1.05070098)?.to_dtype(DType::F32),
        cause: ("candle-nn/src/ops.rs:238", "let neg = xs.exp()?.mul(&alpha_t)?.sub(&alpha_t)?;"),
        ..DEFECT
    },
    Defect {
        name: "mish-tail", kind: Precision,
        test: "mish_loses_its_tail",
        what: "the negative tail is lost, in the value and in the gradient: 1 + e^x rounds to 1",
        when: "negative elements: the value from -35.4 in f64, -14.7 in f32, -3.3 in bf16 and -5.4 in f16",
        x: f16(&[-8.], &[1]), of: Value,
        candle: |x| ops::mish(x),
        is: Numbers(&[0.]), should_be: &[-0.00268364], within: 0.0001,
        torch: "F.mish(x)",
        instead: "in f32, for the two half types",
        right: |x| in_f32(x, ops::mish),
        cause: ("candle-nn/src/ops.rs:227", "xs * (1.0 + xs.exp()?)?.log()?.tanh()"),
        ..DEFECT
    },
    Defect {
        name: "hard-sigmoid-rounded", kind: Precision,
        test: "hard_sigmoid_halves_the_slope_beside_its_bound",
        what: "the slope is half of what it should be beside the bound, as x + 3 rounds onto it; hard swish loses \
            digits at -1.5 too",
        when: "bf16 from 2.98 to 3.02, f16 from 2.998 to 3.004",
        x: bf16(&[2.984375], &[1]), of: Gradient,
        candle: |x| ops::hard_sigmoid(x),
        is: Numbers(&[0.08349609]), should_be: &[0.1669922], within: 0.01,
        torch: "F.hardsigmoid(x)",
        instead: "in f32",
        right: |x| in_f32(x, ops::hard_sigmoid),
        cause: ("candle-nn/src/ops.rs:223", "((xs + 3.0)? / 6.0)?.clamp(0f32, 1f32)"),
        ..DEFECT
    },
];
