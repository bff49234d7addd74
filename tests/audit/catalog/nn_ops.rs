//! `candle_nn::ops`, the losses and the activations.

use candle_core::{D, DType, Module, Result, Tensor};
use candle_nn::{Activation, PReLU, loss, ops};

use crate::case::{Case, NARROW, Values, at, far, ids, pos, v, w, wide};

type Unary = fn(&Tensor) -> Result<Tensor>;

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    activations(&mut cases);
    variants(&mut cases);
    with_parameters(&mut cases);
    softmaxes(&mut cases);
    norms(&mut cases);
    samples! { cases, "candle_nn::ops::pixel_shuffle";
        "by 2", ["xs" v(&[1, 4, 2, 3])], |a| ops::pixel_shuffle(&a[0], 2);
    }
    samples! { cases, "candle_nn::ops::pixel_unshuffle";
        "by 2", ["xs" v(&[1, 2, 4, 2])], |a| ops::pixel_unshuffle(&a[0], 2);
    }
    samples! { cases, "candle_nn::ops::replication_pad2d";
        "by 1", ["xs" v(&[1, 2, 2, 3])], |a| ops::replication_pad2d(&a[0], 1);
        "by 0", ["xs" v(&[1, 2, 2, 3])], |a| ops::replication_pad2d(&a[0], 0);
    }
    losses(&mut cases);
    cases
}

fn activations(cases: &mut Vec<Case>) {
    let of: [(&str, Unary); 5] = [
        ("candle_nn::ops::sigmoid", ops::sigmoid),
        ("candle_nn::ops::hard_sigmoid", ops::hard_sigmoid),
        ("candle_nn::ops::mish", ops::mish),
        ("candle_nn::ops::silu", ops::silu),
        ("candle_nn::ops::leaky_relu", |x| ops::leaky_relu(x, 0.125)),
    ];
    for (path, f) in of {
        samples! { cases, path;
            "moderate", ["xs" v(&[3, 4])], |a| f(&a[0]);
            "-100 to 100", ["xs" wide()], |a| f(&a[0]), fails_if(path.ends_with("mish"), "mish-overflow: f32, bf16, f16");
        }
    }
    samples! { cases, "candle_nn::ops::hard_sigmoid";
        "at -3", ["xs" at(&[-3.])], |a| ops::hard_sigmoid(&a[0]), kink("hard-sigmoid-at-bound");
        "at 3", ["xs" at(&[3.])], |a| ops::hard_sigmoid(&a[0]), kink("hard-sigmoid-at-bound");
    }
    samples! { cases, "candle_nn::ops::leaky_relu";
        "at 0", ["xs" at(&[0.])], |a| ops::leaky_relu(&a[0], 0.125), kink("leaky-relu-at-0");
    }
}

/// Name, variant, what it shows everywhere, at moderate values and from -100 to 100; where it has a kink.
type Variant = (
    &'static str,
    Activation,
    [&'static str; 3],
    &'static [f64],
    &'static str,
);

#[rustfmt::skip]
const VARIANTS: [Variant; 15] = [
    ("gelu", Activation::Gelu, ["gelu-erf-constants: f64", "gelu-erf-tail: f16", ""], &[], ""),
    ("new gelu", Activation::NewGelu, ["gelu-constants: f64", "", "gelu-overflow: f16"], &[], ""),
    ("relu", Activation::Relu, ["", "", ""], &[0.], "relu-at-0"),
    ("relu2", Activation::Relu2, ["", "", ""], &[], ""),
    ("relu6", Activation::Relu6, ["", "", ""], &[0., 6.], "relu6-at-bound"),
    ("silu", Activation::Silu, ["", "", ""], &[], ""),
    ("sigmoid", Activation::Sigmoid, ["", "", ""], &[], ""),
    ("hard sigmoid", Activation::HardSigmoid, ["", "", ""], &[-3., 3.], "hard-sigmoid-at-bound"),
    ("swiglu", Activation::Swiglu, ["", "", ""], &[], ""),
    ("swish", Activation::Swish, ["", "", ""], &[], ""),
    ("mish", Activation::Mish, ["", "", "mish-overflow: f32, bf16, f16"], &[], ""),
    ("hard swish", Activation::HardSwish, ["", "", ""], &[-3., 3.], "hard-sigmoid-at-bound"),
    ("elu 0.5", Activation::Elu(0.5), ["", "", ""], &[0.], "elu-at-0"),
    ("leaky relu 0.125", Activation::LeakyRelu(0.125), ["", "", ""], &[0.], "leaky-relu-at-0"),
    ("gelu pytorch tanh", Activation::GeluPytorchTanh, ["gelu-constants: f64", "", "gelu-overflow: f16"], &[], ""),
];

fn variants(cases: &mut Vec<Case>) {
    let path = "candle_nn::activation::Activation";
    for (name, f, [all, moderate, far], kinks, convention) in VARIANTS {
        samples! { cases, path;
            format!("{name}, moderate"), ["xs" v(&[3, 4])], |a| f.forward(&a[0]),
                fails_if(!all.is_empty(), all), fails_if(!moderate.is_empty(), moderate);
            format!("{name}, -100 to 100"), ["xs" wide()], |a| f.forward(&a[0]),
                fails_if(!all.is_empty(), all), fails_if(!far.is_empty(), far);
        }
        for x in kinks {
            samples! { cases, path; format!("{name}, at {x}"), ["xs" at(&[*x])], |a| f.forward(&a[0]), kink(convention); }
        }
    }
}

fn with_parameters(cases: &mut Vec<Case>) {
    samples! { cases, "candle_nn::activation::PReLU";
        "one weight", ["xs" v(&[2, 3]), "weight" w(&[1])], |a| PReLU::new(a[1].clone(), true).forward(&a[0]);
        "a weight a channel", ["xs" v(&[2, 3, 2]), "weight" w(&[3])],
            |a| PReLU::new(a[1].clone(), false).forward(&a[0]);
        "at 0", ["xs" at(&[0.])], |a| PReLU::new(a[0].ones_like()?.affine(0.25, 0.)?, true).forward(&a[0]),
            kink("leaky-relu-at-0");
    }
    samples! { cases, "candle_nn::ops::selu";
        "moderate", ["xs" v(&[3, 4])], |a| ops::selu(&a[0], 1.625, 1.0625), fails("selu-types: f64, bf16, f16");
        "-100 to 100", ["xs" wide()], |a| ops::selu(&a[0], 1.625, 1.0625), fails("selu-types: f64, bf16, f16"),
            fails("selu-overflow: f32");
        "at 0", ["xs" at(&[0.])], |a| ops::selu(&a[0], 1.625, 1.0625), only(&[DType::F32]), kink("selu-at-0");
    }
    samples! { cases, "candle_nn::ops::swiglu";
        "moderate", ["xs" v(&[2, 6])], |a| ops::swiglu(&a[0]);
    }
    samples! { cases, "candle_nn::ops::dropout";
        "probability 0", ["xs" v(&[2, 3])], |a| ops::dropout(&a[0], 0.);
    }
    samples! { cases, "candle_nn::ops::Dropout";
        "not training", ["xs" v(&[2, 3])], |a| ops::Dropout::new(0.5).forward(&a[0], false);
        "training, probability 0", ["xs" v(&[2, 3])], |a| ops::Dropout::new(0.).forward(&a[0], true);
    }
    samples! { cases, "candle_nn::ops::Identity";
        "a matrix", ["xs" v(&[2, 3])], |a| ops::Identity::new().forward(&a[0]);
    }
}

fn softmaxes(cases: &mut Vec<Case>) {
    for dim in 0..3 {
        let name = format!("dim {dim} of 3");
        samples! { cases, "candle_nn::ops::softmax";
            name.as_str(), ["xs" v(&[2, 3, 2])], |a| ops::softmax(&a[0], dim);
        }
        samples! { cases, "candle_nn::ops::log_softmax";
            name, ["xs" v(&[2, 3, 2])], |a| ops::log_softmax(&a[0], dim);
        }
    }
    let last: [(&str, Unary); 3] = [
        ("candle_nn::ops::softmax", |x| ops::softmax(x, D::Minus1)),
        ("candle_nn::ops::softmax_last_dim", ops::softmax_last_dim),
        ("candle_nn::ops::log_softmax", |x| {
            ops::log_softmax(x, D::Minus1)
        }),
    ];
    for (path, f) in last {
        let cut = path.ends_with("last_dim");
        samples! { cases, path;
            "a matrix", ["xs" v(&[2, 4])], |a| f(&a[0]), fails_if(cut, "softmax-last-dim");
            "saturated", ["xs" far()], |a| f(&a[0]), fails_if(cut, "softmax-last-dim");
            "two equal", ["xs" at(&[1.5, 1.5, 0.25]).of(&[1, 3])], |a| f(&a[0]), fails_if(cut, "softmax-last-dim");
        }
        if !path.contains("log") {
            samples! { cases, path;
                "some at minus infinity", ["xs" v(&[2, 4])], |a| f(&masked(&a[0])?), fails_if(cut, "softmax-last-dim");
            }
        }
    }
}

/// Scores as attention has them: some are minus infinity.
fn masked(x: &Tensor) -> Result<Tensor> {
    let (hide, no) = (f64::NEG_INFINITY, 0.);
    let mask = Tensor::new(&[[no, hide, no, hide], [hide, no, hide, no]], x.device())?;
    x + mask.to_dtype(x.dtype())?
}

const EPS: f32 = 1. / 1024.;

fn norms(cases: &mut Vec<Case>) {
    let name = "a matrix";
    samples! { cases, "candle_nn::ops::rms_norm";
        name, ["xs" v(&[2, 4]), "alpha" pos(&[4])], |a| ops::rms_norm(&a[0], &a[1], EPS), only(&NARROW), fails("rms-norm");
    }
    samples! { cases, "candle_nn::ops::rms_norm_slow";
        name, ["xs" v(&[2, 4]), "alpha" pos(&[4])], |a| ops::rms_norm_slow(&a[0], &a[1], EPS);
    }
    samples! { cases, "candle_nn::ops::layer_norm";
        name, ["xs" v(&[2, 4]), "alpha" pos(&[4]), "beta" w(&[4])],
            |a| ops::layer_norm(&a[0], &a[1], &a[2], EPS), only(&NARROW), fails("layer-norm");
        "a mean of 1000", ["xs" v(&[2, 4]).affine(1., 1000.), "alpha" pos(&[4]), "beta" w(&[4])],
            |a| ops::layer_norm(&a[0], &a[1], &a[2], EPS),
            twin("layer_norm_slow", |a| ops::layer_norm_slow(&a[0], &a[1], &a[2], EPS)),
            only(&[DType::F32]), plain(), fails("layer-norm-variance");
    }
    samples! { cases, "candle_nn::ops::layer_norm_slow";
        name, ["xs" v(&[2, 4]), "alpha" pos(&[4]), "beta" w(&[4])],
            |a| ops::layer_norm_slow(&a[0], &a[1], &a[2], EPS);
    }
}

fn losses(cases: &mut Vec<Case>) {
    let classes = || ids(&[3], &[1, 0, 3]);
    samples! { cases, "candle_nn::loss::nll";
        "three rows", ["inp" v(&[3, 4]), "target" classes()], |a| loss::nll(&a[0], &a[1]);
    }
    for (name, scale) in [
        ("moderate", 1.),
        ("logits near 50", 32.),
        ("logits near 100", 64.),
    ] {
        samples! { cases, "candle_nn::loss::cross_entropy";
            name, ["inp" v(&[3, 4]).affine(scale, 0.), "target" classes()], |a| loss::cross_entropy(&a[0], &a[1]);
        }
    }
    samples! { cases, "candle_nn::loss::mse";
        "a matrix", ["inp" v(&[2, 3]), "target" w(&[2, 3])], |a| loss::mse(&a[0], &a[1]);
    }
    samples! { cases, "candle_nn::loss::huber";
        "delta 1", ["inp" v(&[2, 3]), "target" w(&[2, 3])], |a| loss::huber(&a[0], &a[1], 1.);
        "equal, and at delta", ["inp" at(&[1., 2.]), "target" at(&[1., 1.])], |a| loss::huber(&a[0], &a[1], 1.), plain();
    }
    let bce = |name: &str, x: Values| {
        case!("candle_nn::loss::binary_cross_entropy_with_logit", name, ["inp" x, "target" at(&[0., 1., 0.25, 1., 0.])],
            |a| loss::binary_cross_entropy_with_logit(&a[0], &a[1]),
            twin("max(x, 0) - x t + log(1 + exp(-|x|))", |a| stable_bce(&a[0], &a[1])))
    };
    let near_10 = bce("logits near 10", at(&[-10., 10., 8., -9., 10.]));
    cases.push(bce("moderate", at(&[-1., 0.5, 2., -0.25, 1.5])));
    cases.push(
        near_10
            .fails("bce-cancellation: f64, f32")
            .fails("bce-saturation: bf16, f16"),
    );
    cases.push(bce("logits near 40", at(&[-40., 40., 35., -36., 40.])).fails("bce-saturation"));
    cases.push(bce("logits near 100", at(&[-100., 100., 90., -95., 100.])).fails("bce-saturation"));
    cases.push(
        bce("a wrong logit near 40", at(&[40., -40., 35., 36., 40.])).fails("bce-saturation"),
    );
}

/// The same loss where sigmoid saturates.
fn stable_bce(x: &Tensor, t: &Tensor) -> Result<Tensor> {
    let tail = x.abs()?.neg()?.exp()?.affine(1., 1.)?.log()?;
    ((x.relu()? - (x * t)?)? + tail)?.mean_all()
}
