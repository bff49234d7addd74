//! Models of sound.
use crate::{config, ids, input, join};
use candle_core::{Module, Tensor};
use candle_nn::Activation;
use candle_transformers::models::*;
use serde_json::json;

crate::cases! {
    "dac, encoder", "dac.rs", |vb| dac::Encoder::new(8, &[2, 4], 8, vb.clone())?.forward(&input(&vb, (1, 1, 64))?);
    "dac, decoder", "dac.rs", |vb| dac::Decoder::new(8, 16, &[4, 2], 1, vb.clone())?.forward(&input(&vb, (1, 8, 8))?);
    "encodec, encoder", "encodec.rs", |vb| encodec::Encoder::new(&config(encodec_config())?, vb.clone())?.forward(&input(&vb, (1, 1, 64))?);
    "encodec, decode", "encodec.rs", |vb| encodec::Model::new(&config(encodec_config())?, vb)?.decode(&ids(1, 8)?.reshape((1, 1, 8))?);
    "gemma4, audio", "gemma4/audio.rs", |vb| {
        let c = config(json!({ "input_feat_size": 16, "output_proj_dims": 8, "conf_attention_chunk_size": 4,
            "conf_attention_context_left": 5, "conf_attention_context_right": 0, "num_attention_heads": 2,
            "num_hidden_layers": 1, "conf_conv_kernel_size": 3, "sscp_conv_channel_size": [8, 4] }))?;
        let mask = Tensor::zeros((1, 32), vb.dtype(), vb.device())?;
        Ok(gemma4::AudioModel::new(&c, vb.clone())?.forward(&input(&vb, (1, 32, 16))?, &mask)?.0)
    };
    "mimi, before the codes", "mimi/encodec.rs", |vb| {
        mimi::Model::new(mimi_config(), vb.clone())?.encode_pre_quantize(&input(&vb, (1, 1, 64))?)
    };
    "mimi, decode", "mimi/encodec.rs", |vb| mimi::Model::new(mimi_config(), vb)?.decode(&ids(1, 8)?.reshape((1, 2, 4))?);
    "parler tts, decoder", "parler_tts.rs", |vb| {
        let c = config(json!({ "ffn_dim": 24, "scale_embedding": false, "num_codebooks": 2, "rope_embeddings": false,
            "num_key_value_heads": null }))?;
        let encoded = input(&vb, (1, 3, 16))?;
        join(&parler_tts::Decoder::new(&c, vb.clone())?.forward(&ids(1, 8)?.reshape((1, 2, 4))?, None, None, &encoded, None, 0)?)
    };
    "snac, decode", "snac.rs", |vb| {
        let c = config(json!({ "sampling_rate": 24000, "encoder_dim": 8, "encoder_rates": [2, 2], "decoder_dim": 16,
            "decoder_rates": [2, 2], "attn_window_size": 4, "codebook_size": 12, "codebook_dim": 4, "vq_strides": [2, 1],
            "noise": false, "depthwise": false }))?;
        snac::Model::new(&c, vb)?.decode(&[&ids(1, 4)?, &ids(1, 8)?])
    };
    "voxtral", "voxtral/model.rs", |vb| {
        use voxtral::*;
        let audio_config = VoxtralEncoderConfig { vocab_size: 12, hidden_size: 16, intermediate_size: 64, num_hidden_layers: 1,
            num_attention_heads: 4, num_key_value_heads: 4, head_dim: 4, num_mel_bins: 8, max_source_positions: 16,
            ..Default::default() };
        let c = VoxtralConfig { audio_config, text_config: config(json!({}))?, audio_token_id: 9, projector_hidden_act: "gelu".into() };
        let encoder = VoxtralEncoder::new(&c.audio_config, vb.pp("audio_tower"))?;
        VoxtralMultiModalProjector::new(&c, vb.pp("projector"))?.forward(&encoder.forward(&input(&vb, (1, 8, 32))?)?.reshape(((), 64))?)
    };
    "whisper", "whisper/model.rs", |vb| {
        let c = config(json!({ "num_mel_bins": 8, "max_source_positions": 8, "d_model": 16, "encoder_attention_heads": 4,
            "encoder_layers": 1, "max_target_positions": 8, "decoder_attention_heads": 4, "decoder_layers": 1 }))?;
        let mut model = whisper::model::Whisper::load(&vb, c)?;
        let encoded = model.encoder.forward(&input(&vb, (1, 8, 16))?, true)?;
        let decoded = model.decoder.forward(&ids(1, 4)?, &encoded, true)?;
        model.decoder.final_linear(&decoded)
    };
}

fn encodec_config() -> serde_json::Value {
    json!({ "target_bandwidths": [0.17], "sampling_rate": 64, "audio_channels": 1, "normalize": false, "hidden_size": 8,
        "num_filters": 4, "num_residual_layers": 1, "upsampling_ratios": [2, 2], "norm_type": "WeightNorm", "kernel_size": 3,
        "last_kernel_size": 3, "residual_kernel_size": 3, "dilation_growth_rate": 2, "use_causal_conv": true,
        "pad_mode": "Replicate", "compress": 2, "num_lstm_layers": 1, "trim_right_ratio": 1., "codebook_size": 12,
        "use_conv_shortcut": true })
}

fn mimi_config() -> mimi::Config {
    let full = mimi::Config::v0_1(Some(2));
    let seanet = mimi::seanet::Config { dimension: 8, n_filters: 4, ratios: vec![2, 2], activation: Activation::Elu(1.), ..full.seanet };
    let transformer = mimi::transformer::Config { d_model: 8, num_heads: 2, num_layers: 1, dim_feedforward: 16, max_seq_len: 64, ..full.transformer };
    // The step between the convolutions' rate and the frames' is 2.
    mimi::Config { sample_rate: 16., frame_rate: 2., quantizer_bins: 12, quantizer_dim: 4, seanet, transformer, ..full }
}
