//! Diffusion models and their autoencoders.
use crate::{config, input, ones};
use candle_core::{DType, Device, Module, Tensor};
use candle_transformers::models::*;
use serde_json::json;

crate::cases! {
    "flux", "flux/model.rs", |vb| {
        use flux::{WithForward, model::*};
        let c = Config { in_channels: 8, vec_in_dim: 8, context_in_dim: 8, hidden_size: 16, mlp_ratio: 2., num_heads: 2, depth: 1,
            depth_single_blocks: 1, axes_dim: vec![2, 2, 4], theta: 10000, qkv_bias: true, guidance_embed: true };
        let positions = |n: usize| input(&vb, (1, n, 3));
        Flux::new(&c, vb.clone())?.forward(&input(&vb, (1, 4, 8))?, &positions(4)?, &input(&vb, (1, 3, 8))?, &positions(3)?,
            &input(&vb, 1)?, &input(&vb, (1, 8))?, Some(&input(&vb, 1)?))
    };
    "flux, encoder", "flux/autoencoder.rs", |vb| flux::autoencoder::Encoder::new(&flux_vae(), vb.clone())?.forward(&input(&vb, (1, 3, 8, 8))?);
    "flux, decoder", "flux/autoencoder.rs", |vb| flux::autoencoder::Decoder::new(&flux_vae(), vb.clone())?.forward(&input(&vb, (1, 4, 4, 4))?);
    "stable diffusion 3 (mmdit)", "mmdit/model.rs", |vb| {
        // The embedding of the time step is in f16 in the source; behind it everything is in the model's dtype.
        mmdit::model::MMDiTCore::new(2, 16, 2, 2, 4, false, vb.clone())?
            .forward(&input(&vb, (1, 3, 16))?, &input(&vb, (1, 4, 16))?, &input(&vb, (1, 16))?, None)
    };
    "stable diffusion, unet", "stable_diffusion/unet_2d.rs", |vb| {
        use stable_diffusion::unet_2d::*;
        let block = |out_channels, use_cross_attn| BlockConfig { out_channels, use_cross_attn, attention_head_dim: 2 };
        let c = UNet2DConditionModelConfig { blocks: vec![block(32, Some(1)), block(32, None)], layers_per_block: 1,
            norm_num_groups: 4, cross_attention_dim: 8, ..Default::default() };
        UNet2DConditionModel::new(vb.clone(), 4, 4, false, c)?.forward(&input(&vb, (1, 4, 8, 8))?, 7., &input(&vb, (1, 3, 8))?)
    };
    "stable diffusion, vae decoder", "stable_diffusion/vae.rs", |vb| {
        use stable_diffusion::vae::*;
        let c = AutoEncoderKLConfig { block_out_channels: vec![8, 16], layers_per_block: 1, norm_num_groups: 4, ..Default::default() };
        AutoEncoderKL::new(vb.clone(), 3, 3, c)?.decode(&input(&vb, (1, 4, 4, 4))?)
    };
    "wuerstchen, vq", "wuerstchen/paella_vq.rs", |vb| wuerstchen::paella_vq::PaellaVQ::new(vb.clone())?.forward(&input(&vb, (1, 3, 16, 16))?);
    "z-image", "z_image/transformer.rs", |vb| {
        let c = config(json!({ "in_channels": 4, "dim": 16, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2,
            "cap_feat_dim": 8, "axes_dims": [2, 2, 4], "axes_lens": [16, 16, 16], "use_accelerated_attn": false }))?;
        z_image::ZImageTransformer2DModel::new(&c, vb.clone())?.forward(&input(&vb, (1, 4, 1, 4, 4))?, &ones(&vb, 1)?,
            &input(&vb, (1, 4, 8))?, &Tensor::ones((1, 4), DType::U8, &Device::Cpu)?)
    };
    "z-image, encoder", "z_image/vae.rs", |vb| z_image::vae::Encoder::new(&config(z_vae())?, vb.clone())?.forward(&input(&vb, (1, 3, 8, 8))?);
    "z-image, decoder", "z_image/vae.rs", |vb| z_image::vae::Decoder::new(&config(z_vae())?, vb.clone())?.forward(&input(&vb, (1, 4, 4, 4))?);
}

fn flux_vae() -> flux::autoencoder::Config {
    flux::autoencoder::Config { resolution: 8, in_channels: 3, ch: 32, out_ch: 3, ch_mult: vec![1, 1], num_res_blocks: 1,
        z_channels: 4, scale_factor: 0.5, shift_factor: 0.1 }
}

fn z_vae() -> serde_json::Value {
    json!({ "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [8, 8], "layers_per_block": 1,
        "scaling_factor": 0.4, "shift_factor": 0.1, "norm_num_groups": 4 })
}
