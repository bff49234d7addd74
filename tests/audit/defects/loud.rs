//! Fails loudly.

use candle_core::Tensor;
use candle_nn::ops;

use super::{
    DEFECT, Defect, Floor, Is::*, Kind::*, Of::*, bf16, f32, f64, in_f32, index, one_hot, t,
};

#[rustfmt::skip]
pub const ALL: &[Defect] = &[
    Defect {
        name: "pool-stride", kind: Loud, shows: &["unsupported"],
        test: "max_pool2d_with_stride_has_no_backward_for_overlapping_windows",
        what: "backward returns an error",
        when: "the stride differs from the kernel",
        x: f32(&[0., 1., 2., 3., 4., 5., 6., 7., 8.], &[1, 1, 3, 3]), of: Gradient,
        candle: |x| x.max_pool2d_with_stride(2, 1),
        is: Error("backward not supported for maxpool2d if ksize"),
        should_be: &[0., 0., 0., 0., 1., 1., 0., 1., 1.],
        torch: "F.max_pool2d(x, 2, 1)",
        instead: "stack the shifted index_selects of the windows and take max (or mean) over them",
        right: |x| {
            let window = |i, j| x.narrow(2, i, 2)?.narrow(3, j, 2);
            Tensor::stack(&[window(0, 0)?, window(0, 1)?, window(1, 0)?, window(1, 1)?], 0)?.max(0)
        },
        cause: ("candle-core/src/backprop.rs:364",
            "crate::bail!(\"backward not supported for maxpool2d if ksize {kernel_size:?} != stride {stride:?}\")"),
        upstream: "https://github.com/huggingface/candle/issues/1593",
        ..DEFECT
    },
    Defect {
        name: "upsample-broken-factor", kind: Loud, shows: &["unsupported"],
        test: "upsample_nearest1d_has_no_backward_for_broken_factors",
        what: "backward returns an error",
        when: "the target is not a multiple of the size",
        x: f32(&[1., 2.], &[1, 1, 2]), of: Gradient,
        candle: |x| x.upsample_nearest1d(3),
        is: Error("backward not supported for non integer upscaling factors"), should_be: &[2., 1.],
        torch: "F.interpolate(x, size=3)",
        instead: "index_select of the nearest elements",
        right: |x| x.index_select(&index(&[0, 0, 1])?, 2),
        cause: ("candle-core/src/backprop.rs:381",
            "crate::bail!(\"backward not supported for non integer upscaling factors\")"),
        ..DEFECT
    },
    Defect {
        name: "upsample-unequal-factors", kind: Loud, shows: &["unsupported"],
        test: "upsample_nearest2d_has_no_backward_for_unequal_factors",
        what: "backward returns an error",
        when: "height and width grow by different factors",
        x: f32(&[1., 2.], &[1, 1, 1, 2]), of: Gradient,
        candle: |x| x.upsample_nearest2d(2, 2),
        is: Error("backward not supported for non uniform upscaling factors"), should_be: &[2., 2.],
        torch: "F.interpolate(x, size=(2, 2))",
        instead: "index_select of the nearest rows and columns",
        right: |x| x.index_select(&index(&[0, 0])?, 2),
        cause: ("candle-core/src/backprop.rs:403",
            "crate::bail!(\"backward not supported for non uniform upscaling factors\")"),
        ..DEFECT
    },
    Defect {
        name: "upsample-bilinear", kind: Loud, shows: &["unsupported"],
        test: "upsample_bilinear2d_has_no_backward",
        what: "backward returns an error",
        when: "always, unless the size stays",
        x: f32(&[1., 2.], &[1, 1, 1, 2]), of: Gradient,
        candle: |x| x.upsample_bilinear2d(1, 3, false),
        is: Error("backward not supported for upsample_bilinear2d"), should_be: &[1.5, 1.5],
        torch: "F.interpolate(x, size=(1, 3), mode=\"bilinear\")",
        instead: "multiply by the op's own matrix: its value on the unit images",
        right: |x| {
            let units = t(&[1., 0., 0., 1.], &[2, 1, 1, 2])?.upsample_bilinear2d(1, 3, false)?;
            x.reshape((1, 2))?.matmul(&units.reshape((2, 3))?)?.reshape((1, 1, 1, 3))
        },
        cause: ("candle-core/src/backprop.rs:412", "crate::bail!(\"backward not supported for upsample_bilinear2d\")"),
        ..DEFECT
    },
    Defect {
        name: "conv-transpose1d", kind: Loud, shows: &["unsupported"],
        test: "conv_transpose1d_has_no_backward",
        what: "backward returns an error",
        when: "always",
        x: f32(&[1., 2.], &[1, 1, 2]), of: Gradient,
        candle: |x| x.conv_transpose1d(&t(&[1., 2., 3.], &[1, 1, 3])?, 0, 0, 1, 1, 1),
        is: Error("backward is not supported for conv-transpose1d"), should_be: &[6., 6.],
        torch: "F.conv_transpose1d(x, torch.tensor([[[1., 2., 3.]]]))",
        instead: "conv_transpose2d over a width of 1, the padding cut off afterwards",
        right: |x| {
            let kernel = t(&[1., 2., 3.], &[1, 1, 3, 1])?;
            x.unsqueeze(3)?.conv_transpose2d(&kernel, 0, 0, 1, 1)?.squeeze(3)
        },
        cause: ("candle-core/src/backprop.rs:315", "op: \"conv-transpose1d\","),
        ..DEFECT
    },
    Defect {
        name: "conv2d-remainders", kind: Loud, shows: &["unsupported"],
        test: "conv2d_has_no_backward_for_unequal_remainders",
        what: "backward returns an error",
        when: "a stride above 1 leaves different remainders in height and width",
        x: f32(&[1., 1.], &[1, 1, 2, 1]), of: Gradient,
        candle: |x| x.conv2d(&t(&[1.], &[1, 1, 1, 1])?, 0, 2, 1, 1),
        is: Error("shape mismatch in add, lhs: [1, 1, 2, 1], rhs: [1, 1, 2, 2]"), should_be: &[1., 0.],
        torch: "F.conv2d(x, torch.ones(1, 1, 1, 1), stride=2)",
        instead: "pad by hand and narrow to what the windows reach",
        right: |x| x.narrow(2, 0, 1)?.contiguous()?.conv2d(&t(&[1.], &[1, 1, 1, 1])?, 0, 2, 1, 1),
        cause: ("candle-core/src/backprop.rs:289", "let out_padding = arg.dim(2)? - out_size;"),
        ..DEFECT
    },
    Defect {
        name: "conv2d-bf16", kind: Loud, shows: &["error", "unsupported"],
        test: "conv2d_has_no_bf16",
        what: "the call itself returns an error; so does the backward of conv_transpose2d and of interpolate2d",
        when: "bf16 on the CPU",
        x: bf16(&[1.; 4], &[1, 1, 2, 2]), of: Value,
        candle: |x| x.conv2d(x, 0, 1, 1, 1),
        is: Error("unsupported dtype BF16 for op matmul"), should_be: &[4.],
        torch: "F.conv2d(x, x)",
        instead: "convolve in f32",
        right: |x| in_f32(x, |x| x.conv2d(x, 0, 1, 1, 1)),
        cause: ("candle-core/src/cpu_backend/conv2d.rs:247",
            "let result = matmul.f(&k_flat, &k_layout, &col_tile, &col_layout)?;"),
        ..DEFECT
    },
    Defect {
        name: "gather-fewer-rows", kind: Loud, shows: &["unsupported"],
        test: "gather_has_no_backward_for_fewer_rows",
        what: "backward returns an error",
        when: "indexes are smaller than the source in another dim",
        x: f32(&[1., 2., 3., 4.], &[2, 2]), of: Gradient,
        candle: |x| x.gather(&index(&[0])?.reshape((1, 1))?, 1),
        is: Error("shape mismatch in scatter (self, src), lhs: [2, 2], rhs: [1, 1]"), should_be: &[1., 0., 0., 0.],
        torch: "x.gather(1, torch.tensor([[0]]))",
        instead: "narrow the source to the shape of indexes first",
        right: |x| x.narrow(0, 0, 1)?.contiguous()?.gather(&index(&[0])?.reshape((1, 1))?, 1),
        cause: ("candle-core/src/backprop.rs:425", "*sum_grad = sum_grad.scatter_add(indexes, &grad, *dim)?;"),
        ..DEFECT
    },
    Defect {
        name: "scatter-add-smaller", kind: Loud, shows: &["unsupported"],
        test: "scatter_add_has_no_backward_for_fewer_indexes",
        what: "backward returns an error",
        when: "indexes are not as large as self in dim",
        x: f32(&[1., 2.], &[2]), of: Gradient,
        candle: |x| x.scatter_add(&index(&[0])?, &t(&[5.], &[1])?, 0),
        is: Error("shape mismatch in scatter (indexes, src), lhs: [1], rhs: [2]"), should_be: &[1., 1.],
        torch: "x.scatter_add(0, torch.tensor([0]), torch.tensor([5.]))",
        instead: "add source @ one_hot(indexes)",
        right: |x| x + t(&[5.], &[1, 1])?.matmul(&one_hot(&index(&[0])?, 2)?)?.squeeze(0)?,
        cause: ("candle-core/src/backprop.rs:438", "let mask = mask.scatter(indexes, &mask.zeros_like()?, *dim)?;"),
        ..DEFECT
    },
    Defect {
        name: "unfold-count", kind: Loud, shows: &["unsupported"],
        test: "unfold_has_no_backward_for_overlapping_windows",
        what: "backward returns an error",
        when: "the windows overlap or leave gaps",
        x: f32(&[1.; 4], &[4]), of: Gradient,
        candle: |x| x.unfold(0, 2, 1),
        is: Error("Shape mismatch, got buffer of size 6 which is compatible with shape [4]"),
        should_be: &[1., 2., 2., 1.],
        torch: "x.unfold(0, 2, 1)",
        instead: "index_select with the places of the windows, then reshape",
        right: |x| x.index_select(&index(&[0, 1, 1, 2, 2, 3])?, 0)?.reshape((3, 2)),
        cause: ("candle-core/src/tensor.rs:3000", "op: BackpropOp::new1(self, Op::Reshape),"),
        ..DEFECT
    },
    Defect {
        name: "bwd-none", kind: Loud, shows: &["panicked"],
        test: "apply_op1_panics_where_bwd_returns_none",
        what: "backward panics",
        when: "bwd returns None for an argument that is itself computed",
        x: f32(&[1.5], &[1]), of: Gradient,
        candle: |x| (x * 2.)?.apply_op1(Floor { zeros: false }),
        is: Panic, should_be: &[0.],
        torch: "torch.floor(x * 2)",
        pytorch: "takes None from a backward as zero",
        instead: "return zeros",
        right: |x| (x * 2.)?.apply_op1(Floor { zeros: true }),
        cause: ("candle-core/src/backprop.rs:175", ".expect(\"candle internal error - grad not populated\");"),
        ..DEFECT
    },
    Defect {
        name: "selu-types", kind: Loud, shows: &["error"],
        test: "selu_fails_in_every_type_but_f32",
        what: "the call itself returns an error",
        when: "any type but f32",
        x: f64(&[-1., 1.], &[2]), of: Value,
        candle: |x| ops::selu(x, 1.6732632, 1.050701),
        is: Error("dtype mismatch in mul, lhs: F64, rhs: F32"), should_be: &[-1.11133073781256, 1.05070098735548],
        torch: "F.selu(x)",
        instead: "xs.elu(alpha)? * gamma",
        right: |x| x.elu(1.67326324)? * 1.05070098,
        cause: ("candle-nn/src/ops.rs:237", "let alpha_t = Tensor::full(alpha, xs.dims(), xs.device())?;"),
        ..DEFECT
    },
    Defect {
        name: "conv-transpose2d-output-padding", kind: Loud, shows: &["unsupported"],
        test: "conv_transpose2d_has_no_backward_for_a_large_output_padding",
        what: "backward returns an error: the convolution of the gradient gives more than the input has",
        when: "an output padding that is not below the stride (but below the dilation)",
        x: f32(&[1.; 4], &[1, 1, 2, 2]), of: Gradient,
        candle: |x| x.conv_transpose2d(&t(&[1.; 4], &[1, 1, 2, 2])?, 1, 1, 1, 2),
        is: Error("shape mismatch in add, lhs: [1, 1, 2, 2], rhs: [1, 1, 3, 3]"), should_be: &[1., 2., 2., 4.],
        torch: "F.conv_transpose2d(x, torch.ones(1, 1, 2, 2), padding=1, output_padding=1, dilation=2)",
        instead: "without padding and output padding, then narrow to what is wanted",
        right: |x| x.conv_transpose2d(&t(&[1.; 4], &[1, 1, 2, 2])?, 0, 0, 1, 2)?.narrow(2, 1, 3)?.narrow(3, 1, 3),
        cause: ("candle-core/src/backprop.rs:325",
            "let grad_arg = grad.conv2d(kernel, *padding, *stride, *dilation, 1)?;"),
        ..DEFECT
    },
];
