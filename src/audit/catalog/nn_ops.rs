//! `candle_nn::ops`, the losses and the activations.

use candle_core::{D, DType, Module, Result, Tensor};
use candle_nn::{Activation, PReLU, ops};

use crate::audit::case::{Case, Values, at, at_dims, ids, pos, v, w, wide};

const F32_AND_NARROWER: [DType; 3] = [DType::F32, DType::BF16, DType::F16];

type Unary = fn(&Tensor) -> Result<Tensor>;

/// Path, call, PyTorch.
const ACTIVATIONS: [(&str, Unary, &str); 5] = [
    function!(ops::sigmoid, "torch.sigmoid(xs)"),
    function!(ops::hard_sigmoid, "F.hardsigmoid(xs)"),
    function!(ops::mish, "F.mish(xs)"),
    function!(ops::silu, "F.silu(xs)"),
    function!(|x| ops::leaky_relu(x, 0.125), "F.leaky_relu(xs, 0.125)"),
];

const VARIANTS: [(&str, Activation, &str); 15] = [
    ("gelu", Activation::Gelu, "F.gelu(xs)"),
    (
        "new gelu",
        Activation::NewGelu,
        "F.gelu(xs, approximate='tanh')",
    ),
    ("relu", Activation::Relu, "F.relu(xs)"),
    ("relu2", Activation::Relu2, "F.relu(xs) ** 2"),
    ("relu6", Activation::Relu6, "F.relu6(xs)"),
    ("silu", Activation::Silu, "F.silu(xs)"),
    ("sigmoid", Activation::Sigmoid, "torch.sigmoid(xs)"),
    ("hard sigmoid", Activation::HardSigmoid, "F.hardsigmoid(xs)"),
    (
        "swiglu",
        Activation::Swiglu,
        "F.silu(xs.chunk(2, -1)[0]) * xs.chunk(2, -1)[1]",
    ),
    ("swish", Activation::Swish, "F.silu(xs)"),
    ("mish", Activation::Mish, "F.mish(xs)"),
    ("hard swish", Activation::HardSwish, "F.hardswish(xs)"),
    ("elu 0.5", Activation::Elu(0.5), "F.elu(xs, 0.5)"),
    (
        "leaky relu 0.125",
        Activation::LeakyRelu(0.125),
        "F.leaky_relu(xs, 0.125)",
    ),
    (
        "gelu pytorch tanh",
        Activation::GeluPytorchTanh,
        "F.gelu(xs, approximate='tanh')",
    ),
];

/// The label of a variant's case.
const VARIANT: &str = "{variant}, {values}";

/// Where these have no derivative.
const KINKS: [(&str, Unary, f64, &str); 3] = [
    (ACTIVATIONS[1].0, ACTIVATIONS[1].1, -3., ACTIVATIONS[1].2),
    (ACTIVATIONS[1].0, ACTIVATIONS[1].1, 3., ACTIVATIONS[1].2),
    (ACTIVATIONS[4].0, ACTIVATIONS[4].1, 0., ACTIVATIONS[4].2),
];

/// Variant, point.
const KINKS_OF_VARIANTS: [(usize, f64); 9] = [
    (2, 0.),
    (4, 0.),
    (4, 6.),
    (7, -3.),
    (7, 3.),
    (11, -3.),
    (11, 3.),
    (12, 0.),
    (13, 0.),
];

pub fn cases() -> Vec<Case> {
    let mut cases = activations();
    cases.extend(variants());
    cases.extend(with_parameters());
    cases.extend(softmaxes());
    cases.extend(norms());
    cases.extend(rearrangements());
    cases.extend(losses());
    cases
}

fn activations() -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, f, torch) in ACTIVATIONS {
        let of = |name: &str| Case::new(path, name).run(move |a| f(&a[0])).torch(torch);
        cases.push(of("moderate").arg("xs", v(&[3, 4])));
        cases.push(of("-100 to 100").arg("xs", wide()));
    }
    for (path, f, x, torch) in KINKS {
        cases.push(
            Case::new(path, format!("at {x}"))
                .arg("xs", at(&[x]))
                .run(move |a| f(&a[0]))
                .torch(torch)
                .kink(),
        );
    }
    cases
}

fn variants() -> Vec<Case> {
    let path = "candle_nn::activation::Activation";
    let mut cases = Vec::new();
    for (name, activation, torch) in VARIANTS {
        let of = |what: &str| {
            Case::grid(path, VARIANT, &[("variant", &name), ("values", &what)])
                .run(move |a| activation.forward(&a[0]))
                .torch(torch)
        };
        cases.push(of("moderate").arg("xs", v(&[3, 4])));
        cases.push(of("-100 to 100").arg("xs", wide()));
    }
    for (i, x) in KINKS_OF_VARIANTS {
        let (name, activation, torch) = VARIANTS[i];
        cases.push(
            Case::grid(
                path,
                VARIANT,
                &[("variant", &name), ("values", &format!("at {x}"))],
            )
            .arg("xs", at(&[x]))
            .run(move |a| activation.forward(&a[0]))
            .torch(torch)
            .kink(),
        );
    }
    cases
}

fn with_parameters() -> Vec<Case> {
    let prelu = |name: &str, is_scalar: bool| {
        Case::new("candle_nn::activation::PReLU", name)
            .run(move |a| PReLU::new(a[1].clone(), is_scalar).forward(&a[0]))
            .torch("F.prelu(xs, weight)")
    };
    let selu = |name: &str| {
        Case::new("candle_nn::ops::selu", name)
            .run(|a| ops::selu(&a[0], 1.625, 1.0625))
            .torch("torch.where(xs > 0, 1.0625 * xs, 1.0625 * 1.625 * torch.expm1(xs))")
    };
    vec![
        prelu("one weight", true)
            .arg("xs", v(&[2, 3]))
            .arg("weight", w(&[1])),
        prelu("a weight a channel", false)
            .arg("xs", v(&[2, 3, 2]))
            .arg("weight", w(&[3])),
        Case::new("candle_nn::activation::PReLU", "at 0")
            .arg("xs", at(&[0.]))
            .run(|a| PReLU::new(a[0].ones_like()?.affine(0.25, 0.)?, true).forward(&a[0]))
            .torch("F.prelu(xs, torch.tensor([0.25]))")
            .kink(),
        selu("moderate").arg("xs", v(&[3, 4])),
        selu("-100 to 100").arg("xs", wide()),
        selu("at 0").arg("xs", at(&[0.])).only(&[DType::F32]).kink(),
        Case::new("candle_nn::ops::swiglu", "moderate")
            .arg("xs", v(&[2, 6]))
            .run(|a| ops::swiglu(&a[0]))
            .torch("F.silu(xs.chunk(2, -1)[0]) * xs.chunk(2, -1)[1]"),
        Case::new("candle_nn::ops::dropout", "probability 0")
            .arg("xs", v(&[2, 3]))
            .run(|a| ops::dropout(&a[0], 0.))
            .torch("F.dropout(xs, 0.)"),
        Case::new("candle_nn::ops::Dropout", "not training")
            .arg("xs", v(&[2, 3]))
            .run(|a| ops::Dropout::new(0.5).forward(&a[0], false))
            .torch("F.dropout(xs, 0.5, training=False)"),
        Case::new("candle_nn::ops::Dropout", "training, probability 0")
            .arg("xs", v(&[2, 3]))
            .run(|a| ops::Dropout::new(0.).forward(&a[0], true))
            .torch("F.dropout(xs, 0.)"),
        Case::new("candle_nn::ops::Identity", "a matrix")
            .arg("xs", v(&[2, 3]))
            .run(|a| ops::Identity::new().forward(&a[0]))
            .torch("xs.clone()"),
    ]
}

fn softmaxes() -> Vec<Case> {
    let far = || at_dims(&[2, 3], &[-100., 0., 100., 60., 59., 30.]);
    let mut cases = Vec::new();
    for dim in 0..3 {
        let of = |path| Case::grid(path, "dim {dim} of 3", &[("dim", &dim)]);
        let softmax = of("candle_nn::ops::softmax");
        let log_softmax = of("candle_nn::ops::log_softmax");
        cases.push(
            softmax
                .arg("xs", v(&[2, 3, 2]))
                .run(move |a| ops::softmax(&a[0], dim))
                .torch(format!("torch.softmax(xs, {dim})")),
        );
        cases.push(
            log_softmax
                .arg("xs", v(&[2, 3, 2]))
                .run(move |a| ops::log_softmax(&a[0], dim))
                .torch(format!("torch.log_softmax(xs, {dim})")),
        );
    }
    let of: [(&'static str, Unary, &str); 3] = [
        function!(|x| ops::softmax(x, D::Minus1), "torch.softmax(xs, -1)"),
        function!(
            |x| ops::log_softmax(x, D::Minus1),
            "torch.log_softmax(xs, -1)"
        ),
        function!(ops::softmax_last_dim, "torch.softmax(xs, -1)"),
    ];
    cases.push(masked(function!(
        |x| ops::softmax(x, 1),
        "torch.softmax(MASKED, 1)"
    )));
    cases.push(masked(function!(
        ops::softmax_last_dim,
        "torch.softmax(MASKED, 1)"
    )));
    for (path, f, torch) in of {
        let of = |name: &str| Case::new(path, name).run(move |a| f(&a[0])).torch(torch);
        cases.push(of("a matrix").arg("xs", v(&[2, 4])));
        cases.push(of("saturated").arg("xs", far()));
        cases.push(of("two equal").arg("xs", at_dims(&[1, 3], &[1.5, 1.5, 0.25])));
    }
    cases
}

/// Scores as attention has them: some are minus infinity.
fn masked((path, f, torch): (&'static str, Unary, &str)) -> Case {
    let hidden = "xs.masked_fill(torch.tensor([[False, True], [True, False]]).repeat(1, 2), -inf)";
    Case::new(path, "some at minus infinity")
        .arg("xs", v(&[2, 4]))
        .run(move |a| {
            let (hide, no) = (f64::NEG_INFINITY, 0.);
            let mask = [[no, hide, no, hide], [hide, no, hide, no]];
            f(&(&a[0] + Tensor::new(&mask, a[0].device())?.to_dtype(a[0].dtype())?)?)
        })
        .torch(torch.replace("MASKED", hidden))
}

fn norms() -> Vec<Case> {
    const EPS: f32 = 1. / 1024.;
    let rms = "xs / torch.sqrt((xs * xs).mean(-1, keepdim=True) + 1/1024) * alpha";
    let layer = "F.layer_norm(xs, (xs.shape[-1],), alpha, beta, 1/1024)";
    let rms_of = |path, name: &str| {
        Case::new(path, name)
            .arg("xs", v(&[2, 4]))
            .arg("alpha", pos(&[4]))
            .torch(rms)
    };
    let layer_of = |path, name: &str| {
        Case::new(path, name)
            .arg("xs", v(&[2, 4]))
            .arg("alpha", pos(&[4]))
            .arg("beta", w(&[4]))
            .torch(layer)
    };
    vec![
        rms_of("candle_nn::ops::rms_norm", "a matrix")
            .run(|a| ops::rms_norm(&a[0], &a[1], EPS))
            .only(&F32_AND_NARROWER),
        rms_of("candle_nn::ops::rms_norm_slow", "a matrix")
            .run(|a| ops::rms_norm_slow(&a[0], &a[1], EPS)),
        layer_of("candle_nn::ops::layer_norm", "a matrix")
            .run(|a| ops::layer_norm(&a[0], &a[1], &a[2], EPS))
            .only(&F32_AND_NARROWER),
        Case::new("candle_nn::ops::layer_norm", "a mean of 1000")
            .arg("xs", shifted(v(&[2, 4]), 1000.))
            .arg("alpha", pos(&[4]))
            .arg("beta", w(&[4]))
            .torch(layer)
            .run(|a| ops::layer_norm(&a[0], &a[1], &a[2], EPS))
            .twin("layer_norm_slow", |a| {
                ops::layer_norm_slow(&a[0], &a[1], &a[2], EPS)
            })
            .only(&[DType::F32])
            .plain(),
        layer_of("candle_nn::ops::layer_norm_slow", "a matrix")
            .run(|a| ops::layer_norm_slow(&a[0], &a[1], &a[2], EPS)),
    ]
}

fn rearrangements() -> Vec<Case> {
    vec![
        Case::new("candle_nn::ops::pixel_shuffle", "by 2")
            .arg("xs", v(&[1, 4, 2, 3]))
            .run(|a| ops::pixel_shuffle(&a[0], 2))
            .torch("F.pixel_shuffle(xs, 2)"),
        Case::new("candle_nn::ops::pixel_unshuffle", "by 2")
            .arg("xs", v(&[1, 2, 4, 2]))
            .run(|a| ops::pixel_unshuffle(&a[0], 2))
            .torch("F.pixel_unshuffle(xs, 2)"),
        Case::new("candle_nn::ops::replication_pad2d", "by 1")
            .arg("xs", v(&[1, 2, 2, 3]))
            .run(|a| ops::replication_pad2d(&a[0], 1))
            .torch("F.pad(xs, (1, 1, 1, 1), mode='replicate')"),
        Case::new("candle_nn::ops::replication_pad2d", "by 0")
            .arg("xs", v(&[1, 2, 2, 3]))
            .run(|a| ops::replication_pad2d(&a[0], 0))
            .torch("xs.clone()"),
    ]
}

fn losses() -> Vec<Case> {
    let classes = || ids(&[3], &[1, 0, 3]);
    let logits = |scale: f64| scaled(v(&[3, 4]), scale);
    let ce = |name: &str, x: Values| {
        Case::new("candle_nn::loss::cross_entropy", name)
            .arg("inp", x)
            .arg("target", classes())
            .run(|a| candle_nn::loss::cross_entropy(&a[0], &a[1]))
            .torch("F.cross_entropy(inp, target)")
    };
    let bce = |name: &str, x: Values| {
        Case::new("candle_nn::loss::binary_cross_entropy_with_logit", name)
            .arg("inp", x)
            .arg("target", at(&[0., 1., 0.25, 1., 0.]))
            .run(|a| candle_nn::loss::binary_cross_entropy_with_logit(&a[0], &a[1]))
            .twin("max(x, 0) - x t + log(1 + exp(-|x|))", |a| {
                stable_bce(&a[0], &a[1])
            })
            .torch("F.binary_cross_entropy_with_logits(inp, target)")
    };
    let two = |path, name: &str, f: fn(&Tensor, &Tensor) -> Result<Tensor>, torch: &str| {
        Case::new(path, name)
            .arg("inp", v(&[2, 3]))
            .arg("target", w(&[2, 3]))
            .run(move |a| f(&a[0], &a[1]))
            .torch(torch)
    };
    vec![
        Case::new("candle_nn::loss::nll", "three rows")
            .arg("inp", v(&[3, 4]))
            .arg("target", classes())
            .run(|a| candle_nn::loss::nll(&a[0], &a[1]))
            .torch("F.nll_loss(inp, target)"),
        ce("moderate", logits(1.)),
        ce("logits near 50", logits(32.)),
        ce("logits near 100", logits(64.)),
        bce("moderate", at(&[-1., 0.5, 2., -0.25, 1.5])),
        bce("logits near 10", at(&[-10., 10., 8., -9., 10.])),
        bce("logits near 40", at(&[-40., 40., 35., -36., 40.])),
        bce("logits near 100", at(&[-100., 100., 90., -95., 100.])),
        bce("a wrong logit near 40", at(&[40., -40., 35., 36., 40.])),
        two(
            "candle_nn::loss::mse",
            "a matrix",
            candle_nn::loss::mse,
            "F.mse_loss(inp, target)",
        ),
        two(
            "candle_nn::loss::huber",
            "delta 1",
            |a, b| candle_nn::loss::huber(a, b, 1.),
            "F.huber_loss(inp, target, delta=1.)",
        ),
        Case::new("candle_nn::loss::huber", "equal, and at delta")
            .arg("inp", at(&[1., 2.]))
            .arg("target", at(&[1., 1.]))
            .run(|a| candle_nn::loss::huber(&a[0], &a[1], 1.))
            .torch("F.huber_loss(inp, target, delta=1.)")
            .plain(),
    ]
}

/// The same loss where sigmoid saturates.
pub fn stable_bce(x: &Tensor, t: &Tensor) -> Result<Tensor> {
    let tail = x.abs()?.neg()?.exp()?.affine(1., 1.)?.log()?;
    ((x.relu()? - (x * t)?)? + tail)?.mean_all()
}

fn shifted(mut values: Values, by: f64) -> Values {
    if let crate::audit::case::Data::Float(v) = &mut values.data {
        v.iter_mut().for_each(|x| *x += by);
    }
    values
}

fn scaled(mut values: Values, by: f64) -> Values {
    if let crate::audit::case::Data::Float(v) = &mut values.data {
        v.iter_mut().for_each(|x| *x *= by);
    }
    values
}
