//! Stops the gradient, silently.

use candle_core::quantized::QMatMul;
use candle_core::{D, Device, Module, Tensor};
use candle_nn::kv_cache::{ConcatKvCache, KvCache};
use candle_nn::{attention, ops, rotary_emb};

use super::{DEFECT, Defect, Is::*, Kind::*, Of::*, by_hand, f32, flash, index, quantized, t};

#[rustfmt::skip]
pub const ALL: &[Defect] = &[
    Defect {
        name: "softmax-last-dim", kind: SilentStop, shows: &["severed"],
        test: "softmax_last_dim_has_no_gradient",
        what: "the result has no gradient",
        when: "always",
        x: f32(&[1., 2.], &[1, 2]), of: Gradient,
        candle: |x| ops::softmax_last_dim(x)?.narrow(1, 0, 1),
        is: NoGradient, should_be: &[0.1966119, -0.1966119],
        torch: "torch.softmax(x, -1)[:, :1]",
        instead: "candle_nn::ops::softmax(xs, D::Minus1)",
        right: |x| ops::softmax(x, D::Minus1)?.narrow(1, 0, 1),
        cause: ("candle-nn/src/ops.rs:438", "xs.apply_op1_no_bwd(&SoftmaxLastDim)"),
        upstream: "https://github.com/huggingface/candle/issues/3569",
        readme: [
            "`ops::softmax_last_dim` | **no gradient** | always | `ops::softmax(xs, D::Minus1)`",
            "`ops::softmax_last_dim` | **변화도 없음** | 항상 | `ops::softmax(xs, D::Minus1)`",
        ],
        ..DEFECT
    },
    Defect {
        name: "varlen-unfused", kind: SilentStop, shows: &["severed"],
        test: "flash_attn_varlen_unfused_has_no_gradient_of_q_and_k",
        what: "q and k get no gradient",
        when: "always: it calls softmax_last_dim",
        x: f32(&[1., 2., 3., 4.], &[2, 1, 2]), of: Gradient,
        candle: |x| {
            let (k, lengths) = (t(&[1., 0., 0., 2.], &[2, 1, 2])?, index(&[2])?);
            attention::varlen::flash_attn_varlen_unfused( x, &k, &k, None, &lengths, &lengths, 2, 2, 0.5, false, None, None)
        },
        is: NoGradient, should_be: &[-0.07457322, 0.1491465, -0.03505186, 0.07010366],
        torch: "F.scaled_dot_product_attention(x[:, 0], k := torch.tensor([[1., 0.], [0., 2.]]), k, scale=0.5)",
        instead: "matmul, ops::softmax and matmul for each sequence",
        right: |x| by_hand(&x.unsqueeze(0)?, &t(&[1., 0., 0., 2.], &[1, 2, 1, 2])?),
        cause: ("candle-nn/src/attention/varlen.rs:147",
            "let attention_probs = ops::softmax_last_dim(&attention_scores)?;"),
        ..DEFECT
    },
    Defect {
        name: "rms-norm", kind: SilentStop, shows: &["severed"],
        test: "rms_norm_has_no_gradient",
        what: "neither the input nor the weight gets a gradient",
        when: "RmsNorm: the input is contiguous; ops::rms_norm: always",
        x: f32(&[1., 2.], &[1, 2]), of: Gradient,
        candle: |x| ops::rms_norm(x, &t(&[1., 1.], &[2])?, 1e-5)?.narrow(1, 0, 1),
        is: NoGradient, should_be: &[0.5059639, -0.2529807],
        torch: "F.rms_norm(x, (2,), torch.ones(2), 1e-5)[:, :1]",
        instead: "RmsNorm::forward_diff, or ops::rms_norm_slow",
        right: |x| ops::rms_norm_slow(x, &t(&[1., 1.], &[2])?, 1e-5)?.narrow(1, 0, 1),
        cause: ("candle-nn/src/ops.rs:684", "xs.apply_op2_no_bwd(alpha, &RmsNorm { eps })"),
        upstream: "https://github.com/huggingface/candle/issues/2168",
        readme: [
            "`RmsNorm`, `ops::rms_norm` | **no gradient** | a contiguous input | `RmsNorm::forward_diff`, \
                `ops::rms_norm_slow`",
            "`RmsNorm`, `ops::rms_norm` | **변화도 없음** | 입력이 연속일 때 | `RmsNorm::forward_diff`, \
                `ops::rms_norm_slow`",
        ],
        ..DEFECT
    },
    Defect {
        name: "layer-norm", kind: SilentStop, shows: &["severed"],
        test: "layer_norm_has_no_gradient",
        what: "neither the input nor weight and bias get a gradient",
        when: "LayerNorm: the input is contiguous and there is a bias; ops::layer_norm: always",
        x: f32(&[1., 2., 4.], &[1, 3]), of: Gradient,
        candle: |x| {
            let (weight, bias) = (t(&[1.;
            3], &[3])?, t(&[0.;
            3], &[3])?);
            ops::layer_norm(x, &weight, &bias, 1e-5)?.narrow(1, 0, 1)
        },
        is: NoGradient, should_be: &[0.2290823, -0.3436199, 0.1145376],
        torch: "F.layer_norm(x, (3,), torch.ones(3), torch.zeros(3), 1e-5)[:, :1]",
        instead: "ops::layer_norm_slow, or LayerNorm::new_no_bias and an addition",
        right: |x| {
            let (weight, bias) = (t(&[1.;
            3], &[3])?, t(&[0.;
            3], &[3])?);
            ops::layer_norm_slow(x, &weight, &bias, 1e-5)?.narrow(1, 0, 1)
        },
        cause: ("candle-nn/src/ops.rs:944", "xs.apply_op3_no_bwd(alpha, beta, &LayerNorm { eps })"),
        upstream: "https://github.com/huggingface/candle/issues/3011",
        readme: [
            "`LayerNorm`, `ops::layer_norm` | **no gradient** | a contiguous input and a bias | \
                `ops::layer_norm_slow`; or `LayerNorm::new_no_bias` and an addition",
            "`LayerNorm`, `ops::layer_norm` | **변화도 없음** | 입력이 연속이고 편향이 있을 때 | `ops::layer_norm_slow`, 또는 \
                `LayerNorm::new_no_bias`에 편향을 더함",
        ],
        ..DEFECT
    },
    Defect {
        name: "rope", kind: SilentStop, shows: &["severed"],
        test: "rope_has_no_gradient",
        what: "nothing gets a gradient",
        when: "always",
        x: f32(&[1., 2.], &[1, 1, 1, 2]), of: Gradient,
        candle: |x| rotary_emb::rope(x, &t(&[0.8], &[1, 1])?, &t(&[0.6], &[1, 1])?),
        is: NoGradient, should_be: &[1.4, 0.2],
        torch: "torch.cat([x[..., :1] * 0.8 - x[..., 1:] * 0.6, x[..., :1] * 0.6 + x[..., 1:] * 0.8], -1)",
        instead: "rope_slow, rope_i_slow",
        right: |x| rotary_emb::rope_slow(x, &t(&[0.8], &[1, 1])?, &t(&[0.6], &[1, 1])?),
        cause: ("candle-nn/src/rotary_emb.rs:580", "xs.apply_op3_no_bwd(cos, sin, &RotaryEmb)"),
        upstream: "https://github.com/huggingface/candle/issues/3568",
        readme: [
            "`rope`, `rope_i`, `rope_thd` | **no gradient** | always | `rope_slow`, `rope_i_slow`",
            "`rope`, `rope_i`, `rope_thd` | **변화도 없음** | 항상 | `rope_slow`, `rope_i_slow`",
        ],
        ..DEFECT
    },
    Defect {
        name: "cpu-flash-attention", kind: SilentStop, shows: &["severed"],
        test: "flash_attn_has_no_gradient",
        what: "nothing gets a gradient",
        when: "always",
        x: f32(&[1., 2., 3., 4.], &[1, 2, 1, 2]), of: Gradient,
        candle: |x| flash(x, &t(&[1., 0., 0., 2.], &[1, 2, 1, 2])?),
        is: NoGradient, should_be: &[-0.07457322, 0.1491465, -0.03505186, 0.07010366],
        torch: "F.scaled_dot_product_attention(x[0, :, 0], k := torch.tensor([[1., 0.], [0., 2.]]), k, scale=0.5)",
        instead: "matmul, ops::softmax and matmul",
        right: |x| by_hand(x, &t(&[1., 0., 0., 2.], &[1, 2, 1, 2])?),
        cause: ("candle-nn/src/attention/cpu_flash/standard.rs:380",
            "Tensor::from_vec(out, (1usize, h, q_len, dv), &Device::Cpu)"),
        readme: [
            "`attention::flash_attn` and its kin | **no gradient** | on the CPU, always | `matmul`, \
                `ops::softmax`, `matmul`",
            "`attention::flash_attn` 계열 | **변화도 없음** | CPU에서 항상 | `matmul`, `ops::softmax`, `matmul`",
        ],
        ..DEFECT
    },
    Defect {
        name: "caches-in-place", kind: SilentStop, shows: &["severed"],
        test: "kv_cache_gives_back_what_has_no_gradient",
        what: "what is read from the cache has no gradient",
        when: "always; slice_set and scatter_set work in place and say so",
        x: f32(&[1., 2.], &[1, 1, 1, 2]), of: Gradient,
        candle: |x| Ok(KvCache::new(2, 3).append(x, x)?.0),
        is: NoGradient, should_be: &[1., 1.],
        torch: "torch.cat([x], 2)",
        instead: "Tensor::cat of what must be differentiated",
        right: |x| Tensor::cat(&[x], 2),
        cause: ("candle-nn/src/kv_cache.rs:76", "ad.slice_set(src, self.dim, self.current_seq_len)?;"),
        ..DEFECT
    },
    Defect {
        name: "caches-detached", kind: SilentStop, shows: &["severed"],
        test: "concat_kv_cache_gives_back_what_has_no_gradient",
        what: "what is read from the cache has no gradient",
        when: "always: meant for inference, as a comment in the source says",
        x: f32(&[1., 2.], &[1, 1, 1, 2]), of: Gradient,
        candle: |x| Ok(ConcatKvCache::new(2).append(x, x)?.0),
        is: NoGradient, should_be: &[1., 1.],
        torch: "torch.cat([x], 2)",
        instead: "Tensor::cat of what must be differentiated",
        right: |x| Tensor::cat(&[x], 2),
        cause: ("candle-nn/src/kv_cache.rs:727", "let k = k.contiguous()?.detach();"),
        ..DEFECT
    },
    Defect {
        name: "qmatmul", kind: SilentStop, shows: &["severed"],
        test: "qmatmul_has_no_gradient_of_its_input",
        what: "the input gets no gradient",
        when: "the weight is quantized (not F32, F16, BF16)",
        x: f32(&[1.], &[1, 1]), of: Gradient,
        candle: |x| QMatMul::from_qtensor(quantized()?)?.forward(&x.broadcast_as((1, 32))?.contiguous()?),
        is: NoGradient, should_be: &[32.], within: 0.1,
        torch: "x.expand(1, 32) @ torch.ones(32, 1)",
        instead: "xs.matmul(&qtensor.dequantize(device)?.t()?)",
        right: |x| {
            let weight = quantized()?.dequantize(&Device::Cpu)?;
            x.broadcast_as((1, 32))?.contiguous()?.matmul(&weight.t()?)
        },
        cause: ("candle-core/src/quantized/mod.rs:1290", "Self::QTensor(t) => xs.apply_op1_no_bwd(t.as_ref()),"),
        upstream: "https://github.com/huggingface/candle/pull/2729",
        readme: [
            "`QMatMul` | **no gradient** of its input | a quantized weight | \
                `xs.matmul(&w.dequantize(device)?.t()?)`",
            "`QMatMul` | 입력의 **변화도 없음** | 양자화된 가중치 | `xs.matmul(&w.dequantize(device)?.t()?)`",
        ],
        ..DEFECT
    },
    Defect {
        name: "in-place", kind: SilentStop, shows: &["severed", "wrong"],
        test: "slice_set_cuts_the_gradient_of_what_is_written_in",
        what: "the graph does not know of the change: what is written in gets no gradient, what was overwritten \
            keeps its own",
        when: "always; of slice_set the documentation says so",
        x: f32(&[3.], &[1]), of: Gradient,
        candle: |x| {
            let y = t(&[0., 0.], &[2])?;
            y.slice_set(x, 0, 0)?;
            Ok(y)
        },
        is: NoGradient, should_be: &[1.],
        torch: "torch.cat([x, torch.zeros(1)])",
        instead: "Tensor::cat of what must be differentiated",
        right: |x| Tensor::cat(&[x, &t(&[0.], &[1])?], 0),
        cause: ("candle-core/src/tensor_cat.rs:247",
            "pub fn slice_set<D: Dim>(&self, src: &Self, dim: D, offset: usize) -> Result<()> {"),
        ..DEFECT
    },
];
