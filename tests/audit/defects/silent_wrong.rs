//! Trains wrong, silently.

use candle_core::{D, DType, Tensor};
use candle_nn::attention::AttnMask;
use candle_nn::loss::binary_cross_entropy_with_logit;
use candle_nn::{attention, ops};

use super::{
    DEFECT, Defect, Is::*, Kind::*, Of::*, f16, f32, flash, in_f32, index, one_hot, softplus, t,
};

#[rustfmt::skip]
pub const ALL: &[Defect] = &[
    Defect {
        name: "max-pool", kind: SilentWrong, shows: &["wrong"],
        test: "max_pool2d_divides_the_gradient_by_its_window",
        what: "the gradient is divided by the size of the window",
        when: "kernel equal to stride and larger than 1; where the size does not divide, also misplaced",
        x: f32(&[1., 2., 3., 4.], &[1, 1, 2, 2]), of: Gradient,
        candle: |x| x.max_pool2d(2),
        is: Numbers(&[0., 0., 0., 0.25]), should_be: &[0., 0., 0., 1.],
        torch: "F.max_pool2d(x, 2)",
        instead: "x.reshape((n, c, h/k, k, w/k, k))?.max(5)?.max(3)?",
        right: |x| x.reshape((1, 1, 1, 2, 1, 2))?.max(5)?.max(3),
        cause: ("candle-core/src/backprop.rs:374", "let grad_arg = ((grad * avg)?.upsample_nearest2d(h, w)? * mask)?;"),
        readme: [
            "`max_pool2d` | gradient **divided by the window's size** (2x2: a quarter) | stride equal to the \
                kernel, the default | `reshape((n, c, h/k, k, w/k, k))?.max(5)?.max(3)?`",
            "`max_pool2d` | 변화도가 **윈도우 크기로 나뉨** (2x2면 4분의 1) | 스트라이드가 커널과 같을 때(기본값) | `reshape((n, c, h/k, k, \
                w/k, k))?.max(5)?.max(3)?`",
        ],
        ..DEFECT
    },
    Defect {
        name: "avg-pool-remainder", kind: SilentWrong, shows: &["wrong"],
        test: "avg_pool2d_gives_the_gradient_to_the_wrong_elements",
        what: "the gradient lands on the wrong elements",
        when: "the height or the width is not a multiple of the kernel",
        x: f32(&[1.; 9], &[1, 1, 3, 3]), of: Gradient,
        candle: |x| x.avg_pool2d(2),
        is: Numbers(&[0.25; 9]), should_be: &[0.25, 0.25, 0., 0.25, 0.25, 0., 0., 0., 0.],
        torch: "F.avg_pool2d(x, 2)",
        instead: "narrow to a multiple of the kernel first, then contiguous()",
        right: |x| x.narrow(2, 0, 2)?.narrow(3, 0, 2)?.contiguous()?.avg_pool2d(2),
        cause: ("candle-core/src/backprop.rs:352", "let grad_arg = grad.upsample_nearest2d(h, w)?;"),
        readme: [
            "`avg_pool2d` | gradient **on the wrong elements** | height or width not a multiple of the kernel \
                | first `narrow` to a multiple, then `contiguous()`",
            "`avg_pool2d` | 변화도가 **엉뚱한 원소로 감** | 높이나 너비가 커널의 배수가 아닐 때 | 먼저 `narrow`로 배수만큼 자르고 `contiguous()`",
        ],
        ..DEFECT
    },
    Defect {
        name: "upsample-overwrites", kind: SilentWrong, shows: &["wrong"],
        test: "upsample_nearest2d_overwrites_the_gradient_of_other_uses",
        what: "the gradient that other uses of the input have accumulated is overwritten",
        when: "the input is used elsewhere too",
        x: f32(&[1., 1.], &[1, 1, 1, 2]), of: Gradient,
        candle: |x| x.upsample_nearest2d(2, 4)?.sum_all()? + x.sum_all()?,
        is: Numbers(&[4., 4.]), should_be: &[5., 5.],
        torch: "F.interpolate(x, scale_factor=2).sum() + x.sum()",
        instead: "x.affine(1., 0.)?.upsample_nearest2d(h, w)? (a node of its own)",
        right: |x| x.affine(1., 0.)?.upsample_nearest2d(2, 4)?.sum_all()? + x.sum_all()?,
        cause: ("candle-core/src/backprop.rs:409", "*sum_grad = conv_sum;"),
        upstream: "https://github.com/huggingface/candle/pull/3507",
        readme: [
            "`upsample_nearest2d`, `interpolate2d` | **overwrites** the gradient of the input's other uses | \
                the input is used elsewhere too (a skip connection) | first `x.affine(1., 0.)?`",
            "`upsample_nearest2d`, `interpolate2d` | 입력이 다른 곳에서 받은 변화도를 **덮어씀** | 입력을 다른 곳에서도 쓸 때(스킵 연결) | 먼저 \
                `x.affine(1., 0.)?`",
        ],
        ..DEFECT
    },
    Defect {
        name: "matmul-fold", kind: SilentWrong, shows: &["forward", "wrong"],
        test: "matmul_of_a_transposed_batch_has_wrong_values",
        what: "the product itself is wrong on the CPU: the rows of a transposed batch are taken for adjacent",
        when: "a batch of 2 or more on the left that is a transposed view, the right side broadcast over it: \
            Linear on such an input; conv_transpose1d, and with it the input gradient of conv1d, with two or more \
            channels in (conv1d: out) and without padding, output padding and dilation",
        x: f32(&[0., 1., 2., 3., 4., 5., 6., 7.], &[2, 2, 2]), of: Value,
        candle: |x| x.transpose(1, 2)?.matmul(&t(&[1., 0.], &[2, 1])?.broadcast_left(2)?),
        is: Numbers(&[0., 1., 2., 3.]), should_be: &[0., 1., 4., 5.],
        torch: "x.transpose(1, 2) @ torch.tensor([[1.], [0.]])",
        instead: "contiguous() before the product",
        right: |x| x.transpose(1, 2)?.contiguous()?.matmul(&t(&[1., 0.], &[2, 1])?.broadcast_left(2)?),
        cause: ("candle-core/src/cpu_backend/mod.rs:1488", "let (b, m, n, k) = if b_skip == 0 && a_skip == m * k {"),
        upstream: "https://github.com/huggingface/candle/pull/3758",
        readme: [
            "`matmul`, `Linear` | **wrong values** | a transposed batch on the left | first `contiguous()`",
            "`matmul`, `Linear` | **값이 틀림** | 왼쪽이 전치된 배치일 때 | 먼저 `contiguous()`",
        ],
        ..DEFECT
    },
    Defect {
        name: "conv1d-strided-kernel", kind: SilentWrong, shows: &["forward", "wrong"],
        test: "conv1d_reads_a_kernel_that_is_a_view_as_contiguous",
        what: "a kernel that is a view is read as if it were contiguous",
        when: "always in the forward; in the backward the kernel gradient, with batch 2 or more and 2 or more \
            output channels a group",
        x: f32(&[1., 2., 3., 4.], &[2, 2, 1]), of: Value,
        candle: |x| t(&[1., 0.], &[1, 2, 1])?.conv1d(&x.transpose(0, 1)?, 0, 1, 1, 1),
        is: Numbers(&[1., 3.]), should_be: &[1., 2.],
        torch: "F.conv1d(torch.tensor([[[1.], [0.]]]), x.transpose(0, 1))",
        instead: "pad by hand, cut to what the windows reach, then conv2d over a width of 1",
        right: |x| {
            let kernel = x.transpose(0, 1)?.unsqueeze(3)?;
            t(&[1., 0.], &[1, 2, 1, 1])?.conv2d(&kernel, 0, 1, 1, 1)?.squeeze(3)
        },
        cause: ("candle-core/src/cpu_backend/mod.rs:2869", "col.matmul(kernel, (b, m, n, k), &col_l, &kernel_l)?"),
        upstream: "https://github.com/huggingface/candle/pull/3836",
        readme: [
            "`conv1d`, `Conv1d` | **wrong gradient** of the kernel | batch and output channels of 2 or more | \
                `conv2d` over a width of 1",
            "`conv1d`, `Conv1d` | 커널의 **변화도가 틀림** | 배치와 출력 채널이 2 이상일 때 | 너비 1인 `conv2d`",
        ],
        ..DEFECT
    },
    Defect {
        name: "scatter-self", kind: SilentWrong, shows: &["wrong"],
        test: "scatter_keeps_the_gradient_of_what_it_overwrites",
        what: "the gradient of self is kept where source has overwritten it",
        when: "always",
        x: f32(&[1., 2.], &[2]), of: Gradient,
        candle: |x| x.scatter(&index(&[0])?, &t(&[5.], &[1])?, 0),
        is: Numbers(&[1., 1.]), should_be: &[0., 1.],
        torch: "x.scatter(0, torch.tensor([0]), torch.tensor([5.]))",
        instead: "self times 1 - one_hot(indexes) summed, plus source @ one_hot(indexes)",
        right: |x| {
            let hot = one_hot(&index(&[0])?, 2)?;
            (x * hot.sum(0)?.affine(-1., 1.)?)? + t(&[5.], &[1, 1])?.matmul(&hot)?.squeeze(0)?
        },
        cause: ("candle-core/src/backprop.rs:429", "*init_sum_grad = init_sum_grad.add(&grad)?;"),
        ..DEFECT
    },
    Defect {
        name: "scatter-add-self", kind: SilentWrong, shows: &["severed", "wrong"],
        test: "scatter_add_removes_the_gradient_of_what_it_adds_to",
        what: "the gradient of self is removed where source was added",
        when: "indexes as large as self, or repeated",
        x: f32(&[1., 2.], &[2]), of: Gradient,
        candle: |x| x.scatter_add(&index(&[0, 1])?, &x.ones_like()?, 0),
        is: Numbers(&[0., 0.]), should_be: &[1., 1.],
        torch: "x.scatter_add(0, torch.tensor([0, 1]), torch.ones(2))",
        instead: "add source @ one_hot(indexes)",
        right: |x| x + t(&[1., 1.], &[1, 2])?.matmul(&one_hot(&index(&[0, 1])?, 2)?)?.squeeze(0)?,
        cause: ("candle-core/src/backprop.rs:439", "*init_sum_grad = init_sum_grad.add(&grad.mul(&mask)?)?;"),
        ..DEFECT
    },
    Defect {
        name: "unfold-reshape", kind: SilentWrong, shows: &["wrong"],
        test: "unfold_gives_the_gradient_in_the_order_of_the_windows",
        what: "the gradient is given back in the order of the windows",
        when: "the dim is not the last, or the windows overlap and happen to hold as many elements",
        x: f32(&[1.; 6], &[6]), of: Gradient,
        candle: |x| x.unfold(0, 3, 2),
        is: Numbers(&[1.; 6]), should_be: &[1., 1., 2., 1., 1., 0.],
        torch: "x.unfold(0, 3, 2)",
        instead: "index_select with the places of the windows, then reshape",
        right: |x| x.index_select(&index(&[0, 1, 2, 2, 3, 4])?, 0)?.reshape((2, 3)),
        cause: ("candle-core/src/tensor.rs:3000", "op: BackpropOp::new1(self, Op::Reshape),"),
        ..DEFECT
    },
    Defect {
        name: "powf-zero", kind: SilentWrong, shows: &["non_finite"],
        test: "powf_0_has_a_nan_gradient_at_0",
        what: "the gradient is NaN",
        when: "the exponent is 0 and an element is 0",
        x: f32(&[0.], &[1]), of: Gradient,
        candle: |x| x.powf(0.),
        is: Numbers(&[f64::NAN]), should_be: &[0.],
        torch: "x.pow(0.)",
        instead: "ones_like",
        right: |x| x.ones_like(),
        cause: ("candle-core/src/backprop.rs:660", "let arg_grad = (&(grad * arg.powf(e - 1.)?)? * *e)?;"),
        ..DEFECT
    },
    Defect {
        name: "norm-zero", kind: SilentWrong, shows: &["non_finite"],
        test: "norm_of_zeros_has_a_nan_gradient",
        what: "the gradient is NaN",
        when: "every element is 0",
        x: f32(&[0., 0.], &[2]), of: Gradient,
        candle: |x| x.norm(),
        is: Numbers(&[f64::NAN, f64::NAN]), should_be: &[0., 0.],
        torch: "torch.linalg.vector_norm(x)",
        pytorch: "0: torch.linalg.vector_norm masks the division",
        instead: "(x.sqr()?.sum_all()? + 1e-30)?.sqrt()",
        right: |x| x.sqr()?.sum_all()?.affine(1., 1e-30)?.sqrt(),
        cause: ("candle-core/src/tensor.rs:1458", "self.sqr().and_then(|x| x.sum_all()).and_then(|x| x.sqrt())"),
        ..DEFECT
    },
    Defect {
        name: "pow-by-logarithm", kind: SilentWrong, shows: &["forward", "non_finite"],
        test: "pow_of_a_negative_base_is_nan",
        what: "the value is NaN for a negative base, the gradient NaN at 0",
        when: "a base that is not positive, also with a whole exponent",
        x: f32(&[-2.], &[1]), of: Value,
        candle: |x| x.pow(&t(&[2.], &[1])?),
        is: Numbers(&[f64::NAN]), should_be: &[4.],
        torch: "x.pow(torch.tensor([2.]))",
        instead: "powf, where the exponent is a number",
        right: |x| x.powf(2.),
        cause: ("candle-core/src/tensor.rs:2935", "rhs.mul(&self.log()?)?.exp()"),
        ..DEFECT
    },
    Defect {
        name: "div-square", kind: SilentWrong, shows: &["severed", "non_finite"],
        test: "div_loses_the_gradient_of_a_large_denominator",
        what: "the gradient of the denominator is 0 or infinite",
        when: "f16, denominators above 256 or below 1/5800: their square leaves the type; so it does far out in \
            the other types",
        from: &[(DType::F64, 1.341e+154), (DType::F32, 1.845e+19), (DType::BF16, 1.845e+19), (DType::F16, 256.0)],
        below: &[(DType::F64, 1.572e-162), (DType::F32, 2.647e-23), (DType::BF16, 6.776e-21), (DType::F16, 0.0001726)],
        x: f16(&[320.], &[1]), of: Gradient,
        candle: |x| x.detach().div(x),
        is: Numbers(&[0.]), should_be: &[-0.003124237], within: 1e-05,
        torch: "x.detach() / x",
        instead: "divide in f32",
        right: |x| in_f32(x, |x| x.detach() / x),
        cause: ("candle-core/src/backprop.rs:209", "let rhs_grad = grad.mul(lhs)?.div(&rhs.sqr()?)?;"),
        ..DEFECT
    },
    Defect {
        name: "gelu-overflow", kind: SilentWrong, shows: &["non_finite", "wrong"],
        test: "gelu_of_a_large_element_has_a_nan_gradient",
        what: "the gradient is NaN",
        when: "f16, elements beyond 40 in magnitude; the other types far out",
        from: &[(DType::F64, 5.644e+102), (DType::F32, 6982000000000.0), (DType::BF16, 7009000000000.0), (DType::F16, 40.34)],
        x: f16(&[60.], &[1]), of: Gradient,
        candle: |x| x.gelu(),
        is: Numbers(&[f64::NAN]), should_be: &[1.],
        torch: "F.gelu(x, approximate=\"tanh\")",
        instead: "in f32, for the two half types; in f32 and f64 its formula in tensors, x (1 + 0.044715 x^2)",
        right: |x| in_f32(x, Tensor::gelu),
        cause: ("candle-core/src/backprop.rs:615",
            "+ (0.0535161 * cube + (0.398942 * arg)?)? * (1. - tanh.powf(2.)?))?"),
        ..DEFECT
    },
    Defect {
        name: "mish-overflow", kind: SilentWrong, shows: &["non_finite"],
        test: "mish_of_a_large_element_has_a_nan_gradient",
        what: "the gradient is NaN",
        when: "elements above 88.7 in f32 and bf16, above 11 in f16",
        from: &[(DType::F64, 709.8), (DType::F32, 88.72), (DType::BF16, 89.0), (DType::F16, 11.09)],
        x: f32(&[100.], &[1]), of: Gradient,
        candle: |x| ops::mish(x),
        is: Numbers(&[f64::NAN]), should_be: &[1.],
        torch: "F.mish(x)",
        instead: "x tanh(max(x, 0) + log(1 + exp(-|x|))), in f32",
        right: |x| x * softplus(x)?.tanh()?,
        cause: ("candle-nn/src/ops.rs:227", "xs * (1.0 + xs.exp()?)?.log()?.tanh()"),
        ..DEFECT
    },
    Defect {
        name: "selu-overflow", kind: SilentWrong, shows: &["non_finite"],
        test: "selu_of_a_large_element_has_a_nan_gradient",
        what: "the gradient is NaN",
        when: "elements above 88.7 in f32",
        from: &[(DType::F32, 88.72)],
        x: f32(&[100.], &[1]), of: Gradient,
        candle: |x| ops::selu(x, 1.6732632, 1.050701),
        is: Numbers(&[f64::NAN]), should_be: &[1.050701],
        torch: "F.selu(x)",
        instead: "xs.elu(alpha)? * gamma",
        right: |x| x.elu(1.67326324)? * 1.05070098,
        cause: ("candle-nn/src/ops.rs:238", "let neg = xs.exp()?.mul(&alpha_t)?.sub(&alpha_t)?;"),
        ..DEFECT
    },
    Defect {
        name: "bce-saturation", kind: SilentWrong, shows: &["forward"],
        test: "binary_cross_entropy_with_logit_is_infinite_for_a_large_logit",
        what: "the loss is NaN or infinite",
        when: "a logit so large that its sigmoid rounds to 0 or 1: beyond 37 in f64, 17 in f32, 8 in f16, 6 in \
            bf16",
        x: f32(&[40.], &[1]), of: Value,
        candle: |x| binary_cross_entropy_with_logit(x, &t(&[0.], &[1])?),
        is: Numbers(&[f64::INFINITY]), should_be: &[40.],
        torch: "F.binary_cross_entropy_with_logits(x, torch.tensor([0.]))",
        instead: "max(x, 0) - x t + log(1 + exp(-|x|))",
        right: |x| (softplus(x)? - (x * t(&[0.], &[1])?)?)?.mean_all(),
        cause: ("candle-nn/src/loss.rs:68",
            "let right_side = (target.affine(-1., 1.))? * inp.affine(-1., 1.)?.log()?;"),
        upstream: "https://github.com/huggingface/candle/issues/2561",
        readme: [
            "`binary_cross_entropy_with_logit` | loss **NaN or infinite** | a logit beyond 17 (f32), 8 (f16), \
                6 (bf16) | max(x, 0) - x t + log(1 + e^-abs(x))",
            "`binary_cross_entropy_with_logit` | 손실이 **NaN이나 무한대** | 로짓이 17(f32), 8(f16), 6(bf16)을 넘을 때 | \
                max(x, 0) - x t + log(1 + e^-abs(x))",
        ],
        ..DEFECT
    },
    Defect {
        name: "cpu-flash-strides", kind: SilentWrong, shows: &["forward", "panicked"],
        test: "flash_attn_reads_strided_queries_as_contiguous",
        what: "the values are wrong, or it panics",
        when: "one sequence without a causal mask, and q or k has a last dim that is not contiguous",
        x: f32(&[1., 2., 3., 4.], &[1, 1, 2, 2]), of: Value,
        candle: |x| flash(&x.transpose(2, 3)?, &t(&[1., 0., 0., 1., 0., 2., 2., 0.], &[1, 2, 2, 2])?),
        is: Numbers(&[0.1824255, 1.635149, 1.244919, 0.3775407]), should_be: &[0.0758582, 1.848284, 1., 0.5],
        torch: "F.scaled_dot_product_attention(x.transpose(2, 3).transpose(1, 2), k := torch.tensor([1., 0., 0., \
            1., 0., 2., 2., 0.]).reshape(1, 2, 2, 2).transpose(1, 2), k, scale=0.5)",
        instead: "contiguous() on q, k and v (and, for a gradient, as above)",
        right: |x| flash(&x.transpose(2, 3)?.contiguous()?, &t(&[1., 0., 0., 1., 0., 2., 2., 0.], &[1, 2, 2, 2])?),
        cause: ("candle-nn/src/attention/cpu_flash/standard.rs:345", "let q_row = &q_data[q_base..q_base + d];"),
        ..DEFECT
    },
    Defect {
        name: "cpu-flash-alibi", kind: SilentWrong, shows: &["forward"],
        test: "flash_attn_ignores_max_bias",
        what: "max_bias is ignored: the values are those without ALiBi",
        when: "one sequence, and neither a mask nor a causal one; with two sequences it is taken",
        x: f32(&[0., 0.], &[1, 2, 1, 1]), of: Value,
        candle: |x| {
            let v = t(&[0., 1.], &[1, 2, 1, 1])?;
            attention::flash_attn::<f32>(x, x, &v, 1., AttnMask::None, Some(1.), None)
        },
        is: Numbers(&[0.5, 0.5]), should_be: &[0.3775407, 0.622459], within: 0.001,
        torch: "F.scaled_dot_product_attention(x.transpose(1, 2), x.transpose(1, 2), torch.tensor([0., \
            1.]).reshape(1, 1, 2, 1), attn_mask=torch.tensor([[0., -0.5], [-0.5, 0.]]), scale=1.0)",
        instead: "add the biases to the scores: matmul, softmax, matmul",
        right: |x| {
            let q = x.transpose(1, 2)?.contiguous()?;
            let biases = t(&[0., -0.5, -0.5, 0.], &[2, 2])?;
            let scores = q.matmul(&q.t()?)?.broadcast_add(&biases)?;
            ops::softmax(&scores, D::Minus1)?.matmul(&t(&[0., 1.], &[1, 1, 2, 1])?)
        },
        cause: ("candle-nn/src/attention/cpu_flash/standard.rs:263", "let mv = if let Some(mv_vec) = mask_vec {"),
        ..DEFECT
    },
];
