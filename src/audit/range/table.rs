//! Which functions are swept, with the case of the catalogue that is called and what is true of it.

use super::truth::{Curve, Pair, Rows, curve as c, pair as p, rows as r};

/// A function to sweep.
#[derive(Clone, Copy)]
pub struct Swept {
    /// Its full path.
    pub path: &'static str,
    /// The case of the catalogue whose call it is.
    pub case: &'static str,
    /// Its values and derivatives.
    pub truth: Truth,
}

/// Values and derivatives.
#[derive(Clone, Copy)]
pub enum Truth {
    /// Of one tensor, element by element.
    Curve(Curve),
    /// Of two tensors, element by element.
    Pair(Pair),
    /// Of a few numbers together.
    Together(Together),
}

/// A function of a few numbers together.
#[derive(Clone, Copy)]
pub struct Together {
    /// Its values and derivatives.
    pub exact: Rows,
    /// Its inputs; the first is the one that takes the whole range.
    pub inputs: &'static [Input],
    /// How many outputs a sample has.
    pub outputs: usize,
    /// The size of the terms that it is computed from, where they have one; else 0.
    pub natural: f64,
    /// How the first input takes it.
    pub ways: &'static [Way],
}

/// An input of a function of a few numbers.
#[derive(Clone, Copy)]
pub struct Input {
    /// Its values for one sample, before the first input's are moved.
    pub base: &'static [f64],
    /// Its shape, with a 0 for the dim in which samples lie side by side, if they can.
    pub dims: &'static [usize],
    /// Whether it is differentiated; else it holds indices.
    pub float: bool,
}

/// How an input of a few numbers takes the whole range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// All its elements times m.
    All,
    /// Its first element is m, the others stay moderate.
    One,
    /// m is added to all its elements.
    Offset,
}

impl Way {
    /// Its name in a case.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all elements",
            Self::One => "one element",
            Self::Offset => "an offset",
        }
    }
}

const EVERY_WAY: &[Way] = &[Way::All, Way::One, Way::Offset];
const TWO_WAYS: &[Way] = &[Way::All, Way::One];

const fn side_by_side(dims: &'static [usize]) -> Input {
    Input {
        base: &[1., -0.75, 0.5, -0.375],
        dims,
        float: true,
    }
}

const FOUR: Input = side_by_side(&[1, 4]);
const ROW: &[Input] = &[side_by_side(&[0, 4])];
const MIDDLE: &[Input] = &[side_by_side(&[1, 0, 4])];
const ALONE: &[Input] = &[FOUR];
const WEIGHT: Input = Input {
    base: &[1., 2., 0.5, 1.5],
    dims: &[4],
    float: true,
};
const BIAS: Input = Input {
    base: &[0.5, -1., 0.25, 0.],
    dims: &[4],
    float: true,
};
const SCALED: &[Input] = &[FOUR, WEIGHT];
const SHIFTED: &[Input] = &[FOUR, WEIGHT, BIAS];
const VECTOR: Input = side_by_side(&[4]);
const OTHER: Input = Input {
    base: &[0.25, 0.5, -1., 2.],
    dims: &[4],
    float: true,
};
const OTHER_ROW: Input = Input {
    dims: &[1, 4],
    ..OTHER
};
const SHARES: Input = Input {
    base: &[0., 1., 0.25, 1.],
    dims: &[4],
    float: true,
};
const CLASSES: Input = Input {
    base: &[r::CLASS as f64],
    dims: &[1],
    float: false,
};
const HALVES: &[Input] = &[Input {
    base: &[1., -0.75],
    dims: &[0, 2],
    float: true,
}];
const BATCH: Input = Input {
    base: &[
        1., -0.75, 0.5, -0.375, 0.25, 2., -1., 0.125, 1.5, 0.75, -0.5, 0.625, -1.25, 0.375, 0.875,
        -2., 1.75, -0.25,
    ],
    dims: &[3, 3, 2],
    float: true,
};
const CHANNELS: [Input; 2] = [
    Input {
        base: &[1., 2., 0.5],
        dims: &[3],
        float: true,
    },
    Input {
        base: &[0.5, -1., 0.25],
        dims: &[3],
        float: true,
    },
];
const GROUPED: Input = Input {
    base: &[
        1., -0.75, 0.5, -0.375, 0.25, 2., -1., 0.125, 1.5, 0.75, -0.5, 0.625,
    ],
    dims: &[1, 4, 3],
    float: true,
};

const PRELU: &[Input] = &[
    FOUR,
    Input {
        base: &[0.25],
        dims: &[1],
        float: true,
    },
];
const CLASSED: &[Input] = &[FOUR, CLASSES];
const PAIRED: &[Input] = &[FOUR, OTHER_ROW];
const LOGITS: &[Input] = &[VECTOR, SHARES];
const VECTORS: &[Input] = &[VECTOR, OTHER];
const BATCHES: &[Input] = &[BATCH, CHANNELS[0], CHANNELS[1]];
const GROUPS: &[Input] = &[GROUPED, WEIGHT, BIAS];

const fn together(
    exact: Rows,
    inputs: &'static [Input],
    outputs: usize,
    ways: &'static [Way],
) -> Truth {
    Truth::Together(Together {
        exact,
        inputs,
        outputs,
        natural: 0.,
        ways,
    })
}

/// Computed from terms of the size of 1.
const fn of_terms(
    exact: Rows,
    inputs: &'static [Input],
    outputs: usize,
    ways: &'static [Way],
) -> Truth {
    Truth::Together(Together {
        exact,
        inputs,
        outputs,
        natural: 1.,
        ways,
    })
}

macro_rules! swept {
    ($($path:literal, $case:literal, $truth:expr;)*) => {
        &[$(Swept { path: $path, case: $case, truth: $truth }),*]
    };
}

const fn of(curve: Curve) -> Truth {
    Truth::Curve(curve)
}

const fn both(pair: Pair) -> Truth {
    Truth::Pair(pair)
}

/// Every function that is swept.
pub const SWEPT: &[Swept] = swept![
    "candle_core::Tensor::exp", "moderate", of(c::EXP);
    "candle_core::Tensor::log", "moderate", of(c::LOG);
    "candle_core::Tensor::sin", "moderate", of(c::SIN);
    "candle_core::Tensor::cos", "moderate", of(c::COS);
    "candle_core::Tensor::tanh", "moderate", of(c::TANH);
    "candle_core::Tensor::abs", "moderate", of(c::ABS);
    "candle_core::Tensor::neg", "moderate", of(c::NEG);
    "candle_core::Tensor::recip", "moderate", of(c::RECIP);
    "candle_core::Tensor::sqr", "moderate", of(c::SQR);
    "candle_core::Tensor::sqrt", "moderate", of(c::SQRT);
    "candle_core::Tensor::gelu", "moderate", of(c::GELU);
    "candle_core::Tensor::gelu_erf", "moderate", of(c::GELU_ERF);
    "candle_core::Tensor::erf", "moderate", of(c::ERF);
    "candle_core::Tensor::relu", "moderate", of(c::RELU);
    "candle_core::Tensor::silu", "moderate", of(c::SILU);
    "candle_core::Tensor::affine", "2.5 x + -1", of(c::AFFINE);
    "candle_core::Tensor::powf", "exponent -1.5", of(c::POWER_MINUS_3_2);
    "candle_core::Tensor::powf", "exponent 0.5", of(c::POWER_1_2);
    "candle_core::Tensor::powf", "exponent 1", of(c::POWER_1);
    "candle_core::Tensor::powf", "exponent 2", of(c::POWER_2);
    "candle_core::Tensor::powf", "exponent 3", of(c::POWER_3);
    "candle_core::Tensor::elu", "alpha 1, moderate", of(c::ELU);
    "candle_core::Tensor::elu", "alpha 0.5, moderate", of(c::HALF_ELU);
    "candle_core::Tensor::maximum", "a number", of(c::AT_LEAST);
    "candle_core::Tensor::minimum", "a number", of(c::AT_MOST);
    "candle_core::Tensor::clamp", "inside and outside", of(c::CLAMP);
    "<candle_core::Tensor as std::ops::Add>::add", "a number on the right", of(c::PLUS);
    "<candle_core::Tensor as std::ops::Sub>::sub", "a number on the right", of(c::MINUS);
    "<candle_core::Tensor as std::ops::Mul>::mul", "a number on the right", of(c::TIMES);
    "<candle_core::Tensor as std::ops::Div>::div", "a number on the right", of(c::OVER);
    "<f64 as std::ops::Add<candle_core::Tensor>>::add", "a number on the left", of(c::PLUS);
    "<f64 as std::ops::Sub<candle_core::Tensor>>::sub", "a number on the left", of(c::FROM);
    "<f64 as std::ops::Mul<candle_core::Tensor>>::mul", "a number on the left", of(c::TIMES);
    "<f64 as std::ops::Div<candle_core::Tensor>>::div", "a number on the left", of(c::UNDER);
    "candle_nn::ops::sigmoid", "moderate", of(c::SIGMOID);
    "candle_nn::ops::hard_sigmoid", "moderate", of(c::HARD_SIGMOID);
    "candle_nn::ops::mish", "moderate", of(c::MISH);
    "candle_nn::ops::silu", "moderate", of(c::SILU);
    "candle_nn::ops::leaky_relu", "moderate", of(c::LEAKY);
    "candle_nn::ops::selu", "moderate", of(c::SELU);
    "candle_nn::activation::Activation", "gelu, moderate", of(c::GELU_ERF);
    "candle_nn::activation::Activation", "new gelu, moderate", of(c::GELU);
    "candle_nn::activation::Activation", "gelu pytorch tanh, moderate", of(c::GELU);
    "candle_nn::activation::Activation", "relu, moderate", of(c::RELU);
    "candle_nn::activation::Activation", "relu2, moderate", of(c::RELU2);
    "candle_nn::activation::Activation", "relu6, moderate", of(c::RELU6);
    "candle_nn::activation::Activation", "silu, moderate", of(c::SILU);
    "candle_nn::activation::Activation", "swish, moderate", of(c::SILU);
    "candle_nn::activation::Activation", "sigmoid, moderate", of(c::SIGMOID);
    "candle_nn::activation::Activation", "hard sigmoid, moderate", of(c::HARD_SIGMOID);
    "candle_nn::activation::Activation", "hard swish, moderate", of(c::HARD_SWISH);
    "candle_nn::activation::Activation", "mish, moderate", of(c::MISH);
    "candle_nn::activation::Activation", "elu 0.5, moderate", of(c::HALF_ELU);
    "candle_nn::activation::Activation", "leaky relu 0.125, moderate", of(c::LEAKY);
    "candle_core::Tensor::add", "same shape", both(p::ADD);
    "candle_core::Tensor::sub", "same shape", both(p::SUB);
    "candle_core::Tensor::mul", "same shape", both(p::MUL);
    "candle_core::Tensor::div", "same shape", both(p::DIV);
    "candle_core::Tensor::maximum", "same shape", both(p::MAXIMUM);
    "candle_core::Tensor::minimum", "same shape", both(p::MINIMUM);
    "candle_core::Tensor::broadcast_add", "same shape", both(p::ADD);
    "candle_core::Tensor::broadcast_sub", "same shape", both(p::SUB);
    "candle_core::Tensor::broadcast_mul", "same shape", both(p::MUL);
    "candle_core::Tensor::broadcast_div", "same shape", both(p::DIV);
    "candle_core::Tensor::broadcast_maximum", "same shape", both(p::MAXIMUM);
    "candle_core::Tensor::broadcast_minimum", "same shape", both(p::MINIMUM);
    "<candle_core::Tensor as std::ops::Add>::add", "two tensors", both(p::ADD);
    "<candle_core::Tensor as std::ops::Sub>::sub", "two tensors", both(p::SUB);
    "<candle_core::Tensor as std::ops::Mul>::mul", "two tensors", both(p::MUL);
    "<candle_core::Tensor as std::ops::Div>::div", "two tensors", both(p::DIV);
    "candle_core::Tensor::pow", "positive base", both(p::POW);
    "candle_core::Tensor::broadcast_pow", "positive base", both(p::POW);
    "candle_core::Tensor::where_cond", "the condition is computed from on_true", both(p::CHOICE);
    "candle_core::Tensor::sum", "dim 2 of 3", together(r::sum, MIDDLE, 1, TWO_WAYS);
    "candle_core::Tensor::sum_keepdim", "dim 2 of 3", together(r::sum, MIDDLE, 1, TWO_WAYS);
    "candle_core::Tensor::sum_all", "a matrix", together(r::sum, ALONE, 1, TWO_WAYS);
    "candle_core::Tensor::mean", "dim 2 of 3", together(r::mean, MIDDLE, 1, EVERY_WAY);
    "candle_core::Tensor::mean_keepdim", "dim 2 of 3", together(r::mean, MIDDLE, 1, EVERY_WAY);
    "candle_core::Tensor::mean_all", "a matrix", together(r::mean, ALONE, 1, EVERY_WAY);
    "candle_core::Tensor::var", "dim 2 of 3", together(r::var, MIDDLE, 1, EVERY_WAY);
    "candle_core::Tensor::var_keepdim", "dim 2 of 3", together(r::var, MIDDLE, 1, EVERY_WAY);
    "candle_core::Tensor::max", "dim 2 of 3", together(r::max, MIDDLE, 1, TWO_WAYS);
    "candle_core::Tensor::max_keepdim", "dim 2 of 3", together(r::max, MIDDLE, 1, TWO_WAYS);
    "candle_core::Tensor::max_all", "a matrix", together(r::max, ALONE, 1, TWO_WAYS);
    "candle_core::Tensor::min", "dim 2 of 3", together(r::min, MIDDLE, 1, TWO_WAYS);
    "candle_core::Tensor::min_keepdim", "dim 2 of 3", together(r::min, MIDDLE, 1, TWO_WAYS);
    "candle_core::Tensor::min_all", "a matrix", together(r::min, ALONE, 1, TWO_WAYS);
    "candle_core::Tensor::cumsum", "dim 2 of 3", together(r::cumsum, MIDDLE, 4, TWO_WAYS);
    "candle_core::Tensor::log_sum_exp", "dim 2 of 3", together(r::log_sum_exp, MIDDLE, 1, EVERY_WAY);
    "candle_core::Tensor::norm", "a matrix", together(r::norm, ALONE, 1, TWO_WAYS);
    "candle_core::Tensor::dot", "vectors", together(r::dot, VECTORS, 1, TWO_WAYS);
    "candle_nn::ops::softmax", "a matrix", together(r::softmax, ROW, 4, EVERY_WAY);
    "candle_nn::ops::softmax_last_dim", "a matrix", together(r::softmax, ROW, 4, EVERY_WAY);
    "candle_nn::ops::log_softmax", "a matrix", together(r::log_softmax, ROW, 4, EVERY_WAY);
    "candle_nn::ops::rms_norm", "a matrix", together(r::rms_norm, SCALED, 4, TWO_WAYS);
    "candle_nn::ops::rms_norm_slow", "a matrix", together(r::rms_norm, SCALED, 4, TWO_WAYS);
    "candle_nn::layer_norm::LayerNorm", "LayerNorm::rms_norm", together(r::rms_norm, SCALED, 4, TWO_WAYS);
    "candle_nn::layer_norm::RmsNorm", "contiguous", together(r::rms_norm, SCALED, 4, TWO_WAYS);
    "candle_nn::layer_norm::RmsNorm::forward_diff", "contiguous", together(r::rms_norm, SCALED, 4, TWO_WAYS);
    "candle_nn::ops::layer_norm", "a matrix", together(r::layer_norm, SHIFTED, 4, EVERY_WAY);
    "candle_nn::ops::layer_norm_slow", "a matrix", together(r::layer_norm, SHIFTED, 4, EVERY_WAY);
    "candle_nn::layer_norm::LayerNorm", "with bias", together(r::layer_norm, SHIFTED, 4, EVERY_WAY);
    "candle_nn::layer_norm::LayerNorm", "no bias", together(r::layer_norm, SCALED, 4, EVERY_WAY);
    "candle_nn::batch_norm::BatchNorm::forward_train", "with bias", together(r::batch_norm, BATCHES, 18, EVERY_WAY);
    "candle_nn::batch_norm::BatchNorm", "training", together(r::batch_norm, BATCHES, 18, EVERY_WAY);
    "candle_nn::group_norm::GroupNorm", "2 groups of 4", together(r::group_norm, GROUPS, 12, EVERY_WAY);
    "candle_nn::ops::swiglu", "moderate", together(r::swiglu, HALVES, 1, TWO_WAYS);
    "candle_nn::activation::Activation", "swiglu, moderate", together(r::swiglu, HALVES, 1, TWO_WAYS);
    "candle_nn::activation::PReLU", "one weight", together(r::prelu, PRELU, 4, TWO_WAYS);
    "candle_nn::loss::nll", "three rows", together(r::nll, CLASSED, 1, TWO_WAYS);
    "candle_nn::loss::cross_entropy", "moderate", of_terms(r::cross_entropy, CLASSED, 1, EVERY_WAY);
    "candle_nn::loss::binary_cross_entropy_with_logit", "moderate", of_terms(r::bce, LOGITS, 1, TWO_WAYS);
    "candle_nn::loss::mse", "a matrix", together(r::mse, PAIRED, 1, TWO_WAYS);
    "candle_nn::loss::huber", "delta 1", together(r::huber, PAIRED, 1, TWO_WAYS);
];
