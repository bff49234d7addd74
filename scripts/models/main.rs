//! candle-transformers' models with tiny configurations, under `gradcheck::model` and beside numeric derivatives
//! of our own. `scripts/models.py` builds this with and without the cure and writes assets/models.md; by itself:
//!
//!     cargo run --release -- --list
//!     cargo run --release -- vit llama --truth
//!
//! One line a tensor, fields separated by tabs; progress on stderr.
mod audio;
mod diffusion;
mod language;
mod measure;
mod vision;

use candle_core::{Device, Error, Result, Shape, Tensor};
use candle_nn::VarBuilder;

/// A model, from its `VarBuilder` to its output.
pub struct Case {
    pub name: &'static str,
    pub file: &'static str,
    pub forward: fn(VarBuilder) -> Result<Tensor>,
}

#[macro_export]
macro_rules! cases {
    ($($name:literal, $file:literal, |$vb:ident| $forward:expr;)*) => {
        pub const CASES: &[$crate::Case] =
            &[$($crate::Case { name: $name, file: $file, forward: |$vb| $forward }),*];
    };
}

/// Token ids below 12, no two neighbours alike.
pub fn ids(batch: usize, length: usize) -> Result<Tensor> {
    let ids = (0..batch * length).map(|k| 1 + (7 * k as u32 + 3) % 11);
    Tensor::from_iter(ids, &Device::Cpu)?.reshape((batch, length))
}

/// Numbers about -1.5 to 1.5, the same each time.
pub fn input(vb: &VarBuilder, shape: impl Into<Shape>) -> Result<Tensor> {
    let shape = shape.into();
    let wave = |k: f64| (0.7 * k + 0.3).sin() + 0.5 * (0.013 * (k * k % 1013.)).cos();
    let data: Vec<f64> = (0..shape.elem_count()).map(|k| wave(k as f64)).collect();
    Tensor::from_vec(data, shape, &Device::Cpu)?.to_dtype(vb.dtype())
}

/// Ones, of the model's dtype.
pub fn ones(vb: &VarBuilder, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::ones(shape, vb.dtype(), vb.device())
}

/// Several outputs as one.
pub fn join(outputs: &[Tensor]) -> Result<Tensor> {
    Tensor::cat(&outputs.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?, 0)
}

/// The model's configuration: what most of them share, and its own.
pub fn config<C: serde::de::DeserializeOwned>(own: serde_json::Value) -> Result<C> {
    let mut config = serde_json::json!({
        "vocab_size": 12, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 32,
        "rms_norm_eps": 1e-6, "layer_norm_eps": 1e-5, "layer_norm_epsilon": 1e-5, "norm_eps": 1e-5,
        "rope_theta": 10000., "hidden_act": "silu", "hidden_activation": "gelu_pytorch_tanh",
        "activation_function": "gelu", "tie_word_embeddings": false, "attention_bias": true, "use_cache": false,
        "sliding_window": 16, "use_sliding_window": false, "max_window_layers": 2, "initializer_range": 0.02,
        "type_vocab_size": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "use_flash_attn": false,
        "hidden_dropout_prob": 0., "attention_probs_dropout_prob": 0., "partial_rotary_factor": 0.5,
        "image_size": 16, "patch_size": 8, "num_channels": 3, "projection_dim": 8,
    });
    for (key, value) in own.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    // null: not given at all.
    config.as_object_mut().into_iter().for_each(|c| c.retain(|_, value| !value.is_null()));
    serde_json::from_value(config).map_err(|e| Error::Msg(e.to_string()))
}

fn main() {
    if let Err(error) = measure::run(std::env::args().skip(1)) {
        eprintln!("models: {}", error.to_string().lines().next().unwrap_or_default());
        std::process::exit(2);
    }
}
