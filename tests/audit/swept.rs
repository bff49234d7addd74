//! Which functions are taken over the range, as which sample of the catalogue, and what they are known to show.

use candle_core::{Result, Tensor};
use candle_nn::ops;

type Oracle = fn(&[Tensor]) -> Result<Tensor>;

pub struct Swept {
    pub path: &'static str,
    /// The sample whose call it is.
    pub case: &'static str,
    pub inputs: Inputs,
    /// How the first input of several takes the range.
    pub all: &'static [Way],
    /// What is right in f64, where that is not the same call.
    pub oracle: Option<Oracle>,
    /// The defects that it shows, each by name, and where that is not everywhere: see `covers` in range.rs.
    pub fails: &'static [&'static str],
}

#[derive(Clone, Copy)]
pub enum Inputs {
    /// A number each, in one tensor or in two.
    One,
    Two,
    /// Values and shape of each input; a 0 in the shape of the first is the dim in which samples lie side by side.
    Several(&'static [(&'static [f64], &'static [usize])]),
}

#[derive(Clone, Copy)]
pub enum Way {
    /// All elements times m.
    All,
    /// The first element is m, the others stay moderate.
    One,
    /// m is added to all elements.
    Offset,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all elements",
            Self::One => "one element",
            Self::Offset => "an offset",
        }
    }
}

impl Swept {
    pub fn ways(&self) -> Vec<Option<Way>> {
        match self.inputs {
            Inputs::Several(_) => self.all.iter().map(|way| Some(*way)).collect(),
            _ => vec![None],
        }
    }
}

const THREE: &[Way] = &[Way::All, Way::One, Way::Offset];
const TWO: &[Way] = &[Way::All, Way::One];

const X: &[f64] = &[1., -0.75, 0.5, -0.375];
const W: (&[f64], &[usize]) = (&[1., 2., 0.5, 1.5], &[4]);
const B: (&[f64], &[usize]) = (&[0.5, -1., 0.25, 0.], &[4]);
const OTHER: &[f64] = &[0.25, 0.5, -1., 2.];
const MIDDLE: Inputs = Inputs::Several(&[(X, &[1, 0, 4])]);
const ROW: Inputs = Inputs::Several(&[(X, &[0, 4])]);
const ALONE: Inputs = Inputs::Several(&[(X, &[1, 4])]);
const SCALED: Inputs = Inputs::Several(&[(X, &[1, 4]), W]);
const SHIFTED: Inputs = Inputs::Several(&[(X, &[1, 4]), W, B]);
const HALVES: Inputs = Inputs::Several(&[(&[1., -0.75], &[0, 2])]);
const PRELU: Inputs = Inputs::Several(&[(X, &[1, 4]), (&[0.25], &[1])]);
const CLASSED: Inputs = Inputs::Several(&[(X, &[1, 4]), (&[1.], &[1])]);
const PAIRED: Inputs = Inputs::Several(&[(X, &[1, 4]), (OTHER, &[1, 4])]);
const VECTORS: Inputs = Inputs::Several(&[(X, &[4]), (OTHER, &[4])]);
const LOGITS: Inputs = Inputs::Several(&[(X, &[4]), (&[0., 1., 0.25, 1.], &[4])]);
#[rustfmt::skip]
const BATCHES: Inputs = Inputs::Several(&[
    (&[1., -0.75, 0.5, -0.375, 0.25, 2., -1., 0.125, 1.5, 0.75, -0.5, 0.625, -1.25, 0.375, 0.875, -2., 1.75, -0.25],
        &[3, 3, 2]),
    (&[1., 2., 0.5], &[3]), (&[0.5, -1., 0.25], &[3]),
]);
const GROUPS: Inputs = Inputs::Several(&[
    (
        &[
            1., -0.75, 0.5, -0.375, 0.25, 2., -1., 0.125, 1.5, 0.75, -0.5, 0.625,
        ],
        &[1, 4, 3],
    ),
    W,
    B,
]);

const SAME: Option<Oracle> = None;
const SELU: Option<Oracle> = Some(|a| {
    let negative = a[0].minimum(0f64)?.exp()?.affine(1.625, -1.625)?;
    (a[0].relu()? + negative)? * 1.0625
});
const RMS_NORM: Option<Oracle> = Some(|a| ops::rms_norm_slow(&a[0], &a[1], 1. / 1024.));
const LAYER_NORM: Option<Oracle> = Some(|a| ops::layer_norm_slow(&a[0], &a[1], &a[2], 1. / 1024.));
const BCE: Option<Oracle> = Some(|a| {
    let tail = a[0].abs()?.neg()?.exp()?.affine(1., 1.)?.log()?;
    ((a[0].relu()? - (&a[0] * &a[1])?)? + tail)?.mean_all()
});

macro_rules! swept {
    ($($path:literal, $case:literal, $inputs:expr, $all:expr, $oracle:expr, [$($fails:literal),*];)*) => {
        &[$(Swept { path: $path, case: $case, inputs: $inputs, all: $all, oracle: $oracle, fails: &[$($fails),*] }),*]
    };
}

use Inputs::{One, Two};

pub const SWEPT: &[Swept] = swept![
    "candle_core::Tensor::exp", "moderate", One, &[], SAME, [];
    "candle_core::Tensor::log", "moderate", One, &[], SAME, [];
    "candle_core::Tensor::sin", "moderate", One, &[], SAME, [];
    "candle_core::Tensor::cos", "moderate", One, &[], SAME, [];
    "candle_core::Tensor::tanh", "moderate", One, &[], SAME, ["tails-alike"];
    "candle_core::Tensor::abs", "moderate", One, &[], SAME, [];
    "candle_core::Tensor::neg", "moderate", One, &[], SAME, [];
    "candle_core::Tensor::recip", "moderate", One, &[], SAME, ["powers-alike: bf16, f16, 2^-10", "recip-square"];
    "candle_core::Tensor::sqr", "moderate", One, &[], SAME, [];
    "candle_core::Tensor::sqrt", "moderate", One, &[], SAME, ["sqrt-halved-late: f16"];
    "candle_core::Tensor::gelu", "moderate", One, &[], SAME, ["gelu-overflow: not finite", "gelu-tail: f16", "gelu-tail: bf16, self", "tails-alike: f32, bf16"];
    "candle_core::Tensor::gelu_erf", "moderate", One, &[], SAME, ["gelu-erf-tail: self", "tails-alike: f32"];
    "candle_core::Tensor::erf", "moderate", One, &[], SAME, ["tails-alike: bf16"];
    "candle_core::Tensor::relu", "moderate", One, &[], SAME, [];
    "candle_core::Tensor::silu", "moderate", One, &[], SAME, ["silu-large: positive", "sigmoid-half: f16", "silu-tail: bf16, self", "tails-alike: f32, bf16"];
    "candle_core::Tensor::affine", "2.5 x + -1", One, &[], SAME, ["tails-alike: bf16, f16"];
    "candle_core::Tensor::powf", "exponent -1.5", One, &[], SAME, ["powers-alike"];
    "candle_core::Tensor::powf", "exponent 0.5", One, &[], SAME, ["powf-factor-late: f16"];
    "candle_core::Tensor::powf", "exponent 1", One, &[], SAME, [];
    "candle_core::Tensor::powf", "exponent 2", One, &[], SAME, [];
    "candle_core::Tensor::powf", "exponent 3", One, &[], SAME, [];
    "candle_core::Tensor::elu", "alpha 1, moderate", One, &[], SAME, ["elu-value: value", "elu-slope"];
    "candle_core::Tensor::elu", "alpha 0.5, moderate", One, &[], SAME, ["elu-value: value", "elu-slope"];
    "candle_core::Tensor::maximum", "a number", One, &[], SAME, [];
    "candle_core::Tensor::minimum", "a number", One, &[], SAME, [];
    "candle_core::Tensor::clamp", "inside and outside", One, &[], SAME, [];
    "<candle_core::Tensor as std::ops::Add>::add", "a number on the right", One, &[], SAME, [];
    "<candle_core::Tensor as std::ops::Sub>::sub", "a number on the right", One, &[], SAME, [];
    "<candle_core::Tensor as std::ops::Mul>::mul", "a number on the right", One, &[], SAME, [];
    "<candle_core::Tensor as std::ops::Div>::div", "a number on the right", One, &[], SAME, [];
    "<f64 as std::ops::Add<candle_core::Tensor>>::add", "a number on the left", One, &[], SAME, [];
    "<f64 as std::ops::Sub<candle_core::Tensor>>::sub", "a number on the left", One, &[], SAME, [];
    "<f64 as std::ops::Mul<candle_core::Tensor>>::mul", "a number on the left", One, &[], SAME, [];
    "<f64 as std::ops::Div<candle_core::Tensor>>::div", "a number on the left", One, &[], SAME, ["powers-alike: bf16, f16, 2^-10", "recip-square"];
    "candle_nn::ops::sigmoid", "moderate", One, &[], SAME, ["sigmoid-half: f16", "tails-alike: f32, bf16"];
    "candle_nn::ops::hard_sigmoid", "moderate", One, &[], SAME, ["hard-sigmoid-rounded: bf16, f16"];
    "candle_nn::ops::mish", "moderate", One, &[], SAME, ["mish-overflow: positive", "upstream-times-x: not finite", "tails-alike: f32, xs", "mish-tail"];
    "candle_nn::ops::silu", "moderate", One, &[], SAME, ["silu-large: positive", "sigmoid-half: f16", "silu-tail: bf16, xs", "tails-alike: f32, bf16"];
    "candle_nn::ops::leaky_relu", "moderate", One, &[], SAME, [];
    "candle_nn::ops::selu", "moderate", One, &[], SELU, ["selu-value: f32, wrong", "selu-overflow: f32"];
    "candle_nn::activation::Activation", "gelu, moderate", One, &[], SAME, ["gelu-erf-tail: xs", "tails-alike: f32"];
    "candle_nn::activation::Activation", "new gelu, moderate", One, &[], SAME, ["gelu-overflow: not finite", "gelu-tail: f16", "gelu-tail: bf16, xs", "tails-alike: f32, bf16"];
    "candle_nn::activation::Activation", "gelu pytorch tanh, moderate", One, &[], SAME, ["gelu-overflow: not finite", "gelu-tail: f16", "gelu-tail: bf16, xs", "tails-alike: f32, bf16"];
    "candle_nn::activation::Activation", "relu, moderate", One, &[], SAME, [];
    "candle_nn::activation::Activation", "relu2, moderate", One, &[], SAME, [];
    "candle_nn::activation::Activation", "relu6, moderate", One, &[], SAME, [];
    "candle_nn::activation::Activation", "silu, moderate", One, &[], SAME, ["silu-large: positive", "sigmoid-half: f16", "silu-tail: bf16, xs", "tails-alike: f32, bf16"];
    "candle_nn::activation::Activation", "swish, moderate", One, &[], SAME, ["upstream-times-x: not finite", "sigmoid-half: f16", "tails-alike: f32, bf16"];
    "candle_nn::activation::Activation", "sigmoid, moderate", One, &[], SAME, ["sigmoid-half: f16", "tails-alike: f32, bf16"];
    "candle_nn::activation::Activation", "hard sigmoid, moderate", One, &[], SAME, ["hard-sigmoid-rounded: bf16, f16"];
    "candle_nn::activation::Activation", "hard swish, moderate", One, &[], SAME, ["hard-sigmoid-rounded: bf16, f16, wrong", "upstream-times-x"];
    "candle_nn::activation::Activation", "mish, moderate", One, &[], SAME, ["mish-overflow: positive", "upstream-times-x: not finite", "tails-alike: f32, xs", "mish-tail"];
    "candle_nn::activation::Activation", "elu 0.5, moderate", One, &[], SAME, ["elu-value: value", "elu-slope"];
    "candle_nn::activation::Activation", "leaky relu 0.125, moderate", One, &[], SAME, [];
    "candle_core::Tensor::add", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::sub", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::mul", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::div", "same shape", Two, &[], SAME, ["div-square"];
    "candle_core::Tensor::maximum", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::minimum", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::broadcast_add", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::broadcast_sub", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::broadcast_mul", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::broadcast_div", "same shape", Two, &[], SAME, ["div-square"];
    "candle_core::Tensor::broadcast_maximum", "same shape", Two, &[], SAME, [];
    "candle_core::Tensor::broadcast_minimum", "same shape", Two, &[], SAME, [];
    "<candle_core::Tensor as std::ops::Add>::add", "two tensors", Two, &[], SAME, [];
    "<candle_core::Tensor as std::ops::Sub>::sub", "two tensors", Two, &[], SAME, [];
    "<candle_core::Tensor as std::ops::Mul>::mul", "two tensors", Two, &[], SAME, [];
    "<candle_core::Tensor as std::ops::Div>::div", "two tensors", Two, &[], SAME, ["div-square"];
    "candle_core::Tensor::pow", "positive base", Two, &[], SAME, ["pow-rounded"];
    "candle_core::Tensor::broadcast_pow", "positive base", Two, &[], SAME, ["pow-rounded"];
    "candle_core::Tensor::where_cond", "the condition is computed from on_true", Two, &[], SAME, [];
    "candle_core::Tensor::sum", "dim 2 of 3", MIDDLE, TWO, SAME, [];
    "candle_core::Tensor::sum_keepdim", "dim 2 of 3", MIDDLE, TWO, SAME, [];
    "candle_core::Tensor::sum_all", "a matrix", ALONE, TWO, SAME, [];
    "candle_core::Tensor::mean", "dim 2 of 3", MIDDLE, THREE, SAME, ["mean-overflow: f16", "sums-alike: f32, bf16"];
    "candle_core::Tensor::mean_keepdim", "dim 2 of 3", MIDDLE, THREE, SAME, ["mean-overflow: f16", "sums-alike: f32, bf16"];
    "candle_core::Tensor::mean_all", "a matrix", ALONE, THREE, SAME, ["mean-overflow: f16", "sums-alike: f32"];
    "candle_core::Tensor::var", "dim 2 of 3", MIDDLE, THREE, SAME, ["sums-alike: bf16, self", "sums-alike: f32, an offset", "var-overflow"];
    "candle_core::Tensor::var_keepdim", "dim 2 of 3", MIDDLE, THREE, SAME, ["sums-alike: bf16, self", "sums-alike: f32, an offset", "var-overflow"];
    "candle_core::Tensor::max", "dim 2 of 3", MIDDLE, TWO, SAME, [];
    "candle_core::Tensor::max_keepdim", "dim 2 of 3", MIDDLE, TWO, SAME, [];
    "candle_core::Tensor::max_all", "a matrix", ALONE, TWO, SAME, [];
    "candle_core::Tensor::min", "dim 2 of 3", MIDDLE, TWO, SAME, [];
    "candle_core::Tensor::min_keepdim", "dim 2 of 3", MIDDLE, TWO, SAME, [];
    "candle_core::Tensor::min_all", "a matrix", ALONE, TWO, SAME, [];
    "candle_core::Tensor::cumsum", "dim 2 of 3", MIDDLE, TWO, SAME, [];
    "candle_core::Tensor::log_sum_exp", "dim 2 of 3", MIDDLE, THREE, SAME, [];
    "candle_core::Tensor::norm", "a matrix", ALONE, TWO, SAME, ["sums-alike: f32, bf16, wrong", "sums-alike: f32, bf16, value", "norm-square"];
    "candle_core::Tensor::dot", "vectors", VECTORS, TWO, SAME, [];
    "candle_nn::ops::softmax", "a matrix", ROW, THREE, SAME, [];
    "candle_nn::ops::softmax_last_dim", "a matrix", ROW, THREE, SAME, [];
    "candle_nn::ops::log_softmax", "a matrix", ROW, THREE, SAME, [];
    "candle_nn::ops::rms_norm", "a matrix", SCALED, TWO, RMS_NORM, ["norms-alike: f32, bf16"];
    "candle_nn::ops::rms_norm_slow", "a matrix", SCALED, TWO, SAME, ["norms-alike: f32, bf16"];
    "candle_nn::layer_norm::LayerNorm", "LayerNorm::rms_norm", SCALED, TWO, SAME, ["norms-alike: f32, bf16"];
    "candle_nn::layer_norm::RmsNorm", "contiguous", SCALED, TWO, RMS_NORM, ["norms-alike: f32, bf16"];
    "candle_nn::layer_norm::RmsNorm::forward_diff", "contiguous", SCALED, TWO, SAME, ["norms-alike: f32, bf16"];
    "candle_nn::ops::layer_norm", "a matrix", SHIFTED, THREE, LAYER_NORM, ["layer-norm-variance: f32, wrong, an offset", "norms-alike: f32, bf16"];
    "candle_nn::ops::layer_norm_slow", "a matrix", SHIFTED, THREE, SAME, ["norms-alike: f32, bf16"];
    "candle_nn::layer_norm::LayerNorm", "with bias", SHIFTED, THREE, LAYER_NORM, ["layer-norm-variance: f32, wrong, an offset", "norms-alike: f32, bf16"];
    "candle_nn::layer_norm::LayerNorm", "no bias", SCALED, THREE, SAME, ["norms-alike: f32, bf16"];
    "candle_nn::batch_norm::BatchNorm::forward_train", "with bias", BATCHES, THREE, SAME, ["batch-norm-sum: f32, not finite, weight, x, an offset", "norms-alike: f32, bf16"];
    "candle_nn::batch_norm::BatchNorm", "training", BATCHES, THREE, SAME, ["batch-norm-sum: f32, not finite, weight, x, an offset", "norms-alike: f32, bf16"];
    "candle_nn::group_norm::GroupNorm", "2 groups of 4", GROUPS, THREE, SAME, ["norms-alike: f32, bf16"];
    "candle_nn::ops::swiglu", "moderate", HALVES, TWO, SAME, ["sigmoid-half: f16, wrong, xs", "sigmoid-half: f16, one element", "products-alike: negative", "silu-large: f32, bf16"];
    "candle_nn::activation::Activation", "swiglu, moderate", HALVES, TWO, SAME, ["sigmoid-half: f16, wrong, xs", "sigmoid-half: f16, one element", "products-alike: negative", "silu-large: f32, bf16"];
    "candle_nn::activation::PReLU", "one weight", PRELU, TWO, SAME, [];
    "candle_nn::loss::nll", "three rows", CLASSED, TWO, SAME, [];
    "candle_nn::loss::cross_entropy", "moderate", CLASSED, THREE, SAME, ["tails-alike: bf16, f16"];
    "candle_nn::loss::binary_cross_entropy_with_logit", "moderate", LOGITS, TWO, BCE, ["bce-saturation: not finite", "bce-cancellation"];
    "candle_nn::loss::mse", "a matrix", PAIRED, TWO, SAME, ["sums-alike: f32, f16"];
    "candle_nn::loss::huber", "delta 1", PAIRED, TWO, SAME, ["mean-overflow: f16", "sums-alike: f32, bf16"];
];
