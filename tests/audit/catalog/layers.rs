//! The layers of candle-nn, every parameter an input.

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::{
    BatchNorm, Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose1d, ConvTranspose1dConfig,
    ConvTranspose2d, ConvTranspose2dConfig, Embedding, GroupNorm, LayerNorm, Linear, RmsNorm,
};

use crate::case::{Case, NARROW, ids, pos, u, v, w};

const EPS: f64 = 1. / 1024.;

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    linear(&mut cases);
    convolutions(&mut cases);
    layer_norms(&mut cases);
    batch_norms(&mut cases);
    containers(&mut cases);
    samples! { cases, "candle_nn::embedding::Embedding";
        "repeated indices in two dims", ["embeddings" v(&[4, 3]), "indexes" ids(&[2, 3], &[3, 0, 3, 1, 3, 0])],
            |a| Embedding::new(a[0].clone(), 3).forward(&a[1]);
    }
    cases
}

fn linear(cases: &mut Vec<Case>) {
    let path = "candle_nn::linear::Linear";
    for dims in [vec![2, 3], vec![2, 2, 3], vec![2, 1, 2, 3]] {
        samples! { cases, path;
            format!("with bias, input {dims:?}"), ["x" v(&dims), "weight" w(&[2, 3]), "bias" u(&[2])],
                |a| Linear::new(a[1].clone(), Some(a[2].clone())).forward(&a[0]),
                fails_if(dims.len() > 2, "matmul-fold: x, weight, bias, strided");
        }
    }
    samples! { cases, path;
        "no bias", ["x" v(&[2, 3]), "weight" w(&[2, 3])], |a| Linear::new(a[1].clone(), None).forward(&a[0]);
        "an input that is a view", ["x" v(&[2, 3, 2]), "weight" w(&[2, 3])],
            |a| Linear::new(a[1].clone(), None).forward(&a[0].transpose(1, 2)?),
            twin("the input copied", |a| Linear::new(a[1].clone(), None).forward(&a[0].transpose(1, 2)?.contiguous()?)),
            plain(), fails("matmul-fold");
    }
}

fn convolutions(cases: &mut Vec<Case>) {
    let one = Conv1dConfig {
        padding: 1,
        stride: 2,
        ..Default::default()
    };
    let two = Conv2dConfig {
        padding: 1,
        ..Default::default()
    };
    for batch in [1, 2] {
        let name = format!("batch {batch}, with bias");
        samples! { cases, "candle_nn::conv::Conv1d";
            name.as_str(), ["x" v(&[batch, 2, 5]), "weight" w(&[3, 2, 2]), "bias" u(&[3])],
                |a| Conv1d::new(a[1].clone(), Some(a[2].clone()), one).forward(&a[0]), batched(),
                fails("conv1d-strided-kernel: strided"),
                fails_if(batch > 1, "conv1d-strided-kernel: weight");
        }
        samples! { cases, "candle_nn::conv::Conv2d";
            name, ["x" v(&[batch, 2, 4, 4]), "weight" w(&[2, 2, 3, 3]), "bias" u(&[2])],
                |a| Conv2d::new(a[1].clone(), Some(a[2].clone()), two).forward(&a[0]), batched(), fails("conv2d-bf16: bf16");
        }
    }
    let one = ConvTranspose1dConfig {
        stride: 2,
        ..Default::default()
    };
    let two = ConvTranspose2dConfig {
        stride: 2,
        ..Default::default()
    };
    samples! { cases, "candle_nn::conv::ConvTranspose1d";
        "with bias", ["x" v(&[2, 2, 3]), "weight" w(&[2, 3, 2]), "bias" u(&[3])],
            |a| ConvTranspose1d::new(a[1].clone(), Some(a[2].clone()), one).forward(&a[0]), batched(), fails("matmul-fold");
    }
    samples! { cases, "candle_nn::conv::ConvTranspose2d";
        "with bias", ["x" v(&[2, 2, 3, 2]), "weight" w(&[2, 2, 2, 2]), "bias" u(&[2])],
            |a| ConvTranspose2d::new(a[1].clone(), Some(a[2].clone()), two).forward(&a[0]), batched(),
            fails("conv2d-bf16: bf16");
    }
    // A convolution that has taken up the batch norm behind it.
    for (name, bias) in [("with bias", true), ("no bias", false)] {
        let mut case = case!("candle_nn::conv::Conv2d::absorb_bn", name,
            ["x" v(&[2, 2, 4, 4]), "kernel" w(&[3, 2, 3, 3]), "weight" pos(&[3]), "shift" w(&[3])],
            |a| {
                let conv = Conv2d::new(a[1].clone(), a.get(4).cloned(), Conv2dConfig::default());
                conv.absorb_bn(&batch_norm(&a[2], &a[3])?)?.forward(&a[0])
            }, only(&[DType::F64, DType::F32]), plain());
        if bias {
            case = case.arg("bias", u(&[3]));
        }
        cases.push(case);
    }
}

fn layer_norms(cases: &mut Vec<Case>) {
    samples! { cases, "candle_nn::layer_norm::LayerNorm";
        "with bias", ["x" v(&[2, 4]), "weight" pos(&[4]), "bias" w(&[4])],
            |a| LayerNorm::new(a[1].clone(), a[2].clone(), EPS).forward(&a[0]), only(&NARROW), fails("layer-norm");
        "with bias, an input that is a view", ["x" v(&[4, 2]), "weight" pos(&[4]), "bias" w(&[4])],
            |a| LayerNorm::new(a[1].clone(), a[2].clone(), EPS).forward(&a[0].t()?), plain();
        "no bias", ["x" v(&[2, 4]), "weight" pos(&[4])], |a| LayerNorm::new_no_bias(a[1].clone(), EPS).forward(&a[0]);
        "LayerNorm::rms_norm", ["x" v(&[2, 4]), "weight" pos(&[4])],
            |a| LayerNorm::rms_norm(a[1].clone(), EPS).forward(&a[0]);
    }
    samples! { cases, "candle_nn::layer_norm::RmsNorm";
        "contiguous", ["x" v(&[2, 4]), "weight" pos(&[4])],
            |a| RmsNorm::new(a[1].clone(), EPS).forward(&a[0]), only(&NARROW), fails("rms-norm");
    }
    samples! { cases, "candle_nn::layer_norm::RmsNorm::forward_diff";
        "contiguous", ["x" v(&[2, 4]), "weight" pos(&[4])], |a| RmsNorm::new(a[1].clone(), EPS).forward_diff(&a[0]);
    }
    for groups in [1, 2, 4] {
        samples! { cases, "candle_nn::group_norm::GroupNorm";
            format!("{groups} groups of 4"), ["x" v(&[2, 4, 3]), "weight" pos(&[4]), "bias" w(&[4])],
                |a| GroupNorm::new(a[1].clone(), a[2].clone(), 4, groups, EPS)?.forward(&a[0]), batched();
        }
    }
}

/// Three channels; fresh running statistics each call, since training overwrites them.
fn batch_norm(weight: &Tensor, bias: &Tensor) -> Result<BatchNorm> {
    let (mean, var) = running(weight.dtype())?;
    BatchNorm::new(3, mean, var, weight.clone(), bias.clone(), EPS)
}

fn running(dtype: DType) -> Result<(Tensor, Tensor)> {
    let wide = if dtype == DType::F64 {
        dtype
    } else {
        DType::F32
    };
    let mean = Tensor::new(&[0.5f32, -0.25, 0.125], &Device::Cpu)?;
    let var = Tensor::new(&[1.5f32, 0.5, 0.75], &Device::Cpu)?;
    Ok((mean.to_dtype(wide)?, var.to_dtype(wide)?))
}

fn batch_norms(cases: &mut Vec<Case>) {
    samples! { cases, "candle_nn::batch_norm::BatchNorm::forward_train";
        "with bias", ["x" v(&[3, 3, 2]), "weight" pos(&[3]), "bias" w(&[3])],
            |a| batch_norm(&a[1], &a[2])?.forward_train(&a[0]);
    }
    samples! { cases, "candle_nn::batch_norm::BatchNorm";
        "training", ["x" v(&[3, 3, 2]), "weight" pos(&[3]), "bias" w(&[3])],
            |a| batch_norm(&a[1], &a[2])?.forward_t(&a[0], true);
        "not training", ["x" v(&[3, 3, 2]), "weight" pos(&[3]), "bias" w(&[3])],
            |a| batch_norm(&a[1], &a[2])?.forward_t(&a[0], false), only(&[DType::F64, DType::F32]);
        "training, no bias", ["x" v(&[3, 3])], |a| {
            let (mean, var) = running(a[0].dtype())?;
            BatchNorm::new_no_bias(3, mean, var, EPS)?.forward_t(&a[0], true)
        };
    }
}

fn containers(cases: &mut Vec<Case>) {
    let seq = || {
        candle_nn::seq()
            .add_fn(|x| x.sqr())
            .add(candle_nn::Activation::Silu)
    };
    let x = || v(&[2, 3]);
    samples! { cases, "candle_nn::func::Func";
        "a square", ["xs" x()], |a| candle_nn::func(|x| x.sqr()).forward(&a[0]);
    }
    samples! { cases, "candle_nn::func::FuncT";
        "a square", ["xs" x()], |a| candle_nn::func_t(|x, _| x.sqr()).forward_t(&a[0], true);
    }
    samples! { cases, "candle_nn::sequential::Sequential";
        "two layers", ["xs" x()], |a| seq().forward(&a[0]);
    }
    samples! { cases, "candle_nn::sequential::Sequential::forward_all";
        "two layers, stacked", ["xs" x()], |a| Tensor::stack(&seq().forward_all(&a[0])?, 0);
    }
    samples! { cases, "candle_core::Tensor::apply";
        "a layer", ["xs" x()], |a| a[0].apply(&candle_nn::Activation::Silu);
    }
    samples! { cases, "candle_core::Tensor::apply_t";
        "a layer, training", ["xs" x()], |a| a[0].apply_t(&candle_nn::Activation::Silu, true);
    }
}
