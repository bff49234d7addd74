//! Functions of tensors that are not checked, by the reason.

/// A reason and the full paths; one that ends in `*` stands for all that begin so.
#[rustfmt::skip]
pub const EXEMPT: &[(&str, &[&str])] = &[
    ("calls the module it stands for", &[
        "candle_core::M", "candle_core::Module", "candle_core::ModuleT", "candle_core::Option",
        "candle_core::T",
    ]),
    ("gives the inner structure, not a tensor", &["candle_core::Tensor::<Deref>::deref"]),
    ("has no backward, as its name and documentation say", &[
        "candle_core::Tensor::apply_op1_no_bwd", "candle_core::Tensor::apply_op2_no_bwd",
        "candle_core::Tensor::apply_op3_no_bwd",
    ]),
    ("its values are integers, which have no derivative", &[
        "candle_core::Tensor::arg_sort_last_dim", "candle_core::Tensor::argmax",
        "candle_core::Tensor::argmax_keepdim", "candle_core::Tensor::argmin",
        "candle_core::Tensor::argmin_keepdim", "candle_core::Tensor::broadcast_eq",
        "candle_core::Tensor::broadcast_ge", "candle_core::Tensor::broadcast_gt",
        "candle_core::Tensor::broadcast_le", "candle_core::Tensor::broadcast_lt",
        "candle_core::Tensor::broadcast_ne", "candle_core::Tensor::cmp", "candle_core::Tensor::eq",
        "candle_core::Tensor::ge", "candle_core::Tensor::gt", "candle_core::Tensor::le",
        "candle_core::Tensor::lt", "candle_core::Tensor::ne", "candle_nn::sampling::gumbel_softmax",
    ]),
    ("cuts the graph, which is what it is for", &["candle_core::Tensor::detach"]),
    ("its values are not initialised", &["candle_core::Tensor::empty_like"]),
    ("its result does not depend on the values of its input", &[
        "candle_core::Tensor::ones_like", "candle_core::Tensor::rand_like", "candle_core::Tensor::randn_like",
        "candle_core::Tensor::zeros_like", "candle_nn::kv_cache::RotatingCache::attn_mask",
        "candle_nn::kv_cache::RotatingKvCache::attn_mask", "candle_nn::rnn::GRU::zero_state",
        "candle_nn::rnn::LSTM::zero_state", "candle_nn::rnn::RNN::zero_state",
    ]),
    ("part of the gradient store, not of the graph", &["candle_core::backprop::GradStore::*"]),
    ("a trait's method, implemented by users; apply_op1, 2 and 3 call it here", &[
        "candle_core::custom_op::*", "candle_nn::ops::Sigmoid::<CustomOp1>::bwd",
    ]),
    ("reads a tensor from a file or a map; no tensor goes in", &[
        "candle_core::npy::*", "candle_core::pickle::*", "candle_core::safetensors::*",
        "candle_nn::var_builder::*", "candle_nn::var_map::VarMap::get",
    ]),
    ("rounds its input to f16, a step function to a numerical derivative; matmul and to_dtype, of which it consists, are checked", &[
        "candle_core::quantized::QMatMul::forward_via_f16",
    ]),
    ("has no implementation on the CPU", &[
        "candle_core::quantized::QMatMul::indexed_moe_forward",
        "candle_core::quantized::QTensor::indexed_moe_forward", "candle_nn::moe::moe_gemm",
        "candle_nn::moe::moe_gemm_gguf", "candle_nn::ops::sdpa",
    ]),
    ("takes a quantized tensor, which has no gradient", &[
        "candle_core::quantized::QTensor::dequantize", "candle_core::quantized::QTensor::dequantize_f16",
        "candle_core::quantized::QTensor::embedding",
    ]),
    ("decodes with quantized weights, on aarch64 only; elsewhere it gives None", &[
        "candle_core::quantized::QTensor::gemv_fused_shared_lhs",
        "candle_core::quantized::QTensor::indexed_gemv",
    ]),
    ("writes a file", &["candle_core::Tensor::save_safetensors", "candle_core::Tensor::write_npy"]),
    ("calls the module that it is given on the tensor that it holds", &[
        "candle_core::streaming::StreamTensor::apply",
    ]),
    ("calls Tensor::cat, which is checked", &["candle_core::streaming::StreamTensor::cat2"]),
    ("writes into a leaf, outside the graph, as training does; what a backward pass makes of a tensor that is changed after its use, zero_set shows", &[
        "candle_core::variable::Var::set",
    ]),
    ("adds, multiplies, subtracts or divides two tensors by their operators, which are checked", &[
        "candle_core::streaming::StreamingBinOp",
    ]),
    ("detaches, which is what it is for", &["candle_core::variable::Var::as_detached_tensor"]),
    ("hands out a tensor it holds, without computing", &[
        "candle_core::variable::Var::into_inner", "candle_nn::kv_cache::Cache::all_data",
        "candle_nn::kv_cache::ConcatKvCache::k_mut", "candle_nn::kv_cache::ConcatKvCache::v_mut",
        "candle_nn::kv_cache::RotatingCache::all_data",
    ]),
    ("takes integers", &["candle_nn::encoding::one_hot"]),
    ("gives what append has stored, which is checked", &[
        "candle_nn::kv_cache::ConcatKvCache::into_inner", "candle_nn::kv_cache::KvCache::k",
        "candle_nn::kv_cache::KvCache::v", "candle_nn::kv_cache::RotatingCache::current_data",
        "candle_nn::kv_cache::RotatingKvCache::k", "candle_nn::kv_cache::RotatingKvCache::v",
    ]),
    ("run by the cases of RNN::seq", &[
        "candle_nn::rnn::GRU::states_to_tensor", "candle_nn::rnn::LSTM::states_to_tensor",
        "candle_nn::rnn::RNN::states_to_tensor",
    ]),
    ("run by the cases of LSTM::step and GRU::step", &["candle_nn::rnn::RNN::step"]),
];
