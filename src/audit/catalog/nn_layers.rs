//! The layers of candle-nn, every parameter an input.

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::{
    BatchNorm, Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose1d, ConvTranspose1dConfig,
    ConvTranspose2d, ConvTranspose2dConfig, Embedding, GroupNorm, LayerNorm, Linear, RmsNorm,
};

use crate::audit::case::{Case, ids, pos, u, v, w};

const EPS: f64 = 1. / 1024.;
const F32_AND_NARROWER: [DType; 3] = [DType::F32, DType::BF16, DType::F16];

pub fn cases() -> Vec<Case> {
    let mut cases = linear();
    cases.extend(convolutions());
    cases.extend(layer_norms());
    cases.extend(batch_norms());
    cases.extend(group_norms());
    cases.extend(embeddings());
    cases.extend(containers());
    cases
}

fn linear() -> Vec<Case> {
    let path = "candle_nn::linear::Linear";
    let mut cases = Vec::new();
    for dims in [vec![2, 3], vec![2, 2, 3], vec![2, 1, 2, 3]] {
        let case = Case::grid(
            path,
            "with bias, input {input}",
            &[("input", &format!("{dims:?}"))],
        )
        .arg("x", v(&dims));
        cases.push(
            case.arg("weight", w(&[2, 3]))
                .arg("bias", u(&[2]))
                .run(|a| Linear::new(a[1].clone(), Some(a[2].clone())).forward(&a[0]))
                .torch("F.linear(x, weight, bias)"),
        );
    }
    cases.push(
        Case::new(path, "no bias")
            .arg("x", v(&[2, 3]))
            .arg("weight", w(&[2, 3]))
            .run(|a| Linear::new(a[1].clone(), None).forward(&a[0]))
            .torch("F.linear(x, weight)"),
    );
    cases.push(
        Case::new(path, "an input that is a view")
            .arg("x", v(&[2, 3, 2]))
            .arg("weight", w(&[2, 3]))
            .run(|a| Linear::new(a[1].clone(), None).forward(&a[0].transpose(1, 2)?))
            .twin("the input copied", |a| {
                Linear::new(a[1].clone(), None).forward(&a[0].transpose(1, 2)?.contiguous()?)
            })
            .plain()
            .torch("F.linear(x.transpose(1, 2), weight)"),
    );
    cases
}

fn convolutions() -> Vec<Case> {
    let one = |batch: usize| {
        Case::grid(
            "candle_nn::conv::Conv1d",
            "batch {batch}, with bias",
            &[("batch", &batch)],
        )
        .arg("x", v(&[batch, 2, 5]))
        .arg("weight", w(&[3, 2, 2]))
        .arg("bias", u(&[3]))
        .run(|a| {
            let config = Conv1dConfig {
                padding: 1,
                stride: 2,
                ..Default::default()
            };
            Conv1d::new(a[1].clone(), Some(a[2].clone()), config).forward(&a[0])
        })
        .torch("F.conv1d(x, weight, bias, 2, 1)")
        .batched(&[0])
    };
    let two = |batch: usize| {
        Case::grid(
            "candle_nn::conv::Conv2d",
            "batch {batch}, with bias",
            &[("batch", &batch)],
        )
        .arg("x", v(&[batch, 2, 4, 4]))
        .arg("weight", w(&[2, 2, 3, 3]))
        .arg("bias", u(&[2]))
        .run(|a| {
            let config = Conv2dConfig {
                padding: 1,
                ..Default::default()
            };
            Conv2d::new(a[1].clone(), Some(a[2].clone()), config).forward(&a[0])
        })
        .torch("F.conv2d(x, weight, bias, 1, 1)")
        .batched(&[0])
    };
    let mut cases = vec![one(1), one(2), two(1), two(2), transposed1(), transposed2()];
    cases.extend([absorbed(false), absorbed(true)]);
    cases
}

/// A convolution that has taken up the batch norm behind it.
fn absorbed(bias: bool) -> Case {
    let name = if bias { "with bias" } else { "no bias" };
    let case = Case::new("candle_nn::conv::Conv2d::absorb_bn", name)
        .arg("x", v(&[2, 2, 4, 4]))
        .arg("kernel", w(&[3, 2, 3, 3]))
        .arg("weight", pos(&[3]))
        .arg("shift", w(&[3]));
    let case = if bias {
        case.arg("bias", u(&[3]))
    } else {
        case
    };
    let inner = if bias { "bias" } else { "None" };
    case.run(|a| {
        let (mean, var) = running(a[0].dtype(), a[0].device())?;
        let norm = BatchNorm::new(3, mean, var, a[2].clone(), a[3].clone(), EPS)?;
        let conv = Conv2d::new(a[1].clone(), a.get(4).cloned(), Conv2dConfig::default());
        conv.absorb_bn(&norm)?.forward(&a[0])
    })
    .torch(format!(
        "F.batch_norm(F.conv2d(x, kernel, {inner}), torch.tensor([0.5, -0.25, 0.125]), \
         torch.tensor([1.5, 0.5, 0.75]), weight, shift, False, 0.1, 1/1024)"
    ))
    .only(&[DType::F64, DType::F32])
    .plain()
}

fn transposed1() -> Case {
    Case::new("candle_nn::conv::ConvTranspose1d", "with bias")
        .arg("x", v(&[2, 2, 3]))
        .arg("weight", w(&[2, 3, 2]))
        .arg("bias", u(&[3]))
        .run(|a| {
            let config = ConvTranspose1dConfig {
                stride: 2,
                ..Default::default()
            };
            ConvTranspose1d::new(a[1].clone(), Some(a[2].clone()), config).forward(&a[0])
        })
        .torch("F.conv_transpose1d(x, weight, bias, 2)")
        .batched(&[0])
}

fn transposed2() -> Case {
    Case::new("candle_nn::conv::ConvTranspose2d", "with bias")
        .arg("x", v(&[2, 2, 3, 2]))
        .arg("weight", w(&[2, 2, 2, 2]))
        .arg("bias", u(&[2]))
        .run(|a| {
            let config = ConvTranspose2dConfig {
                stride: 2,
                ..Default::default()
            };
            ConvTranspose2d::new(a[1].clone(), Some(a[2].clone()), config).forward(&a[0])
        })
        .torch("F.conv_transpose2d(x, weight, bias, 2)")
        .batched(&[0])
}

fn layer_norms() -> Vec<Case> {
    let layer = "candle_nn::layer_norm::LayerNorm";
    let rms = "x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1/1024) * weight";
    let of = |path, name: &str| {
        Case::new(path, name)
            .arg("x", v(&[2, 4]))
            .arg("weight", pos(&[4]))
    };
    vec![
        of(layer, "with bias")
            .arg("bias", w(&[4]))
            .run(|a| LayerNorm::new(a[1].clone(), a[2].clone(), EPS).forward(&a[0]))
            .torch("F.layer_norm(x, (4,), weight, bias, 1/1024)")
            .only(&F32_AND_NARROWER),
        Case::new(layer, "with bias, an input that is a view")
            .arg("x", v(&[4, 2]))
            .arg("weight", pos(&[4]))
            .arg("bias", w(&[4]))
            .run(|a| LayerNorm::new(a[1].clone(), a[2].clone(), EPS).forward(&a[0].t()?))
            .torch("F.layer_norm(x.mT, (4,), weight, bias, 1/1024)")
            .plain(),
        of(layer, "no bias")
            .run(|a| LayerNorm::new_no_bias(a[1].clone(), EPS).forward(&a[0]))
            .torch("F.layer_norm(x, (4,), weight, None, 1/1024)"),
        of(layer, "LayerNorm::rms_norm")
            .run(|a| LayerNorm::rms_norm(a[1].clone(), EPS).forward(&a[0]))
            .torch(rms),
        of("candle_nn::layer_norm::RmsNorm", "contiguous")
            .run(|a| RmsNorm::new(a[1].clone(), EPS).forward(&a[0]))
            .torch(rms)
            .only(&F32_AND_NARROWER),
        of("candle_nn::layer_norm::RmsNorm::forward_diff", "contiguous")
            .run(|a| RmsNorm::new(a[1].clone(), EPS).forward_diff(&a[0]))
            .torch(rms),
    ]
}

/// Fresh running statistics each call: training overwrites them.
fn batch_norm(a: &[Tensor]) -> Result<BatchNorm> {
    let (mean, var) = running(a[0].dtype(), a[0].device())?;
    BatchNorm::new(3, mean, var, a[1].clone(), a[2].clone(), EPS)
}

fn running(dtype: DType, device: &Device) -> Result<(Tensor, Tensor)> {
    let wide = match dtype {
        DType::BF16 | DType::F16 => DType::F32,
        d => d,
    };
    let mean = Tensor::new(&[0.5f32, -0.25, 0.125], device)?.to_dtype(wide)?;
    let var = Tensor::new(&[1.5f32, 0.5, 0.75], device)?.to_dtype(wide)?;
    Ok((mean, var))
}

fn batch_norms() -> Vec<Case> {
    let path = "candle_nn::batch_norm::BatchNorm";
    let of = |path, name: &str| {
        Case::new(path, name)
            .arg("x", v(&[3, 3, 2]))
            .arg("weight", pos(&[3]))
            .arg("bias", w(&[3]))
    };
    let train = "F.batch_norm(x, None, None, weight, bias, True, 0.1, 1/1024)";
    vec![
        of(
            "candle_nn::batch_norm::BatchNorm::forward_train",
            "with bias",
        )
        .run(|a| batch_norm(a)?.forward_train(&a[0]))
        .torch(train),
        of(path, "training")
            .run(|a| batch_norm(a)?.forward_t(&a[0], true))
            .torch(train),
        of(path, "not training")
            .run(|a| batch_norm(a)?.forward_t(&a[0], false))
            .torch(
                "F.batch_norm(x, torch.tensor([0.5, -0.25, 0.125]), \
                 torch.tensor([1.5, 0.5, 0.75]), weight, bias, False, 0.1, 1/1024)",
            )
            .only(&[DType::F64, DType::F32]),
        Case::new(path, "training, no bias")
            .arg("x", v(&[3, 3]))
            .run(|a| {
                let (mean, var) = running(a[0].dtype(), a[0].device())?;
                BatchNorm::new_no_bias(3, mean, var, EPS)?.forward_t(&a[0], true)
            })
            .torch("F.batch_norm(x, None, None, None, None, True, 0.1, 1/1024)"),
    ]
}

fn group_norms() -> Vec<Case> {
    [1, 2, 4]
        .into_iter()
        .map(|groups| {
            Case::grid(
                "candle_nn::group_norm::GroupNorm",
                "{groups} groups of 4",
                &[("groups", &groups)],
            )
            .arg("x", v(&[2, 4, 3]))
            .arg("weight", pos(&[4]))
            .arg("bias", w(&[4]))
            .run(move |a| {
                GroupNorm::new(a[1].clone(), a[2].clone(), 4, groups, EPS)?.forward(&a[0])
            })
            .torch(format!("F.group_norm(x, {groups}, weight, bias, 1/1024)"))
            .batched(&[0])
        })
        .collect()
}

fn embeddings() -> Vec<Case> {
    vec![
        Case::new(
            "candle_nn::embedding::Embedding",
            "repeated indices in two dims",
        )
        .arg("embeddings", v(&[4, 3]))
        .arg("indexes", ids(&[2, 3], &[3, 0, 3, 1, 3, 0]))
        .run(|a| Embedding::new(a[0].clone(), 3).forward(&a[1]))
        .torch("F.embedding(indexes, embeddings)"),
    ]
}

fn containers() -> Vec<Case> {
    let seq = || {
        candle_nn::seq()
            .add_fn(|x| x.sqr())
            .add(candle_nn::Activation::Silu)
    };
    let of = |path, name: &str| Case::new(path, name).arg("xs", v(&[2, 3]));
    vec![
        of("candle_nn::func::Func", "a square")
            .run(|a| candle_nn::func(|x| x.sqr()).forward(&a[0]))
            .torch("xs.square()"),
        of("candle_nn::func::FuncT", "a square")
            .run(|a| candle_nn::func_t(|x, _| x.sqr()).forward_t(&a[0], true))
            .torch("xs.square()"),
        of("candle_nn::sequential::Sequential", "two layers")
            .run(move |a| seq().forward(&a[0]))
            .torch("F.silu(xs.square())"),
        of(
            "candle_nn::sequential::Sequential::forward_all",
            "two layers, stacked",
        )
        .run(move |a| Tensor::stack(&seq().forward_all(&a[0])?, 0))
        .torch("torch.stack([xs.square(), F.silu(xs.square())])"),
        of("candle_core::Tensor::apply", "a layer")
            .run(|a| a[0].apply(&candle_nn::Activation::Silu))
            .torch("F.silu(xs)"),
        of("candle_core::Tensor::apply_t", "a layer, training")
            .run(|a| a[0].apply_t(&candle_nn::Activation::Silu, true))
            .torch("F.silu(xs)"),
    ]
}
