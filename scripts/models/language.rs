//! Language models.
use crate::{config, ids, input, ones};
use candle_core::{DType, Device, Tensor};
use candle_transformers::models::*;
use serde_json::json;

crate::cases! {
    "based", "based.rs", |vb| {
        let c = config(json!({ "n_embd": 16, "n_inner": 32, "n_layer": 2, "n_head": 2, "rotary_emb_base": 10000.,
            "alt_mixer_layers": [0], "alt_mixer_2_layers": [1],
            "alt_mixer": { "num_heads": 2, "feature_dim": 4, "feature_map": { "input_dim": 4 } },
            "alt_mixer_2": { "num_heads": 2, "window_size": 16 } }))?;
        based::Model::new(&c, vb)?.forward(&ids(1, 5)?, 0)
    };
    "bert", "bert.rs", |vb| {
        let c = config(json!({ "hidden_act": "gelu" }))?;
        bert::BertModel::load(vb, &c)?.forward(&ids(2, 5)?, &ids(2, 5)?.zeros_like()?, None)
    };
    "bert, masked LM", "bert.rs", |vb| {
        let c = config(json!({ "hidden_act": "gelu" }))?;
        bert::BertForMaskedLM::load(vb, &c)?.forward(&ids(2, 5)?, &ids(2, 5)?.zeros_like()?, None)
    };
    "bigcode", "bigcode.rs", |vb| {
        let c = bigcode::Config { vocab_size: 12, max_position_embeddings: 32, num_hidden_layers: 2, hidden_size: 16,
            layer_norm_epsilon: 1e-5, n_inner: None, num_attention_heads: 4, multi_query: true, use_cache: false };
        bigcode::GPTBigCode::load(vb, c)?.forward(&ids(2, 5)?, 0)
    };
    "chatglm", "chatglm.rs", |vb| {
        let c = chatglm::Config { num_layers: 2, padded_vocab_size: 12, hidden_size: 16, ffn_hidden_size: 24,
            kv_channels: 8, num_attention_heads: 2, seq_length: 16, layernorm_epsilon: 1e-5, rmsnorm: true,
            apply_residual_connection_post_layernorm: false, post_layer_norm: true, add_bias_linear: false,
            add_qkv_bias: true, bias_dropout_fusion: true, multi_query_attention: true, multi_query_group_num: 1,
            apply_query_key_layer_scaling: true, attention_softmax_in_fp32: true, fp32_residual_connection: false };
        chatglm::Model::new(&c, vb)?.forward(&ids(1, 5)?)
    };
    "codegeex4", "codegeex4_9b.rs", |vb| codegeex4_9b::Model::new(&config(glm())?, vb)?.forward(&ids(1, 5)?);
    "deberta v2", "debertav2.rs", |vb| {
        let c = config(json!({ "hidden_act": "gelu", "relative_attention": true, "max_relative_positions": -1,
            "position_biased_input": false, "pos_att_type": "p2c|c2p", "position_buckets": 8, "share_att_key": true,
            "norm_rel_ebd": "layer_norm", "type_vocab_size": 0 }))?;
        debertav2::DebertaV2Model::load(vb.pp("deberta"), &c)?.forward(&ids(2, 5)?, None, None)
    };
    "deepseek2", "deepseek2.rs", |vb| {
        let c = config(json!({ "moe_intermediate_size": 8, "n_shared_experts": 1, "n_routed_experts": 4,
            "num_experts_per_tok": 2, "first_k_dense_replace": 1, "q_lora_rank": 8, "qk_rope_head_dim": 4,
            "kv_lora_rank": 8, "v_head_dim": 4, "qk_nope_head_dim": 4, "n_group": 2, "topk_group": 1,
            "attention_bias": false }))?;
        deepseek2::DeepSeekV2::new(&c, vb)?.forward(&ids(2, 5)?, 0)
    };
    "distilbert", "distilbert.rs", |vb| {
        let c = config(json!({ "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 24, "activation": "gelu" }))?;
        distilbert::DistilBertModel::load(vb, &c)?.forward(&ids(2, 5)?, &Tensor::zeros((2, 1, 1, 5), DType::U8, &Device::Cpu)?)
    };
    "distilbert, masked LM", "distilbert.rs", |vb| {
        let c = config(json!({ "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 24, "activation": "gelu" }))?;
        distilbert::DistilBertForMaskedLM::load(vb, &c)?.forward(&ids(2, 5)?, &Tensor::zeros((2, 1, 1, 5), DType::U8, &Device::Cpu)?)
    };
    "falcon", "falcon.rs", |vb| {
        let c = config(json!({ "hidden_dropout": 0., "attention_dropout": 0., "alibi": false,
            "new_decoder_architecture": false, "multi_query": true, "parallel_attn": true, "bias": false }))?;
        falcon::Falcon::load(vb, c)?.forward(&ids(1, 5)?)
    };
    "gemma", "gemma.rs", |vb| {
        let c = config(json!({ "hidden_act": "gelu", "hidden_activation": null }))?;
        gemma::Model::new(false, &c, vb)?.forward(&ids(2, 5)?, 0)
    };
    "gemma2", "gemma2.rs", |vb| {
        let c = config(json!({ "final_logit_softcapping": 30., "attn_logit_softcapping": 50., "query_pre_attn_scalar": 4 }))?;
        gemma2::Model::new(false, &c, vb)?.forward(&ids(2, 5)?, 0)
    };
    "gemma3", "gemma3.rs", |vb| {
        let c = config(json!({ "final_logit_softcapping": 30., "attn_logit_softcapping": null, "query_pre_attn_scalar": 4,
            "rope_local_base_freq": 10000., "sliding_window_pattern": 2, "num_key_value_heads": 1 }))?;
        gemma3::Model::new(false, &c, vb)?.forward(&ids(2, 5)?, 0)
    };
    "gemma4, text", "gemma4/text.rs", |vb| {
        let c = config(json!({ "layer_types": ["sliding_attention", "full_attention"], "global_head_dim": 8,
            "query_pre_attn_scalar": 4, "attention_bias": false }))?;
        gemma4::text::TextModel::new(&c, vb)?.forward(&ids(2, 5)?, 0)
    };
    "glm4", "glm4.rs", |vb| glm4::Model::new(&config(glm())?, vb)?.forward(&ids(1, 5)?);
    "glm4, 0414", "glm4_new.rs", |vb| {
        glm4_new::ModelForCausalLM::new(&config(json!({}))?, vb)?.forward(&ids(1, 5)?, 0)
    };
    "granite", "granite.rs", |vb| {
        let c = config::<granite::GraniteConfig>(json!({}))?.into_config(false);
        let mut cache = granite::Cache::new(false, vb.dtype(), &c, vb.device())?;
        granite::Granite::load(vb, &c)?.forward(&ids(2, 5)?, 0, &mut cache)
    };
    "granite, MoE hybrid", "granitemoehybrid.rs", |vb| {
        let c = config::<granitemoehybrid::GraniteMoeHybridConfig>(json!({ "shared_intermediate_size": 24 }))?.into_config(false);
        let mut cache = granitemoehybrid::GraniteMoeHybridCache::new(false, vb.dtype(), &c, vb.device())?;
        granitemoehybrid::GraniteMoeHybrid::load(vb, &c)?.forward(&ids(2, 5)?, 0, &mut cache)
    };
    "helium", "helium.rs", |vb| {
        helium::Model::new(&config(json!({ "mlp_bias": false }))?, vb)?.forward(&ids(2, 5)?, 0)
    };
    "jina bert", "jina_bert.rs", |vb| {
        use candle_nn::Module;
        let c = config(json!({ "hidden_act": "gelu", "position_embedding_type": "alibi" }))?;
        jina_bert::BertModel::new(vb, &c)?.forward(&ids(2, 5)?)
    };
    "lfm2", "lfm2.rs", |vb| {
        let c = config::<lfm2::Lfm2Config>(json!({ "layer_types": ["conv", "full_attention"], "conv_l_cache": 3,
            "block_multiple_of": 8 }))?.into_config(false);
        let mut cache = lfm2::Cache::new(false, vb.dtype(), &c, vb.device())?;
        lfm2::Model::new(&c, vb)?.forward(&ids(2, 5)?, 0, &mut cache)
    };
    "llama", "llama.rs", |vb| {
        let c = config::<llama::LlamaConfig>(json!({}))?.into_config(false);
        let mut cache = llama::Cache::new(false, vb.dtype(), &c, vb.device())?;
        llama::Llama::load(vb, &c)?.forward(&ids(2, 5)?, 0, &mut cache)
    };
    "llama2.c", "llama2_c.rs", |vb| {
        let c = llama2_c::Config { dim: 16, hidden_dim: 24, n_layers: 2, n_heads: 4, n_kv_heads: 2, vocab_size: 12,
            seq_len: 8, norm_eps: 1e-5 };
        // The rotary tables belong to the checkpoint: no parameters, so they come from elsewhere.
        let (cos, sin) = (input(&vb, (8, 2))?.cos()?, input(&vb, (8, 2))?.sin()?);
        let tables = [("freq_cis_real".to_string(), cos), ("freq_cis_imag".to_string(), sin)].into_iter().collect();
        let mut cache = llama2_c::Cache::new(false, &c, candle_nn::VarBuilder::from_tensors(tables, vb.dtype(), vb.device()))?;
        llama2_c::Llama::load(vb, c)?.forward(&ids(2, 5)?, 0, &mut cache)
    };
    "mamba", "mamba.rs", |vb| {
        let c = config(json!({ "d_model": 16, "n_layer": 2, "pad_vocab_size_multiple": 4 }))?;
        let mut state = mamba::State::new(1, &c, vb.dtype(), vb.device())?;
        let model = mamba::Model::new(&c, vb)?;
        let tokens = ids(1, 3)?;
        let steps: candle_core::Result<Vec<_>> =
            (0..3).map(|t| model.forward(&tokens.narrow(1, t, 1)?.squeeze(1)?, &mut state)).collect();
        crate::join(&steps?)
    };
    "mamba2, by steps", "mamba2.rs", |vb| {
        let c = config(json!({ "d_state": 4, "pad_vocab_size_multiple": 4 }))?;
        let mut state = mamba2::State::new(2, &c, vb.dtype(), vb.device())?;
        let model = mamba2::Model::new(&c, vb)?;
        let tokens = ids(2, 3)?;
        let steps: candle_core::Result<Vec<_>> =
            (0..3).map(|t| model.forward(&tokens.narrow(1, t, 1)?.squeeze(1)?, &mut state)).collect();
        crate::join(&steps?)
    };
    "mamba2, prefill", "mamba2.rs", |vb| {
        let c = config(json!({ "d_state": 4, "pad_vocab_size_multiple": 4 }))?;
        let mut state = mamba2::State::new(2, &c, vb.dtype(), vb.device())?;
        mamba2::Model::new(&c, vb)?.forward_prefill(&ids(2, 8)?, &mut state, 4)
    };
    "marian", "marian.rs", |vb| {
        let c = config(json!({ "encoder_layers": 1, "encoder_ffn_dim": 24, "encoder_attention_heads": 4,
            "decoder_layers": 1, "decoder_ffn_dim": 24, "decoder_attention_heads": 4, "is_encoder_decoder": true,
            "d_model": 16, "decoder_start_token_id": 1, "scale_embedding": true, "forced_eos_token_id": 2,
            "share_encoder_decoder_embeddings": true }))?;
        let mut model = marian::MTModel::new(&c, vb)?;
        let encoded = model.encoder().forward(&ids(2, 5)?, 0)?;
        model.decode(&ids(2, 4)?, &encoded, 0)
    };
    "metavoice, first stage", "metavoice.rs", |vb| {
        let c = metavoice::transformer::Config { block_size: 16, vocab_size: 12, n_layer: 2, n_head: 4, dim: 16,
            speaker_emb_dim: 8, intermediate_size: Some(24), n_local_heads: Some(2), norm_eps: 1e-5 };
        let speaker = input(&vb, (1, 8))?;
        metavoice::transformer::Model::new(&c, vb)?.forward(&ids(2, 5)?, &speaker, 0)
    };
    "metavoice, second stage", "metavoice.rs", |vb| {
        use metavoice::gpt::{AttnKernelType, Config, Model, NonLinearityType, NormType};
        let c = Config { block_size: 16, vocab_sizes: vec![12, 12], target_vocab_sizes: vec![12, 12], n_layer: 2,
            n_head: 4, n_embd: 16, bias: false, causal: false, spk_emb_on_text: true, norm_type: NormType::LayerNorm,
            rmsnorm_eps: 1e-5, nonlinearity_type: NonLinearityType::Gelu, swiglu_multiple_of: Some(8),
            attn_kernel_type: AttnKernelType::TorchAttn, kv_cache_enabled: false };
        crate::join(&Model::new(c, vb)?.forward(&ids(2, 8)?.reshape((2, 2, 4))?)?)
    };
    "mistral", "mistral.rs", |vb| mistral::Model::new(&config(json!({}))?, vb)?.forward(&ids(2, 5)?, 0);
    "mixformer (phi-1)", "mixformer.rs", |vb| {
        let c = config(json!({ "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2, "rotary_dim": 4,
            "activation_function": "gelu_new", "pad_vocab_size_multiple": 4 }))?;
        mixformer::MixFormerSequentialForCausalLM::new(&c, vb)?.forward(&ids(2, 5)?)
    };
    "mixtral", "mixtral.rs", |vb| {
        let c = config(json!({ "num_experts_per_tok": 2, "num_local_experts": 4 }))?;
        mixtral::Model::new(&c, vb)?.forward(&ids(2, 5)?, 0)
    };
    "modernbert", "modernbert.rs", |vb| {
        let c = config(modern())?;
        modernbert::ModernBert::load(vb, &c)?.forward(&ids(2, 5)?, &Tensor::ones((2, 5), DType::U32, &Device::Cpu)?)
    };
    "modernbert, masked LM", "modernbert.rs", |vb| {
        let c = config(modern())?;
        modernbert::ModernBertForMaskedLM::load(vb, &c)?.forward(&ids(2, 5)?, &Tensor::ones((2, 5), DType::U32, &Device::Cpu)?)
    };
    "nomic bert", "nomic_bert.rs", |vb| {
        let c = config(json!({ "n_embd": 16, "n_head": 4, "n_layer": 2, "n_inner": 24, "n_positions": 32,
            "rotary_emb_fraction": 1., "rotary_emb_base": 1000., "rotary_emb_interleaved": false, "qkv_proj_bias": false,
            "mlp_fc1_bias": false, "mlp_fc2_bias": false, "activation_function": "swiglu", "prenorm": false }))?;
        nomic_bert::NomicBertModel::load(vb, &c)?.forward(&ids(2, 5)?, None, None)
    };
    "olmo", "olmo.rs", |vb| olmo::Model::new(&config(json!({}))?, vb)?.forward(&ids(2, 5)?, 0);
    "olmo2", "olmo2.rs", |vb| olmo2::Model::new(&config(json!({}))?, vb)?.forward(&ids(2, 5)?, 0);
    "phi", "phi.rs", |vb| phi::Model::new(&config(json!({ "qk_layernorm": false, "hidden_act": "gelu" }))?, vb)?.forward(&ids(2, 5)?);
    "phi3", "phi3.rs", |vb| {
        phi3::Model::new(&config(json!({ "partial_rotary_factor": 1. }))?, vb)?.forward(&ids(2, 5)?, 0)
    };
    "qwen2", "qwen2.rs", |vb| qwen2::ModelForCausalLM::new(&config(json!({}))?, vb)?.forward(&ids(2, 5)?, 0);
    "qwen2 MoE", "qwen2_moe.rs", |vb| qwen2_moe::Model::new(&config(moe())?, vb)?.forward(&ids(2, 5)?, 0);
    "qwen3", "qwen3.rs", |vb| {
        qwen3::ModelForCausalLM::new(&config(json!({}))?, vb)?.forward(&ids(2, 5)?, 0)
    };
    "qwen3 MoE", "qwen3_moe.rs", |vb| qwen3_moe::ModelForCausalLM::new(&config(moe())?, vb)?.forward(&ids(2, 5)?, 0);
    "recurrent gemma", "recurrent_gemma.rs", |vb| {
        let c = config(json!({ "head_dim": 8, "num_attention_heads": 2, "num_key_value_heads": 1, "lru_width": 16,
            "attention_window_size": 8, "conv1d_width": 4, "logits_soft_cap": 30.,
            "block_types": ["recurrent", "attention"] }))?;
        recurrent_gemma::Model::new(&c, vb)?.forward(&ids(2, 5)?, 0)
    };
    "rwkv v5", "rwkv_v5.rs", |vb| {
        let c = config(rwkv())?;
        let mut state = rwkv_v5::State::new(1, &c, vb.device())?;
        let model = rwkv_v5::Model::new(&c, vb)?;
        let steps: candle_core::Result<Vec<_>> =
            (0..3).map(|t| model.forward(&ids(1, 3)?.narrow(1, t, 1)?, &mut state)).collect();
        crate::join(&steps?)
    };
    "rwkv v6", "rwkv_v6.rs", |vb| {
        let c = config(rwkv())?;
        let mut state = rwkv_v5::State::new(1, &c, vb.device())?;
        let model = rwkv_v6::Model::new(&c, vb)?;
        let steps: candle_core::Result<Vec<_>> =
            (0..3).map(|t| model.forward(&ids(1, 3)?.narrow(1, t, 1)?, &mut state)).collect();
        crate::join(&steps?)
    };
    "smollm3", "smol/smollm3.rs", |vb| {
        smol::smollm3::ModelForCausalLM::new(&config(json!({ "no_rope_layer_interval": 2 }))?, vb)?.forward(&ids(2, 5)?, 0)
    };
    "stable lm", "stable_lm.rs", |vb| {
        stable_lm::Model::new(&config(json!({ "use_qkv_bias": true }))?, vb)?.forward(&ids(2, 5)?, 0)
    };
    "starcoder2", "starcoder2.rs", |vb| {
        let c = config(json!({ "norm_epsilon": 1e-5, "use_bias": true, "hidden_act": "gelu" }))?;
        starcoder2::Model::new(&c, vb)?.forward(&ids(2, 5)?, 0)
    };
    "stella, 1.5b", "stella_en_v5.rs", |vb| {
        let c = config(json!({ "variant": "Large", "embed_head": { "in_features": 16, "out_features": 8 },
            "activation_fn": "silu", "scaling_factor": 0. }))?;
        let mask = Tensor::ones((2, 5), DType::U32, &Device::Cpu)?;
        stella_en_v5::EmbeddingModel::new(&c, vb.pp("base"), vb.pp("embed"))?.forward(&ids(2, 5)?, &mask)
    };
    "stella, 400m", "stella_en_v5.rs", |vb| {
        let c = config(json!({ "variant": "Small", "embed_head": { "in_features": 16, "out_features": 8 },
            "activation_fn": "gelu", "scaling_factor": 2., "num_key_value_heads": 4 }))?;
        let mask = Tensor::ones((2, 5), DType::U32, &Device::Cpu)?;
        stella_en_v5::EmbeddingModel::new(&c, vb.pp("base"), vb.pp("embed"))?.forward(&ids(2, 5)?, &mask)
    };
    "t5", "t5.rs", |vb| {
        t5::T5ForConditionalGeneration::load(vb, &config(t5("gated-gelu"))?)?.forward(&ids(2, 5)?, &ids(2, 4)?)
    };
    "t5, encoder", "t5.rs", |vb| t5::T5EncoderModel::load(vb, &config(t5("gated-gelu"))?)?.forward(&ids(2, 5)?);
    "trocr, decoder", "trocr.rs", |vb| {
        let c = config(json!({ "d_model": 16, "cross_attention_hidden_size": 8, "decoder_layers": 2,
            "decoder_attention_heads": 4, "decoder_ffn_dim": 24, "dropout": 0., "attention_dropout": 0.,
            "activation_dropout": 0., "decoder_start_token_id": 1, "init_std": 0.02, "decoder_layerdrop": 0.,
            "scale_embedding": true }))?;
        let (image, mask) = (input(&vb, (2, 4, 8))?, ones(&vb, (4, 4))?.zeros_like()?);
        trocr::TrOCRForCausalLM::new(&c, vb)?.forward(&ids(2, 4)?, Some(&image), 0, &mask)
    };
    "voxtral, llama", "voxtral/voxtral_llama.rs", |vb| {
        let c = config(json!({}))?;
        let mut cache = voxtral::VoxtralLlamaCache::new(false, vb.dtype(), &c, vb.device())?;
        voxtral::VoxtralLlama::load(vb, &c)?.forward(&ids(2, 5)?, 0, &mut cache)
    };
    "xlm roberta", "xlm_roberta.rs", |vb| {
        let c = config(json!({ "hidden_act": "gelu", "position_embedding_type": "absolute" }))?;
        let mask = Tensor::ones((2, 5), DType::U32, &Device::Cpu)?;
        xlm_roberta::XLMRobertaModel::new(&c, vb)?.forward(&ids(2, 5)?, &mask, &mask.zeros_like()?, None, None, None)
    };
    "z-image, text encoder", "z_image/text_encoder.rs", |vb| {
        z_image::ZImageTextEncoder::new(&config(json!({ "attention_bias": false, "num_hidden_layers": 3 }))?, vb)?.forward(&ids(2, 5)?)
    };
}

fn glm() -> serde_json::Value {
    json!({ "num_layers": 2, "padded_vocab_size": 12, "ffn_hidden_size": 24, "kv_channels": 8, "num_attention_heads": 2,
        "seq_length": 16, "layernorm_epsilon": 1e-5, "rmsnorm": true, "apply_residual_connection_post_layernorm": false,
        "post_layer_norm": true, "add_bias_linear": false, "add_qkv_bias": true, "bias_dropout_fusion": true,
        "multi_query_attention": true, "multi_query_group_num": 1, "apply_query_key_layer_scaling": true,
        "attention_softmax_in_fp32": true, "fp32_residual_connection": false })
}

fn modern() -> serde_json::Value {
    json!({ "global_attn_every_n_layers": 2, "global_rope_theta": 10000., "local_attention": 4, "local_rope_theta": 100. })
}

fn moe() -> serde_json::Value {
    json!({ "decoder_sparse_step": 1, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 8,
        "num_experts_per_tok": 2, "num_experts": 4, "norm_topk_prob": true })
}

fn rwkv() -> serde_json::Value {
    json!({ "attention_hidden_size": 16, "num_attention_heads": 4, "head_size": 4, "rescale_every": 6 })
}

fn t5(activation: &str) -> serde_json::Value {
    json!({ "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4, "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 16, "dropout_rate": 0., "layer_norm_epsilon": 1e-6, "initializer_factor": 1.,
        "feed_forward_proj": activation, "is_encoder_decoder": true })
}
