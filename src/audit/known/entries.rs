//! The entries, worst first.

use candle_core::DType;

use super::instead::{self as i, Instead};
use super::{Cause, Known, Pattern, Severity};

const fn cause(krate: &'static str, file: &'static str, line: usize, quote: &'static str) -> Cause {
    Cause {
        krate,
        file,
        line,
        quote,
    }
}

/// The record of candle-core and candle-nn 0.11.1.
pub const ENTRIES: &[Known] = &[
    Known {
        id: "max-pool",
        what: "the gradient is divided by the size of the window",
        when: "kernel equal to stride and larger than 1; where the size does not divide, also misplaced",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::max_pool2d", "wrong")
                .case("kernel (2, 2), stride (2, 2)*"),
            Pattern::on("candle_core::Tensor::max_pool2d", "wrong")
                .case("kernel (2, 1), stride (2, 1)*"),
            Pattern::on("candle_core::Tensor::max_pool2d", "wrong")
                .case("kernel (3, 2), stride (3, 2)*"),
            Pattern::on("candle_core::Tensor::max_pool2d_with_stride", "wrong")
                .case("kernel (2, 2), stride (2, 2)*"),
            Pattern::on("candle_core::Tensor::max_pool2d_with_stride", "wrong")
                .case("kernel (2, 1), stride (2, 1)*"),
            Pattern::on("candle_core::Tensor::max_pool2d_with_stride", "wrong")
                .case("kernel (3, 2), stride (3, 2)*"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            374,
            "let grad_arg = ((grad * avg)?.upsample_nearest2d(h, w)? * mask)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "x.reshape((n, c, h/k, k, w/k, k))?.max(5)?.max(3)?",
            "candle_core::Tensor::max_pool2d",
            "kernel (2, 2), stride (2, 2), 4x4",
            i::max_pool,
        )),
        pytorch: None,
    },
    Known {
        id: "avg-pool-remainder",
        what: "the gradient lands on the wrong elements",
        when: "the height or the width is not a multiple of the kernel",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::avg_pool2d", "wrong")
                .case("kernel (2, 2), stride (2, 2), 5x5"),
            Pattern::on("candle_core::Tensor::avg_pool2d", "wrong")
                .case("kernel (2, 2), stride (2, 2), 4x5"),
            Pattern::on("candle_core::Tensor::avg_pool2d_with_stride", "wrong")
                .case("kernel (2, 2), stride (2, 2), 5x5"),
            Pattern::on("candle_core::Tensor::avg_pool2d_with_stride", "wrong")
                .case("kernel (2, 2), stride (2, 2), 4x5"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            352,
            "let grad_arg = grad.upsample_nearest2d(h, w)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "narrow to a multiple of the kernel first, then contiguous()",
            "candle_core::Tensor::avg_pool2d",
            "kernel (2, 2), stride (2, 2), 5x5",
            i::avg_pool,
        )),
        pytorch: None,
    },
    Known {
        id: "upsample-overwrites",
        what: "the gradient that other uses of the input have accumulated is overwritten",
        when: "the input is used elsewhere too",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::interpolate1d", "wrong")
                .case("3 to *")
                .probe("f(x) + x,f(x) + f(x)"),
            Pattern::on("candle_core::Tensor::upsample_nearest1d", "wrong")
                .case("3 to *")
                .probe("f(x) + x,f(x) + f(x)"),
            Pattern::on("candle_core::Tensor::interpolate2d", "wrong")
                .case("2x3 to 4x6")
                .probe("f(x) + x,f(x) + f(x)"),
            Pattern::on("candle_core::Tensor::interpolate2d", "wrong")
                .case("2x3 to 2x3")
                .probe("f(x) + x,f(x) + f(x)"),
            Pattern::on("candle_core::Tensor::interpolate2d", "wrong")
                .case("2x3 to 6x9")
                .probe("f(x) + x,f(x) + f(x)"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "wrong")
                .case("2x3 to 4x6")
                .probe("f(x) + x,f(x) + f(x)"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "wrong")
                .case("2x3 to 2x3")
                .probe("f(x) + x,f(x) + f(x)"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "wrong")
                .case("2x3 to 6x9")
                .probe("f(x) + x,f(x) + f(x)"),
        ],
        cause: cause("candle-core", "backprop.rs", 409, "*sum_grad = conv_sum;"),
        upstream: Some("https://github.com/huggingface/candle/pull/3507"),
        instead: Some(Instead::new(
            "x.affine(1., 0.)?.upsample_nearest2d(h, w)? (a node of its own)",
            "candle_core::Tensor::upsample_nearest2d",
            "2x3 to 4x6",
            i::upsampled_from_a_fresh_node,
        )),
        pytorch: None,
    },
    Known {
        id: "matmul-fold",
        what: "the product itself is wrong on the CPU: the rows of a transposed batch are taken for adjacent",
        when: "a batch of 2 or more on the left that is a transposed view, the right side broadcast over it: Linear on such an input; conv_transpose1d, and with it the input gradient of conv1d, with two or more channels in (conv1d: out) and without padding, output padding and dilation",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::matmul", "forward")
                .case("a transposed batch, rhs broadcast"),
            Pattern::on("candle_nn::linear::Linear", "forward").case("an input that is a view"),
            Pattern::on("candle_nn::linear::Linear", "forward")
                .case("with bias, input [2, 2, 3]")
                .input("x")
                .probe("transposed"),
            Pattern::on("candle_nn::linear::Linear", "forward")
                .case("with bias, input [2, 1, 2, 3]")
                .input("x")
                .probe("transposed"),
            Pattern::on("candle_nn::linear::Linear", "forward")
                .case("with bias, input [2, 2, 3]")
                .probe("all transposed"),
            Pattern::on("candle_nn::linear::Linear", "forward")
                .case("with bias, input [2, 1, 2, 3]")
                .probe("all transposed"),
            Pattern::on("candle_core::Tensor::conv_transpose1d", "forward")
                .case("b2 c2-3 g1 p0 s? d1 op0 *"),
            Pattern::on("candle_nn::conv::ConvTranspose1d", "forward"),
            Pattern::on("candle_core::Tensor::conv1d", "wrong")
                .case("b2 c2-3 g1 p0 s1 d1 *")
                .input("self"),
            Pattern::on("candle_core::Tensor::conv1d", "wrong")
                .case("b2 c2-3 g1 p0 s2 d1 l6 k2")
                .input("self"),
            Pattern::on("candle_core::Tensor::conv1d", "wrong")
                .case("kernel of 1, p0 s1")
                .input("self"),
        ],
        cause: cause(
            "candle-core",
            "cpu_backend/mod.rs",
            1488,
            "let (b, m, n, k) = if b_skip == 0 && a_skip == m * k {",
        ),
        upstream: Some("https://github.com/huggingface/candle/pull/3758"),
        instead: Some(Instead::new(
            "contiguous() before the product",
            "candle_nn::linear::Linear",
            "an input that is a view",
            i::linear_of_a_copy,
        )),
        pytorch: None,
    },
    Known {
        id: "conv1d-strided-kernel",
        what: "a kernel that is a view is read as if it were contiguous",
        when: "always in the forward; in the backward the kernel gradient, with batch 2 or more and 2 or more output channels a group",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::conv1d", "forward").case("the kernel is a transpose"),
            Pattern::on("candle_core::Tensor::conv1d", "wrong")
                .case("b2 c2-3 g1 *")
                .input("kernel"),
            Pattern::on("candle_core::Tensor::conv1d", "wrong")
                .case("kernel of 1, *")
                .input("kernel"),
            Pattern::on("candle_nn::conv::Conv1d", "wrong")
                .case("batch 2, with bias")
                .input("weight"),
            Pattern::on("candle_core::Tensor::conv1d", "forward")
                .case("b2 c1-1 *")
                .input("kernel")
                .probe("expanded"),
            Pattern::on("candle_core::Tensor::conv1d", "forward")
                .case("b2 c2-3 *")
                .input("kernel")
                .probe("transposed,narrowed,expanded"),
            Pattern::on("candle_core::Tensor::conv1d", "forward")
                .case("b2 c4-2 *")
                .input("kernel")
                .probe("transposed,narrowed,expanded"),
            Pattern::on("candle_core::Tensor::conv1d", "forward")
                .case("b2 c2-2 *")
                .input("kernel")
                .probe("transposed,expanded"),
            Pattern::on("candle_core::Tensor::conv1d", "forward")
                .case("kernel of 1, *")
                .input("kernel")
                .probe("transposed,narrowed,expanded"),
            Pattern::on("candle_core::Tensor::conv1d_with_algo", "forward")
                .input("kernel")
                .probe("transposed,narrowed,expanded"),
            Pattern::on("candle_nn::conv::Conv1d", "forward")
                .input("weight")
                .probe("transposed,narrowed,expanded"),
            Pattern::on("candle_core::Tensor::conv1d", "forward").probe("all transposed"),
            Pattern::on("candle_core::Tensor::conv1d_with_algo", "forward").probe("all transposed"),
            Pattern::on("candle_nn::conv::Conv1d", "forward").probe("all transposed"),
        ],
        cause: cause(
            "candle-core",
            "cpu_backend/mod.rs",
            2869,
            "col.matmul(kernel, (b, m, n, k), &col_l, &kernel_l)?",
        ),
        upstream: Some("https://github.com/huggingface/candle/pull/3836"),
        instead: Some(Instead::new(
            "pad by hand, cut to what the windows reach, then conv2d over a width of 1",
            "candle_core::Tensor::conv1d",
            "b2 c2-3 g1 p1 s2 d1 l5 k2",
            i::conv1d,
        )),
        pytorch: None,
    },
    Known {
        id: "scatter-self",
        what: "the gradient of self is kept where source has overwritten it",
        when: "always",
        severity: Severity::SilentWrong,
        rows: &[Pattern::on("candle_core::Tensor::scatter", "wrong").input("self")],
        cause: cause(
            "candle-core",
            "backprop.rs",
            429,
            "*init_sum_grad = init_sum_grad.add(&grad)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "self times 1 - one_hot(indexes) summed, plus source @ one_hot(indexes)",
            "candle_core::Tensor::scatter",
            "dim 1",
            i::scattered,
        )),
        pytorch: None,
    },
    Known {
        id: "scatter-add-self",
        what: "the gradient of self is removed where source was added",
        when: "indexes as large as self, or repeated",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::scatter_add", "severed")
                .case("everywhere")
                .input("self"),
            Pattern::on("candle_core::Tensor::scatter_add", "wrong")
                .case("dim 1, repeated")
                .input("self"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            439,
            "*init_sum_grad = init_sum_grad.add(&grad.mul(&mask)?)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "add source @ one_hot(indexes)",
            "candle_core::Tensor::scatter_add",
            "dim 1, repeated",
            i::scatter_added,
        )),
        pytorch: None,
    },
    Known {
        id: "unfold-reshape",
        what: "the gradient is given back in the order of the windows",
        when: "the dim is not the last, or the windows overlap and happen to hold as many elements",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::unfold", "wrong")
                .case("dim 0 of [6], size 3, step 2"),
            Pattern::on("candle_core::Tensor::unfold", "wrong")
                .case("dim 0 of [4, 3], size 2, step 2"),
            Pattern::on("candle_core::Tensor::unfold", "wrong")
                .case("dim 1 of [2, 4, 3], size 2, step 2"),
        ],
        cause: cause(
            "candle-core",
            "tensor.rs",
            3000,
            "op: BackpropOp::new1(self, Op::Reshape),",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "index_select with the places of the windows, then reshape",
            "candle_core::Tensor::unfold",
            "dim 1 of [3, 4], size 2, step 1",
            i::unfolded,
        )),
        pytorch: None,
    },
    Known {
        id: "powf-zero",
        what: "the gradient is NaN",
        when: "the exponent is 0 and an element is 0",
        severity: Severity::SilentWrong,
        rows: &[Pattern::on("candle_core::Tensor::powf", "non_finite").case("exponent 0 at 0")],
        cause: cause(
            "candle-core",
            "backprop.rs",
            660,
            "let arg_grad = (&(grad * arg.powf(e - 1.)?)? * *e)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "ones_like",
            "candle_core::Tensor::powf",
            "exponent 0 at 0",
            i::ones,
        )),
        pytorch: None,
    },
    Known {
        id: "norm-zero",
        what: "the gradient is NaN",
        when: "every element is 0",
        severity: Severity::SilentWrong,
        rows: &[Pattern::on("candle_core::Tensor::norm", "non_finite").case("the zero vector")],
        cause: cause(
            "candle-core",
            "tensor.rs",
            1458,
            "self.sqr().and_then(|x| x.sum_all()).and_then(|x| x.sqrt())",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "(x.sqr()?.sum_all()? + 1e-30)?.sqrt()",
            "candle_core::Tensor::norm",
            "the zero vector",
            i::norm_above_zero,
        )),
        pytorch: Some("0: torch.linalg.vector_norm masks the division"),
    },
    Known {
        id: "pow-by-logarithm",
        what: "the value is NaN for a negative base, the gradient NaN at 0",
        when: "a base that is not positive, also with a whole exponent",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::pow", "forward").case("negative base*"),
            Pattern::on("candle_core::Tensor::broadcast_pow", "forward").case("negative base*"),
            Pattern::on("candle_core::Tensor::pow", "non_finite").case("base 0*"),
            Pattern::on("candle_core::Tensor::broadcast_pow", "non_finite").case("base 0*"),
        ],
        cause: cause(
            "candle-core",
            "tensor.rs",
            2935,
            "rhs.mul(&self.log()?)?.exp()",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "powf, where the exponent is a number",
            "candle_core::Tensor::pow",
            "negative base, exponent 2",
            i::squared,
        )),
        pytorch: None,
    },
    Known {
        id: "div-square",
        what: "the gradient of the denominator is 0 or infinite",
        when: "f16, denominators above 256 or below 1/5800: their square leaves the type",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::div", "severed")
                .case("both near 300")
                .input("rhs")
                .dtypes("f16"),
            Pattern::on("candle_core::Tensor::div", "non_finite")
                .case("both near 1e-4")
                .input("rhs")
                .dtypes("f16"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            209,
            "let rhs_grad = grad.mul(lhs)?.div(&rhs.sqr()?)?;",
        ),
        upstream: None,
        instead: Some(
            Instead::new(
                "divide in f32",
                "candle_core::Tensor::div",
                "both near 300",
                i::divided_in_f32,
            )
            .dtype(DType::F16),
        ),
        pytorch: None,
    },
    Known {
        id: "gelu-overflow",
        what: "the gradient is NaN",
        when: "f16, elements beyond 40 in magnitude",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_core::Tensor::gelu", "non_finite")
                .case("-100 to 100")
                .dtypes("f16"),
            Pattern::on("candle_nn::activation::Activation", "non_finite")
                .case("new gelu, -100 to 100")
                .dtypes("f16"),
            Pattern::on("candle_nn::activation::Activation", "non_finite")
                .case("gelu pytorch tanh, -100 to 100")
                .dtypes("f16"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            615,
            "+ (0.0535161 * cube + (0.398942 * arg)?)? * (1. - tanh.powf(2.)?))?",
        ),
        upstream: None,
        instead: Some(
            Instead::new(
                "its formula in tensors, x (1 + 0.044715 x^2)",
                "candle_core::Tensor::gelu",
                "-100 to 100",
                i::gelu,
            )
            .dtype(DType::F16),
        ),
        pytorch: None,
    },
    Known {
        id: "mish-overflow",
        what: "the gradient is NaN",
        when: "elements above 88.7 in f32 and bf16, above 11 in f16",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_nn::ops::mish", "non_finite")
                .case("-100 to 100")
                .dtypes("f32,bf16,f16"),
            Pattern::on("candle_nn::activation::Activation", "non_finite")
                .case("mish, -100 to 100")
                .dtypes("f32,bf16,f16"),
        ],
        cause: cause(
            "candle-nn",
            "ops.rs",
            227,
            "xs * (1.0 + xs.exp()?)?.log()?.tanh()",
        ),
        upstream: None,
        instead: Some(
            Instead::new(
                "x tanh(max(x, 0) + log(1 + exp(-|x|)))",
                "candle_nn::ops::mish",
                "-100 to 100",
                i::mish,
            )
            .dtype(DType::F32),
        ),
        pytorch: None,
    },
    Known {
        id: "selu-overflow",
        what: "the gradient is NaN",
        when: "elements above 88.7 in f32",
        severity: Severity::SilentWrong,
        rows: &[Pattern::on("candle_nn::ops::selu", "non_finite")
            .case("-100 to 100")
            .dtypes("f32")],
        cause: cause(
            "candle-nn",
            "ops.rs",
            238,
            "let neg = xs.exp()?.mul(&alpha_t)?.sub(&alpha_t)?;",
        ),
        upstream: None,
        instead: Some(
            Instead::new(
                "xs.elu(alpha)? * gamma",
                "candle_nn::ops::selu",
                "-100 to 100",
                i::selu,
            )
            .dtype(DType::F32),
        ),
        pytorch: None,
    },
    Known {
        id: "bce-saturation",
        what: "the loss is NaN or infinite",
        when: "a logit so large that its sigmoid rounds to 0 or 1: beyond 37 in f64, 17 in f32, 8 in f16, 6 in bf16",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on(
                "candle_nn::loss::binary_cross_entropy_with_logit",
                "forward",
            )
            .case("logits near 10")
            .dtypes("bf16,f16"),
            Pattern::on(
                "candle_nn::loss::binary_cross_entropy_with_logit",
                "forward",
            )
            .case("logits near 40"),
            Pattern::on(
                "candle_nn::loss::binary_cross_entropy_with_logit",
                "forward",
            )
            .case("logits near 100"),
            Pattern::on(
                "candle_nn::loss::binary_cross_entropy_with_logit",
                "forward",
            )
            .case("a wrong logit near 40"),
        ],
        cause: cause(
            "candle-nn",
            "loss.rs",
            68,
            "let right_side = (target.affine(-1., 1.))? * inp.affine(-1., 1.)?.log()?;",
        ),
        upstream: Some("https://github.com/huggingface/candle/issues/2561"),
        instead: Some(Instead::new(
            "max(x, 0) - x t + log(1 + exp(-|x|))",
            "candle_nn::loss::binary_cross_entropy_with_logit",
            "logits near 40",
            i::bce,
        )),
        pytorch: None,
    },
    Known {
        id: "softmax-last-dim",
        what: "the result has no gradient",
        when: "always",
        severity: Severity::SilentStop,
        rows: &[Pattern::on("candle_nn::ops::softmax_last_dim", "severed")],
        cause: cause(
            "candle-nn",
            "ops.rs",
            438,
            "xs.apply_op1_no_bwd(&SoftmaxLastDim)",
        ),
        upstream: Some("https://github.com/huggingface/candle/issues/3569"),
        instead: Some(Instead::new(
            "candle_nn::ops::softmax(xs, D::Minus1)",
            "candle_nn::ops::softmax_last_dim",
            "a matrix",
            i::softmax,
        )),
        pytorch: None,
    },
    Known {
        id: "varlen-unfused",
        what: "q and k get no gradient",
        when: "always: it calls softmax_last_dim",
        severity: Severity::SilentStop,
        rows: &[
            Pattern::on(
                "candle_nn::attention::varlen::flash_attn_varlen_unfused",
                "severed",
            )
            .input("q"),
            Pattern::on(
                "candle_nn::attention::varlen::flash_attn_varlen_unfused",
                "severed",
            )
            .input("k"),
        ],
        cause: cause(
            "candle-nn",
            "attention/varlen.rs",
            147,
            "let attention_probs = ops::softmax_last_dim(&attention_scores)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "matmul, ops::softmax and matmul for each sequence",
            "candle_nn::attention::varlen::flash_attn_varlen_unfused",
            "two sequences",
            i::packed_attention,
        )),
        pytorch: None,
    },
    Known {
        id: "rms-norm",
        what: "neither the input nor the weight gets a gradient",
        when: "RmsNorm: the input is contiguous; ops::rms_norm: always",
        severity: Severity::SilentStop,
        rows: &[
            Pattern::on("candle_nn::ops::rms_norm", "severed"),
            Pattern::on("candle_nn::layer_norm::RmsNorm", "severed"),
        ],
        cause: cause(
            "candle-nn",
            "ops.rs",
            684,
            "xs.apply_op2_no_bwd(alpha, &RmsNorm { eps })",
        ),
        upstream: Some("https://github.com/huggingface/candle/issues/2168"),
        instead: Some(Instead::new(
            "RmsNorm::forward_diff, or ops::rms_norm_slow",
            "candle_nn::ops::rms_norm",
            "a matrix",
            i::rms_norm,
        )),
        pytorch: None,
    },
    Known {
        id: "layer-norm",
        what: "neither the input nor weight and bias get a gradient",
        when: "LayerNorm: the input is contiguous and there is a bias; ops::layer_norm: always",
        severity: Severity::SilentStop,
        rows: &[
            Pattern::on("candle_nn::ops::layer_norm", "severed").case("a matrix"),
            Pattern::on("candle_nn::layer_norm::LayerNorm", "severed").case("with bias"),
        ],
        cause: cause(
            "candle-nn",
            "ops.rs",
            944,
            "xs.apply_op3_no_bwd(alpha, beta, &LayerNorm { eps })",
        ),
        upstream: Some("https://github.com/huggingface/candle/issues/3011"),
        instead: Some(Instead::new(
            "ops::layer_norm_slow, or LayerNorm::new_no_bias and an addition",
            "candle_nn::ops::layer_norm",
            "a matrix",
            i::layer_norm,
        )),
        pytorch: None,
    },
    Known {
        id: "rope",
        what: "nothing gets a gradient",
        when: "always",
        severity: Severity::SilentStop,
        rows: &[
            Pattern::on("candle_nn::rotary_emb::rope", "severed"),
            Pattern::on("candle_nn::rotary_emb::rope_i", "severed"),
            Pattern::on("candle_nn::rotary_emb::rope_thd", "severed"),
        ],
        cause: cause(
            "candle-nn",
            "rotary_emb.rs",
            580,
            "xs.apply_op3_no_bwd(cos, sin, &RotaryEmb)",
        ),
        upstream: Some("https://github.com/huggingface/candle/issues/3568"),
        instead: Some(Instead::new(
            "rope_slow, rope_i_slow",
            "candle_nn::rotary_emb::rope",
            "three positions",
            i::rope,
        )),
        pytorch: None,
    },
    Known {
        id: "cpu-flash-attention",
        what: "nothing gets a gradient",
        when: "always",
        severity: Severity::SilentStop,
        rows: &[
            Pattern::on("candle_nn::attention::cpu_flash::flash_attn", "severed"),
            Pattern::on(
                "candle_nn::attention::cpu_flash::standard::run_flash_attn_cpu",
                "severed",
            ),
            Pattern::on(
                "candle_nn::cpu_flash_attention::run_flash_attn_cpu",
                "severed",
            ),
            Pattern::on(
                "candle_nn::attention::cpu_flash::causal::run_causal_attn_cpu",
                "severed",
            ),
            Pattern::on(
                "candle_nn::attention::cpu_flash::varlen::flash_attn_varlen_cpu",
                "severed",
            ),
        ],
        cause: cause(
            "candle-nn",
            "attention/cpu_flash/standard.rs",
            380,
            "Tensor::from_vec(out, (1usize, h, q_len, dv), &Device::Cpu)",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "matmul, ops::softmax and matmul",
            "candle_nn::attention::cpu_flash::flash_attn",
            "two sequences",
            i::attention,
        )),
        pytorch: None,
    },
    Known {
        id: "cpu-flash-strides",
        what: "the values are wrong, or it panics",
        when: "one sequence without a causal mask, and q or k has a last dim that is not contiguous",
        severity: Severity::SilentWrong,
        rows: &[
            Pattern::on("candle_nn::attention::cpu_flash::flash_attn", "forward")
                .case("one sequence")
                .input("q")
                .probe("transposed"),
            Pattern::on("candle_nn::attention::cpu_flash::flash_attn", "panicked")
                .case("one sequence")
                .input("q")
                .probe("expanded"),
            Pattern::on("candle_nn::attention::cpu_flash::flash_attn", "forward")
                .case("one sequence")
                .input("k")
                .probe("transposed"),
            Pattern::on("candle_nn::attention::cpu_flash::flash_attn", "panicked")
                .case("one sequence")
                .input("k")
                .probe("expanded"),
            Pattern::on(
                "candle_nn::attention::cpu_flash::standard::run_flash_attn_cpu",
                "forward",
            )
            .case("no mask")
            .input("q")
            .probe("transposed"),
            Pattern::on(
                "candle_nn::attention::cpu_flash::standard::run_flash_attn_cpu",
                "panicked",
            )
            .case("no mask")
            .input("q")
            .probe("expanded"),
            Pattern::on(
                "candle_nn::attention::cpu_flash::standard::run_flash_attn_cpu",
                "forward",
            )
            .case("no mask")
            .input("k")
            .probe("transposed"),
            Pattern::on(
                "candle_nn::attention::cpu_flash::standard::run_flash_attn_cpu",
                "panicked",
            )
            .case("no mask")
            .input("k")
            .probe("expanded"),
            Pattern::on(
                "candle_nn::cpu_flash_attention::run_flash_attn_cpu",
                "forward",
            )
            .case("no mask")
            .input("q")
            .probe("transposed"),
            Pattern::on(
                "candle_nn::cpu_flash_attention::run_flash_attn_cpu",
                "panicked",
            )
            .case("no mask")
            .input("q")
            .probe("expanded"),
            Pattern::on(
                "candle_nn::cpu_flash_attention::run_flash_attn_cpu",
                "forward",
            )
            .case("no mask")
            .input("k")
            .probe("transposed"),
            Pattern::on(
                "candle_nn::cpu_flash_attention::run_flash_attn_cpu",
                "panicked",
            )
            .case("no mask")
            .input("k")
            .probe("expanded"),
            Pattern::on("candle_nn::attention::cpu_flash::flash_attn", "forward")
                .case("one sequence")
                .probe("all transposed"),
            Pattern::on(
                "candle_nn::attention::cpu_flash::standard::run_flash_attn_cpu",
                "forward",
            )
            .case("no mask")
            .probe("all transposed"),
            Pattern::on(
                "candle_nn::cpu_flash_attention::run_flash_attn_cpu",
                "forward",
            )
            .case("no mask")
            .probe("all transposed"),
        ],
        cause: cause(
            "candle-nn",
            "attention/cpu_flash/standard.rs",
            345,
            "let q_row = &q_data[q_base..q_base + d];",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "contiguous() on q, k and v (and, for a gradient, as above)",
            "candle_nn::attention::cpu_flash::flash_attn",
            "one sequence",
            i::attention,
        )),
        pytorch: None,
    },
    Known {
        id: "caches-in-place",
        what: "what is read from the cache has no gradient",
        when: "always; slice_set and scatter_set work in place and say so",
        severity: Severity::SilentStop,
        rows: &[
            Pattern::on("candle_nn::kv_cache::Cache::current_data", "severed"),
            Pattern::on("candle_nn::kv_cache::KvCache::append", "severed"),
            Pattern::on("candle_nn::kv_cache::RotatingKvCache::append", "severed"),
            Pattern::on("candle_nn::kv_cache::ScatteredKvCache::append", "severed"),
            Pattern::on("candle_nn::kv_cache::RotatingCache::append", "severed"),
        ],
        cause: cause(
            "candle-nn",
            "kv_cache.rs",
            76,
            "ad.slice_set(src, self.dim, self.current_seq_len)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "Tensor::cat of what must be differentiated",
            "candle_nn::kv_cache::KvCache::append",
            "to an empty cache",
            i::kept_by_cat,
        )),
        pytorch: None,
    },
    Known {
        id: "caches-detached",
        what: "what is read from the cache has no gradient",
        when: "always: meant for inference, as a comment in the source says",
        severity: Severity::SilentStop,
        rows: &[
            Pattern::on("candle_nn::kv_cache::ConcatKvCache::append", "severed"),
            Pattern::on("candle_nn::kv_cache::InterleavedKvCache::append", "severed"),
        ],
        cause: cause(
            "candle-nn",
            "kv_cache.rs",
            727,
            "let k = k.contiguous()?.detach();",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "Tensor::cat of what must be differentiated",
            "candle_nn::kv_cache::InterleavedKvCache::append",
            "to an empty cache",
            i::kept_interleaved,
        )),
        pytorch: None,
    },
    Known {
        id: "qmatmul",
        what: "the input gets no gradient",
        when: "the weight is quantized (not F32, F16, BF16)",
        severity: Severity::SilentStop,
        rows: &[Pattern::on("candle_core::quantized::QMatMul", "severed").case("a Q8_0 weight")],
        cause: cause(
            "candle-core",
            "quantized/mod.rs",
            1290,
            "Self::QTensor(t) => xs.apply_op1_no_bwd(t.as_ref()),",
        ),
        upstream: Some("https://github.com/huggingface/candle/pull/2729"),
        instead: Some(
            Instead::new(
                "xs.matmul(&qtensor.dequantize(device)?.t()?)",
                "candle_core::quantized::QMatMul",
                "a Q8_0 weight",
                i::dequantized,
            )
            .roughly(),
        ),
        pytorch: None,
    },
    Known {
        id: "pool-stride",
        what: "backward returns an error",
        when: "the stride differs from the kernel",
        severity: Severity::Loud,
        rows: &[
            Pattern::on("candle_core::Tensor::avg_pool2d_with_stride", "unsupported")
                .case("kernel (2, 2), stride (1, 1), 4x4"),
            Pattern::on("candle_core::Tensor::avg_pool2d_with_stride", "unsupported")
                .case("kernel (3, 3), stride (2, 2), 5x5"),
            Pattern::on("candle_core::Tensor::max_pool2d_with_stride", "unsupported")
                .case("kernel (2, 2), stride (1, 1), 4x4"),
            Pattern::on("candle_core::Tensor::max_pool2d_with_stride", "unsupported")
                .case("kernel (3, 3), stride (2, 2), 5x5"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            364,
            "crate::bail!(\"backward not supported for maxpool2d if ksize {kernel_size:?} != stride {stride:?}\")",
        ),
        upstream: Some("https://github.com/huggingface/candle/issues/1593"),
        instead: Some(Instead::new(
            "stack the shifted index_selects of the windows and take max (or mean) over them",
            "candle_core::Tensor::max_pool2d_with_stride",
            "kernel (3, 3), stride (2, 2), 5x5",
            i::max_pool_overlapping,
        )),
        pytorch: None,
    },
    Known {
        id: "upsample-broken-factor",
        what: "backward returns an error",
        when: "the target is not a multiple of the size",
        severity: Severity::Loud,
        rows: &[
            Pattern::on("candle_core::Tensor::interpolate1d", "unsupported").case("4 to *"),
            Pattern::on("candle_core::Tensor::upsample_nearest1d", "unsupported").case("4 to *"),
            Pattern::on("candle_core::Tensor::interpolate2d", "unsupported").case("2x3 to 3x4"),
            Pattern::on("candle_core::Tensor::interpolate2d", "unsupported").case("2x3 to 1x2"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "unsupported")
                .case("2x3 to 3x4"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "unsupported")
                .case("2x3 to 1x2"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            381,
            "crate::bail!(\"backward not supported for non integer upscaling factors\")",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "index_select of the nearest elements",
            "candle_core::Tensor::upsample_nearest1d",
            "4 to 6",
            i::resized,
        )),
        pytorch: None,
    },
    Known {
        id: "upsample-unequal-factors",
        what: "backward returns an error",
        when: "height and width grow by different factors",
        severity: Severity::Loud,
        rows: &[
            Pattern::on("candle_core::Tensor::interpolate2d", "unsupported").case("2x3 to 4x3"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "unsupported")
                .case("2x3 to 4x3"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            403,
            "crate::bail!(\"backward not supported for non uniform upscaling factors\")",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "index_select of the nearest rows and columns",
            "candle_core::Tensor::upsample_nearest2d",
            "2x3 to 4x3",
            i::resized_unequally,
        )),
        pytorch: None,
    },
    Known {
        id: "upsample-bilinear",
        what: "backward returns an error",
        when: "always, unless the size stays",
        severity: Severity::Loud,
        rows: &[
            Pattern::on("candle_core::Tensor::upsample_bilinear2d", "unsupported"),
            Pattern::on(
                "candle_core::Tensor::upsample_bilinear2d_with_scale",
                "unsupported",
            )
            .case("2 and 1.5*"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            412,
            "crate::bail!(\"backward not supported for upsample_bilinear2d\")",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "multiply by the op's own matrix: its value on the unit images",
            "candle_core::Tensor::upsample_bilinear2d",
            "corners false",
            i::bilinear,
        )),
        pytorch: None,
    },
    Known {
        id: "conv-transpose1d",
        what: "backward returns an error",
        when: "always",
        severity: Severity::Loud,
        rows: &[Pattern::on(
            "candle_core::Tensor::conv_transpose1d",
            "unsupported",
        )],
        cause: cause(
            "candle-core",
            "backprop.rs",
            315,
            "op: \"conv-transpose1d\",",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "conv_transpose2d over a width of 1, the padding cut off afterwards",
            "candle_core::Tensor::conv_transpose1d",
            "b2 c2-3 g1 p1 s1 d1 op0 l3 k3",
            i::conv_transpose1d,
        )),
        pytorch: None,
    },
    Known {
        id: "conv2d-remainders",
        what: "backward returns an error",
        when: "a stride above 1 leaves different remainders in height and width",
        severity: Severity::Loud,
        rows: &[
            Pattern::on("candle_core::Tensor::conv2d", "unsupported")
                .case("b? c* g? p0 s2 d1 4x4 k3x2"),
            Pattern::on("candle_core::Tensor::conv2d", "unsupported")
                .case("b? c* g? p0 s2 d1 5x5 k3x2"),
            Pattern::on("candle_core::Tensor::conv2d", "unsupported")
                .case("b? c* g? p1 s2 d1 4x4 k3x2"),
            Pattern::on("candle_core::Tensor::conv2d", "unsupported")
                .case("b? c* g? p1 s2 d1 5x5 k3x2"),
            Pattern::on("candle_core::Tensor::conv2d", "unsupported")
                .case("b? c* g? p1 s2 d2 5x4 k3x2"),
            Pattern::on("candle_core::Tensor::conv2d", "unsupported")
                .case("b? c* g? p2 s3 d1 4x4 k3x2"),
            Pattern::on("candle_core::Tensor::conv2d", "unsupported")
                .case("b? c* g? p2 s3 d1 5x5 k3x2"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            289,
            "let out_padding = arg.dim(2)? - out_size;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "pad by hand and narrow to what the windows reach",
            "candle_core::Tensor::conv2d",
            "b2 c2-3 g1 p0 s2 d1 5x5 k3x2",
            i::conv2d_cut,
        )),
        pytorch: None,
    },
    Known {
        id: "conv2d-bf16",
        what: "the call itself returns an error; so does the backward of conv_transpose2d and of interpolate2d",
        when: "bf16 on the CPU",
        severity: Severity::Loud,
        rows: &[
            Pattern::on("candle_core::Tensor::conv2d_with_algo", "error").dtypes("bf16"),
            Pattern::on("candle_core::Tensor::conv2d", "error").dtypes("bf16"),
            Pattern::on("candle_nn::conv::Conv2d", "error").dtypes("bf16"),
            Pattern::on("candle_nn::conv::ConvTranspose2d", "unsupported").dtypes("bf16"),
            Pattern::on("candle_core::Tensor::interpolate2d", "unsupported")
                .case("2x3 to 4x6")
                .dtypes("bf16"),
            Pattern::on("candle_core::Tensor::interpolate2d", "unsupported")
                .case("2x3 to 2x3")
                .dtypes("bf16"),
            Pattern::on("candle_core::Tensor::interpolate2d", "unsupported")
                .case("2x3 to 6x9")
                .dtypes("bf16"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "unsupported")
                .case("2x3 to 4x6")
                .dtypes("bf16"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "unsupported")
                .case("2x3 to 2x3")
                .dtypes("bf16"),
            Pattern::on("candle_core::Tensor::upsample_nearest2d", "unsupported")
                .case("2x3 to 6x9")
                .dtypes("bf16"),
        ],
        cause: cause(
            "candle-core",
            "cpu_backend/conv2d.rs",
            247,
            "let result = matmul.f(&k_flat, &k_layout, &col_tile, &col_layout)?;",
        ),
        upstream: None,
        instead: Some(
            Instead::new(
                "convolve in f32",
                "candle_core::Tensor::conv2d_with_algo",
                "no algorithm named",
                i::conv2d_in_f32,
            )
            .dtype(DType::BF16),
        ),
        pytorch: None,
    },
    Known {
        id: "gather-fewer-rows",
        what: "backward returns an error",
        when: "indexes are smaller than the source in another dim",
        severity: Severity::Loud,
        rows: &[Pattern::on("candle_core::Tensor::gather", "unsupported")
            .case("fewer rows than the source")],
        cause: cause(
            "candle-core",
            "backprop.rs",
            425,
            "*sum_grad = sum_grad.scatter_add(indexes, &grad, *dim)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "narrow the source to the shape of indexes first",
            "candle_core::Tensor::gather",
            "fewer rows than the source",
            i::gathered,
        )),
        pytorch: None,
    },
    Known {
        id: "scatter-add-smaller",
        what: "backward returns an error",
        when: "indexes are not as large as self in dim",
        severity: Severity::Loud,
        rows: &[
            Pattern::on("candle_core::Tensor::scatter_add", "unsupported").case("dim 0"),
            Pattern::on("candle_core::Tensor::scatter_add", "unsupported").case("dim 1"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            438,
            "let mask = mask.scatter(indexes, &mask.zeros_like()?, *dim)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "add source @ one_hot(indexes)",
            "candle_core::Tensor::scatter_add",
            "dim 1",
            i::scatter_added,
        )),
        pytorch: None,
    },
    Known {
        id: "unfold-count",
        what: "backward returns an error",
        when: "the windows overlap or leave gaps",
        severity: Severity::Loud,
        rows: &[
            Pattern::on("candle_core::Tensor::unfold", "unsupported").case("dim * step 1"),
            Pattern::on("candle_core::Tensor::unfold", "unsupported")
                .case("dim 0 of [6], size 2, step 3"),
            Pattern::on("candle_core::Tensor::unfold", "unsupported")
                .case("dim 0 of [5], size 2, step 2"),
        ],
        cause: cause(
            "candle-core",
            "tensor.rs",
            3000,
            "op: BackpropOp::new1(self, Op::Reshape),",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "index_select with the places of the windows, then reshape",
            "candle_core::Tensor::unfold",
            "dim 1 of [3, 4], size 2, step 1",
            i::unfolded,
        )),
        pytorch: None,
    },
    Known {
        id: "bwd-none",
        what: "backward panics",
        when: "bwd returns None for an argument that is itself computed",
        severity: Severity::Loud,
        rows: &[Pattern::on("candle_core::Tensor::apply_op1", "panicked")
            .case("bwd returns None behind another op")],
        cause: cause(
            "candle-core",
            "backprop.rs",
            175,
            ".expect(\"candle internal error - grad not populated\");",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "return zeros",
            "candle_core::Tensor::apply_op1",
            "bwd returns None behind another op",
            i::zeros_returned,
        )),
        pytorch: Some("takes None from a backward as zero"),
    },
    Known {
        id: "selu-types",
        what: "the call itself returns an error",
        when: "any type but f32",
        severity: Severity::Loud,
        rows: &[Pattern::on("candle_nn::ops::selu", "error").dtypes("f64,bf16,f16")],
        cause: cause(
            "candle-nn",
            "ops.rs",
            237,
            "let alpha_t = Tensor::full(alpha, xs.dims(), xs.device())?;",
        ),
        upstream: None,
        instead: Some(
            Instead::new(
                "xs.elu(alpha)? * gamma",
                "candle_nn::ops::selu",
                "moderate",
                i::selu,
            )
            .dtype(DType::F64),
        ),
        pytorch: None,
    },
    Known {
        id: "gelu-constants",
        what: "six correct digits",
        when: "f64",
        severity: Severity::Precision,
        rows: &[
            Pattern::on("candle_core::Tensor::gelu", "wrong")
                .case("moderate")
                .dtypes("f64"),
            Pattern::on("candle_core::Tensor::gelu", "imprecise")
                .case("rank 0")
                .dtypes("f64"),
            Pattern::on("candle_core::Tensor::gelu", "imprecise")
                .case("-100 to 100")
                .dtypes("f64"),
            Pattern::on("candle_nn::activation::Activation", "wrong")
                .case("new gelu, moderate")
                .dtypes("f64"),
            Pattern::on("candle_nn::activation::Activation", "imprecise")
                .case("new gelu, -100 to 100")
                .dtypes("f64"),
            Pattern::on("candle_nn::activation::Activation", "wrong")
                .case("gelu pytorch tanh, moderate")
                .dtypes("f64"),
            Pattern::on("candle_nn::activation::Activation", "imprecise")
                .case("gelu pytorch tanh, -100 to 100")
                .dtypes("f64"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            613,
            "let tanh = (0.0356774 * &cube + (0.797885 * arg)?)?.tanh()?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "its formula in tensors",
            "candle_core::Tensor::gelu",
            "moderate",
            i::gelu,
        )),
        pytorch: None,
    },
    Known {
        id: "gelu-erf-constants",
        what: "six correct digits",
        when: "f64",
        severity: Severity::Precision,
        rows: &[
            Pattern::on("candle_core::Tensor::gelu_erf", "wrong")
                .case("moderate")
                .dtypes("f64"),
            Pattern::on("candle_core::Tensor::gelu_erf", "imprecise")
                .case("rank 0")
                .dtypes("f64"),
            Pattern::on("candle_core::Tensor::gelu_erf", "imprecise")
                .case("-100 to 100")
                .dtypes("f64"),
            Pattern::on("candle_nn::activation::Activation", "wrong")
                .case("gelu, moderate")
                .dtypes("f64"),
            Pattern::on("candle_nn::activation::Activation", "imprecise")
                .case("gelu, -100 to 100")
                .dtypes("f64"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            630,
            "let scaled_exp_arg = (0.398942 * neg_half_square.exp()? * arg)?;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "x/2 (1 + erf(x/sqrt 2)) in tensors",
            "candle_core::Tensor::gelu_erf",
            "moderate",
            i::gelu_erf,
        )),
        pytorch: None,
    },
    Known {
        id: "layer-norm-variance",
        what: "the value loses digits: the variance is the difference of two large numbers; at a mean of 1000 and a deviation of 1 it is 0.6% off",
        when: "the mean is large against the deviation",
        severity: Severity::Precision,
        rows: &[Pattern::on("candle_nn::ops::layer_norm", "forward")
            .case("a mean of 1000")
            .dtypes("f32")],
        cause: cause(
            "candle-nn",
            "ops.rs",
            750,
            "let var = sum2 / dim_m1 as f32 - mean * mean;",
        ),
        upstream: None,
        instead: Some(Instead::new(
            "ops::layer_norm_slow",
            "candle_nn::ops::layer_norm",
            "a mean of 1000",
            i::layer_norm,
        )),
        pytorch: None,
    },
    Known {
        id: "bce-cancellation",
        what: "digits are lost as the logit grows: at 10, two or three of them",
        when: "logits near 10 and beyond, before it saturates",
        severity: Severity::Precision,
        rows: &[Pattern::on(
            "candle_nn::loss::binary_cross_entropy_with_logit",
            "forward",
        )
        .case("logits near 10")
        .dtypes("f64,f32")],
        cause: cause(
            "candle-nn",
            "loss.rs",
            68,
            "let right_side = (target.affine(-1., 1.))? * inp.affine(-1., 1.)?.log()?;",
        ),
        upstream: Some("https://github.com/huggingface/candle/issues/2561"),
        instead: Some(Instead::new(
            "max(x, 0) - x t + log(1 + exp(-|x|))",
            "candle_nn::loss::binary_cross_entropy_with_logit",
            "logits near 10",
            i::bce,
        )),
        pytorch: None,
    },
    Known {
        id: "relu-at-0",
        what: "1",
        when: "at 0",
        severity: Severity::Convention,
        rows: &[
            Pattern::on("candle_core::Tensor::relu", "kink").case("at 0"),
            Pattern::on("candle_nn::activation::Activation", "kink").case("relu, at 0"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            638,
            "let relu_grad = arg.ge(&arg.zeros_like()?)?.to_dtype(arg.dtype())?;",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("0"),
    },
    Known {
        id: "abs-at-0",
        what: "1",
        when: "at 0",
        severity: Severity::Convention,
        rows: &[Pattern::on("candle_core::Tensor::abs", "kink").case("at 0")],
        cause: cause(
            "candle-core",
            "backprop.rs",
            556,
            "let abs_grad = arg.ge(&arg.zeros_like()?)?.where_cond(&ones, &ones.neg()?);",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("0"),
    },
    Known {
        id: "extremes-tied",
        what: "1 for each of the equal elements, so that together they count more than once",
        when: "two elements are the largest (smallest)",
        severity: Severity::Convention,
        rows: &[
            Pattern::on("candle_core::Tensor::max", "kink").case("two equal"),
            Pattern::on("candle_core::Tensor::max_keepdim", "kink").case("two equal"),
            Pattern::on("candle_core::Tensor::max_all", "kink").case("two equal"),
            Pattern::on("candle_core::Tensor::min", "kink").case("two equal"),
            Pattern::on("candle_core::Tensor::min_keepdim", "kink").case("two equal"),
            Pattern::on("candle_core::Tensor::min_all", "kink").case("two equal"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            512,
            "let grad = node.eq(arg)?.to_dtype(grad.dtype())?.mul(&grad)?;",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("1/2 for each (amax, amin)"),
    },
    Known {
        id: "max-pool-tied",
        what: "the gradient times the share of the window that ties, for each",
        when: "two elements of a window are the largest",
        severity: Severity::Convention,
        rows: &[Pattern::on("candle_core::Tensor::max_pool2d", "kink").case("two equal")],
        cause: cause(
            "candle-core",
            "backprop.rs",
            374,
            "let grad_arg = ((grad * avg)?.upsample_nearest2d(h, w)? * mask)?;",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("1 for the first, 0 for the other"),
    },
    Known {
        id: "maximum-tied",
        what: "1/2 for each",
        when: "both are equal",
        severity: Severity::Convention,
        rows: &[
            Pattern::on("candle_core::Tensor::maximum", "kink").case("tie"),
            Pattern::on("candle_core::Tensor::minimum", "kink").case("tie"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            220,
            "let lhs_grad = mask_lhs.mul(&grad)?.div(&(&mask_rhs + 1.)?)?;",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("the same"),
    },
    Known {
        id: "clamp-at-bound",
        what: "1/2",
        when: "at a bound",
        severity: Severity::Convention,
        rows: &[Pattern::on("candle_core::Tensor::clamp", "kink").case("at the *")],
        cause: cause(
            "candle-core",
            "backprop.rs",
            220,
            "let lhs_grad = mask_lhs.mul(&grad)?.div(&(&mask_rhs + 1.)?)?;",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("0"),
    },
    Known {
        id: "elu-at-0",
        what: "alpha",
        when: "at 0, alpha not 1",
        severity: Severity::Convention,
        rows: &[
            Pattern::on("candle_core::Tensor::elu", "kink").case("alpha 0.5, at 0"),
            Pattern::on("candle_nn::activation::Activation", "kink").case("elu 0.5, at 0"),
        ],
        cause: cause(
            "candle-core",
            "backprop.rs",
            653,
            "let negative_mask = arg.le(&zeros)?.to_dtype(arg.dtype())?;",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("the same"),
    },
    Known {
        id: "leaky-relu-at-0",
        what: "the mean of both slopes",
        when: "at 0",
        severity: Severity::Convention,
        rows: &[
            Pattern::on("candle_nn::ops::leaky_relu", "kink").case("at 0"),
            Pattern::on("candle_nn::activation::Activation", "kink").case("leaky relu 0.125, at 0"),
            Pattern::on("candle_nn::activation::PReLU", "kink").case("at 0"),
        ],
        cause: cause(
            "candle-nn",
            "ops.rs",
            232,
            "xs.maximum(&zeros)? + xs.minimum(&zeros)? * negative_slope",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("the negative slope"),
    },
    Known {
        id: "hard-sigmoid-at-bound",
        what: "half the slope",
        when: "at -3 and 3",
        severity: Severity::Convention,
        rows: &[
            Pattern::on("candle_nn::ops::hard_sigmoid", "kink").case("at *"),
            Pattern::on("candle_nn::activation::Activation", "kink").case("hard sigmoid, at *"),
            Pattern::on("candle_nn::activation::Activation", "kink").case("hard swish, at *"),
        ],
        cause: cause(
            "candle-nn",
            "ops.rs",
            223,
            "((xs + 3.0)? / 6.0)?.clamp(0f32, 1f32)",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("the slope outside the interval"),
    },
    Known {
        id: "relu6-at-bound",
        what: "1/2",
        when: "at 0 and 6",
        severity: Severity::Convention,
        rows: &[Pattern::on("candle_nn::activation::Activation", "kink").case("relu6, at *")],
        cause: cause(
            "candle-nn",
            "activation.rs",
            37,
            "Self::Relu6 => xs.clamp(0f32, 6f32),",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("0"),
    },
    Known {
        id: "selu-at-0",
        what: "the slope of the negative side",
        when: "at 0",
        severity: Severity::Convention,
        rows: &[Pattern::on("candle_nn::ops::selu", "kink")
            .case("at 0")
            .dtypes("f32")],
        cause: cause("candle-nn", "ops.rs", 236, "let is_pos = xs.gt(0f32)?;"),
        upstream: None,
        instead: None,
        pytorch: Some("the same"),
    },
    Known {
        id: "scatter-repeated",
        what: "the gradient goes to every source element that names the place, though the last one written decides",
        when: "repeated indexes",
        severity: Severity::Convention,
        rows: &[Pattern::on("candle_core::Tensor::scatter", "wrong")
            .case("dim 1, repeated")
            .input("source")],
        cause: cause(
            "candle-core",
            "backprop.rs",
            431,
            "let src_grad = grad.gather(indexes, *dim)?;",
        ),
        upstream: None,
        instead: None,
        pytorch: Some("the same; it documents the backward for distinct indices only"),
    },
];
