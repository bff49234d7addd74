//! Functions of tensors that are not checked, each with its reason.

const NO_DERIVATIVE: &str = "its values are integers, which have no derivative";
const CONSTANT: &str = "its result does not depend on the values of its input";
const ACCESS: &str = "hands out a tensor it holds, without computing";
const LOADS: &str = "reads a tensor from a file or a map; no tensor goes in";
const SAVES: &str = "writes a file";
const GRADIENTS: &str = "part of the gradient store, not of the graph";
const HOOK: &str = "a trait's method, implemented by users; apply_op1, 2 and 3 call it here";
const DOCUMENTED: &str = "has no backward, as its name and documentation say";
const WRAPS: &str = "calls the module it stands for";
const NO_CPU: &str = "has no implementation on the CPU";
const DEQUANTIZES: &str = "takes a quantized tensor, which has no gradient";
const CACHED: &str = "gives what append has stored, which is checked";

/// Full path and reason; a path that ends in `*` stands for all that begin so.
pub const EXEMPT: &[(&str, &str)] = &[
    ("candle_core::M", WRAPS),
    ("candle_core::Module", WRAPS),
    ("candle_core::ModuleT", WRAPS),
    ("candle_core::Option", WRAPS),
    ("candle_core::T", WRAPS),
    (
        "candle_core::Tensor::<Deref>::deref",
        "gives the inner structure, not a tensor",
    ),
    ("candle_core::Tensor::apply_op1_no_bwd", DOCUMENTED),
    ("candle_core::Tensor::apply_op2_no_bwd", DOCUMENTED),
    ("candle_core::Tensor::apply_op3_no_bwd", DOCUMENTED),
    ("candle_core::Tensor::arg_sort_last_dim", NO_DERIVATIVE),
    ("candle_core::Tensor::argmax", NO_DERIVATIVE),
    ("candle_core::Tensor::argmax_keepdim", NO_DERIVATIVE),
    ("candle_core::Tensor::argmin", NO_DERIVATIVE),
    ("candle_core::Tensor::argmin_keepdim", NO_DERIVATIVE),
    ("candle_core::Tensor::broadcast_eq", NO_DERIVATIVE),
    ("candle_core::Tensor::broadcast_ge", NO_DERIVATIVE),
    ("candle_core::Tensor::broadcast_gt", NO_DERIVATIVE),
    ("candle_core::Tensor::broadcast_le", NO_DERIVATIVE),
    ("candle_core::Tensor::broadcast_lt", NO_DERIVATIVE),
    ("candle_core::Tensor::broadcast_ne", NO_DERIVATIVE),
    ("candle_core::Tensor::cmp", NO_DERIVATIVE),
    ("candle_core::Tensor::eq", NO_DERIVATIVE),
    ("candle_core::Tensor::ge", NO_DERIVATIVE),
    ("candle_core::Tensor::gt", NO_DERIVATIVE),
    ("candle_core::Tensor::le", NO_DERIVATIVE),
    ("candle_core::Tensor::lt", NO_DERIVATIVE),
    ("candle_core::Tensor::ne", NO_DERIVATIVE),
    (
        "candle_core::Tensor::detach",
        "cuts the graph, which is what it is for",
    ),
    (
        "candle_core::Tensor::empty_like",
        "its values are not initialised",
    ),
    ("candle_core::Tensor::ones_like", CONSTANT),
    ("candle_core::Tensor::rand_like", CONSTANT),
    ("candle_core::Tensor::randn_like", CONSTANT),
    ("candle_core::Tensor::zeros_like", CONSTANT),
    ("candle_core::backprop::GradStore::*", GRADIENTS),
    ("candle_core::custom_op::*", HOOK),
    ("candle_core::npy::*", LOADS),
    ("candle_core::pickle::*", LOADS),
    (
        "candle_core::quantized::QMatMul::forward_via_f16",
        "rounds its input to f16, a step function to a numerical derivative; matmul and to_dtype, \
         of which it consists, are checked",
    ),
    (
        "candle_core::quantized::QMatMul::indexed_moe_forward",
        NO_CPU,
    ),
    ("candle_core::quantized::QTensor::dequantize", DEQUANTIZES),
    (
        "candle_core::quantized::QTensor::dequantize_f16",
        DEQUANTIZES,
    ),
    ("candle_core::quantized::QTensor::embedding", DEQUANTIZES),
    (
        "candle_core::quantized::QTensor::gemv_fused_shared_lhs",
        "decodes with quantized weights, on aarch64 only; elsewhere it gives None",
    ),
    (
        "candle_core::quantized::QTensor::indexed_gemv",
        "decodes with quantized weights, on aarch64 only; elsewhere it gives None",
    ),
    (
        "candle_core::quantized::QTensor::indexed_moe_forward",
        NO_CPU,
    ),
    ("candle_core::safetensors::*", LOADS),
    ("candle_core::Tensor::save_safetensors", SAVES),
    ("candle_core::Tensor::write_npy", SAVES),
    (
        "candle_core::streaming::StreamTensor::apply",
        "calls the module that it is given on the tensor that it holds",
    ),
    (
        "candle_core::streaming::StreamTensor::cat2",
        "calls Tensor::cat, which is checked",
    ),
    (
        "candle_core::variable::Var::set",
        "writes into a leaf, outside the graph, as training does; what a backward pass makes of a \
         tensor that is changed after its use, zero_set shows",
    ),
    (
        "candle_core::streaming::StreamingBinOp",
        "adds, multiplies, subtracts or divides two tensors by their operators, which are checked",
    ),
    (
        "candle_core::variable::Var::as_detached_tensor",
        "detaches, which is what it is for",
    ),
    ("candle_core::variable::Var::into_inner", ACCESS),
    ("candle_nn::encoding::one_hot", "takes integers"),
    ("candle_nn::kv_cache::Cache::all_data", ACCESS),
    ("candle_nn::kv_cache::ConcatKvCache::into_inner", CACHED),
    ("candle_nn::kv_cache::ConcatKvCache::k_mut", ACCESS),
    ("candle_nn::kv_cache::ConcatKvCache::v_mut", ACCESS),
    ("candle_nn::kv_cache::KvCache::k", CACHED),
    ("candle_nn::kv_cache::KvCache::v", CACHED),
    ("candle_nn::kv_cache::RotatingCache::all_data", ACCESS),
    ("candle_nn::kv_cache::RotatingCache::attn_mask", CONSTANT),
    ("candle_nn::kv_cache::RotatingCache::current_data", CACHED),
    ("candle_nn::kv_cache::RotatingKvCache::attn_mask", CONSTANT),
    ("candle_nn::kv_cache::RotatingKvCache::k", CACHED),
    ("candle_nn::kv_cache::RotatingKvCache::v", CACHED),
    ("candle_nn::moe::moe_gemm", NO_CPU),
    ("candle_nn::moe::moe_gemm_gguf", NO_CPU),
    ("candle_nn::ops::Sigmoid::<CustomOp1>::bwd", HOOK),
    ("candle_nn::ops::sdpa", NO_CPU),
    (
        "candle_nn::rnn::GRU::states_to_tensor",
        "run by the cases of RNN::seq",
    ),
    ("candle_nn::rnn::GRU::zero_state", CONSTANT),
    (
        "candle_nn::rnn::LSTM::states_to_tensor",
        "run by the cases of RNN::seq",
    ),
    ("candle_nn::rnn::LSTM::zero_state", CONSTANT),
    (
        "candle_nn::rnn::RNN::states_to_tensor",
        "run by the cases of RNN::seq",
    ),
    (
        "candle_nn::rnn::RNN::step",
        "run by the cases of LSTM::step and GRU::step",
    ),
    ("candle_nn::rnn::RNN::zero_state", CONSTANT),
    ("candle_nn::sampling::gumbel_softmax", NO_DERIVATIVE),
    ("candle_nn::var_builder::*", LOADS),
    ("candle_nn::var_map::VarMap::get", LOADS),
];
