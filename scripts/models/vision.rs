//! Models of images, and of images and text.
use crate::{config, ids, input, join};
use candle_core::{Device, Module, Tensor};
use candle_transformers::models::*;
use serde_json::json;

crate::cases! {
    "beit", "beit.rs", |vb| beit::BeitVisionTransformer::new(vb.clone(), 1, 8, 2)?.forward(&input(&vb, (1, 3, 384, 384))?);
    "blip", "blip.rs", |vb| {
        let vision = json!({ "hidden_size": 16, "intermediate_size": 24, "projection_dim": 8, "num_hidden_layers": 1,
            "num_attention_heads": 4, "image_size": 16, "patch_size": 8, "hidden_act": "gelu", "layer_norm_eps": 1e-5 });
        let text = json!({ "vocab_size": 12, "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 24,
            "projection_dim": 8, "num_hidden_layers": 1, "num_attention_heads": 4, "max_position_embeddings": 16,
            "hidden_act": "gelu", "layer_norm_eps": 1e-5, "is_decoder": true });
        let c = config(json!({ "text_config": text, "vision_config": vision, "image_text_hidden_size": 8 }))?;
        let mut model = blip::BlipForConditionalGeneration::new(&c, vb.clone())?;
        let image = input(&vb, (1, 3, 16, 16))?.apply(model.vision_model())?;
        model.text_decoder().forward(&ids(1, 4)?, &image)
    };
    "chinese clip", "chinese_clip/mod.rs", |vb| {
        use chinese_clip::{text_model::*, vision_model::*, *};
        let text_config = ChineseClipTextConfig { vocab_size: 12, hidden_size: 16, num_hidden_layers: 2,
            num_attention_heads: 4, intermediate_size: 24, max_position_embeddings: 32,
            ..ChineseClipTextConfig::clip_vit_base_patch16() };
        let vision_config = ChineseClipVisionConfig { hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2,
            num_attention_heads: 4, image_size: 16, patch_size: 8, ..ChineseClipVisionConfig::clip_vit_base_patch16() };
        let c = ChineseClipConfig { text_config, vision_config, projection_dim: 8, logit_scale_init_value: 2.6592, image_size: 16 };
        // Without it in the checkpoint, `new` draws one that is no variable, another each time.
        vb.pp("vision_model.embeddings").get(16, "class_embedding")?;
        let model = ChineseClipModel::new(vb.clone(), &c)?;
        Ok(model.forward(&input(&vb, (2, 3, 16, 16))?, &ids(3, 5)?, None, None)?.0)
    };
    "clip", "clip/mod.rs", |vb| {
        use clip::{text_model::*, vision_model::*, *};
        let text_config = ClipTextConfig { vocab_size: 12, embed_dim: 16, intermediate_size: 24, num_hidden_layers: 2,
            num_attention_heads: 4, projection_dim: 8, max_position_embeddings: 8, ..ClipTextConfig::vit_base_patch32() };
        let vision_config = ClipVisionConfig { embed_dim: 16, intermediate_size: 24, num_hidden_layers: 2,
            num_attention_heads: 4, projection_dim: 8, image_size: 16, patch_size: 8, ..ClipVisionConfig::vit_base_patch32() };
        let c = ClipConfig { text_config, vision_config, logit_scale_init_value: 2.6592, image_size: 16 };
        vb.pp("vision_model.embeddings").get(16, "class_embedding")?;
        Ok(ClipModel::new(vb.clone(), &c)?.forward(&input(&vb, (2, 3, 16, 16))?, &ids(3, 5)?)?.0)
    };
    "colpali", "colpali.rs", |vb| {
        let c = config(json!({ "vision_config": siglip_vision(), "text_config": gemma_text(), "projection_dim": 16 }))?;
        colpali::Model::new(&c, vb.clone())?.forward_images(&input(&vb, (1, 3, 16, 16))?, &ids(1, 5)?)
    };
    "convnext", "convnext.rs", |vb| {
        convnext::convnext(&convnext::Config::atto(), 5, vb.clone())?.forward(&input(&vb, (1, 3, 32, 32))?)
    };
    "depth anything v2", "depth_anything_v2.rs", |vb| {
        use depth_anything_v2::*;
        let c = DepthAnythingV2Config::new([8, 8, 8, 8], 8, 8, false, false, vec![0, 1, 2, 3], 28, 2);
        let pretrained = dinov2::DinoVisionTransformer::new(vb.pp("pretrained"), 4, 8, 2)?;
        DepthAnythingV2::new(std::sync::Arc::new(pretrained), c, vb.clone())?.forward(&input(&vb, (1, 3, 28, 28))?)
    };
    "dinov2", "dinov2.rs", |vb| dinov2::DinoVisionTransformer::new(vb.clone(), 2, 8, 2)?.forward(&input(&vb, (1, 3, 28, 28))?);
    "dinov2, registers", "dinov2reg4.rs", |vb| {
        dinov2reg4::DinoVisionTransformer::new(vb.clone(), 1, 8, 2)?.forward(&input(&vb, (1, 3, 518, 518))?)
    };
    "efficientnet", "efficientnet.rs", |vb| {
        use efficientnet::*;
        EfficientNet::new(vb.clone(), MBConvConfig::b0(), 5)?.forward(&input(&vb, (1, 3, 32, 32))?)
    };
    "gemma4, vision", "gemma4/vision.rs", |vb| {
        let c = config(json!({ "position_embedding_size": 8, "pooling_kernel_size": 2, "default_output_length": 4, "rope_parameters": null,
            "head_dim": 8, "num_attention_heads": 2 }))?;
        gemma4::vision::VisionTower::new(&c, vb.clone())?.forward(&[input(&vb, (1, 3, 32, 32))?])
    };
    "mobilenet v4", "mobilenetv4.rs", |vb| {
        mobilenetv4::mobilenetv4(&mobilenetv4::Config::small(), 5, vb.clone())?.forward(&input(&vb, (1, 3, 32, 32))?)
    };
    "mobilenet v4, hybrid", "mobilenetv4.rs", |vb| {
        mobilenetv4::mobilenetv4(&mobilenetv4::Config::hybrid_medium(), 5, vb.clone())?.forward(&input(&vb, (1, 3, 32, 32))?)
    };
    "mobileone", "mobileone.rs", |vb| {
        mobileone::mobileone(&mobileone::Config::s1(), 5, vb.clone())?.forward(&input(&vb, (1, 3, 32, 32))?)
    };
    "moondream", "moondream.rs", |vb| {
        let phi = json!({ "vocab_size": 12, "n_positions": 32, "n_embd": 16, "n_layer": 1, "n_head": 2, "rotary_dim": 4,
            "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": false,
            "pad_vocab_size_multiple": 4 });
        let vision = json!({ "image_embedding_dim": 1152, "model_dim": 16, "hidden_dim": 24, "hidden_features": 24,
            "embed_len": 4, "embed_dim": 1152, "num_blocks": 1, "num_heads": 2, "act": "gelu_pytorch_tanh" });
        let mut model = moondream::Model::new(&config(json!({ "phi_config": phi, "vision_config": vision }))?, vb.clone())?;
        let image = input(&vb, (1, 3, 28, 28))?.apply(model.vision_encoder())?;
        model.text_model.forward_with_img(&ids(1, 1)?, &ids(1, 4)?, &image)
    };
    "openclip, text", "openclip/text_model.rs", |vb| {
        openclip::text_model::OpenClipTextTransformer::new(vb, &openclip_text())?.forward(&ids(2, 8)?)
    };
    "paddleocr vl", "paddleocr_vl/mod.rs", |vb| {
        let vision = json!({ "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 16, "patch_size": 4, "hidden_act": "gelu_pytorch_tanh", "spatial_merge_size": 2 });
        let c = config(json!({ "vision_config": vision, "image_token_id": 9, "video_token_id": 10, "vision_start_token_id": 7,
            "vision_end_token_id": 8, "head_dim": 8, "num_attention_heads": 2, "num_key_value_heads": 1, "use_bias": false,
            "num_hidden_layers": 1, "rope_scaling": { "mrope_section": [2, 1, 1] }, "layer_norm_eps": null }))?;
        let grid = Tensor::new(&[[1u32, 4, 4]], &Device::Cpu)?;
        let tokens = Tensor::new(&[[3u32, 7, 9, 9, 9, 9, 8, 2]], &Device::Cpu)?;
        paddleocr_vl::PaddleOCRVLModel::new(&c, vb.clone())?.forward(&tokens, Some(&input(&vb, (1, 3, 16, 16))?), Some(&grid), 0)
    };
    "paligemma", "paligemma.rs", |vb| {
        let c = config(json!({ "vision_config": siglip_vision(), "text_config": gemma_text(), "projection_dim": 16 }))?;
        paligemma::Model::new(&c, vb.clone())?.setup(&input(&vb, (1, 3, 16, 16))?, &ids(1, 5)?)
    };
    "pixtral, vision", "pixtral/vision_model.rs", |vb| {
        pixtral::vision_model::Model::new(&config(json!({}))?, vb.clone())?.forward(&input(&vb, (1, 3, 16, 16))?)
    };
    "qwen3 vl, vision", "qwen3_vl/vision.rs", |vb| {
        let c = config(json!({ "text_config": config::<serde_json::Value>(json!({}))?, "image_token_id": 9, "video_token_id": 10,
            "vision_start_token_id": 7, "vision_end_token_id": 8,
            "vision_config": { "depth": 2, "hidden_size": 16, "out_hidden_size": 16, "intermediate_size": 24, "num_heads": 2,
                "in_chans": 3, "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2,
                "num_position_embeddings": 16, "deepstack_visual_indexes": [0], "hidden_act": "gelu_pytorch_tanh" } }))?;
        let grid = Tensor::new(&[[1u32, 4, 4]], &Device::Cpu)?;
        let tokens = Tensor::new(&[[3u32, 7, 9, 9, 9, 9, 8, 2]], &Device::Cpu)?;
        qwen3_vl::Qwen3VLModel::new(&c, vb.clone())?.forward(&tokens, Some(input(&vb, (16, 96))?), None, Some(grid), None,
            vec![8], vec![vec![(2, 6)]], vec![vec![]], &[0])
    };
    "repvgg", "repvgg.rs", |vb| repvgg::repvgg(&repvgg::Config::a0(), 5, vb.clone())?.forward(&input(&vb, (1, 3, 32, 32))?);
    "resnet18", "resnet.rs", |vb| resnet::resnet18(5, vb.clone())?.forward(&input(&vb, (1, 3, 32, 32))?);
    "sam, image encoder", "segment_anything/image_encoder.rs", |vb| {
        segment_anything::image_encoder::ImageEncoderViT::new(32, 8, 3, 16, 2, 2, 8, true, true, true, 2, &[1], vb.clone())?
            .forward(&input(&vb, (1, 3, 32, 32))?)
    };
    "sam, prompts and masks", "segment_anything/mask_decoder.rs", |vb| {
        use segment_anything::{mask_decoder::*, prompt_encoder::*};
        let prompts = PromptEncoder::new(32, (4, 4), (32, 32), 4, vb.pp("prompt_encoder"))?;
        let points = (input(&vb, (1, 2, 2))?, Tensor::new(&[[1f32, 0.]], &Device::Cpu)?.to_dtype(vb.dtype())?);
        let (sparse, dense) = prompts.forward(Some((&points.0, &points.1)), None, None)?;
        let decoder = MaskDecoder::new(32, 3, 3, 8, vb.pp("mask_decoder"))?;
        let (masks, iou) = decoder.forward(&input(&vb, (1, 32, 4, 4))?, &prompts.get_dense_pe()?, &sparse, &dense, true)?;
        join(&[masks, iou])
    };
    "segformer", "segformer.rs", |vb| {
        segformer::ImageClassificationModel::new(&config(segformer())?, 5, vb.clone())?.forward(&input(&vb, (1, 3, 32, 32))?)
    };
    "segformer, segmentation", "segformer.rs", |vb| {
        segformer::SemanticSegmentationModel::new(&config(segformer())?, 5, vb.clone())?.forward(&input(&vb, (1, 3, 32, 32))?)
    };
    "siglip", "siglip.rs", |vb| {
        let text = json!({ "vocab_size": 12, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 8 });
        let model = siglip::Model::new(&config(json!({ "text_config": text, "vision_config": siglip_vision() }))?, vb.clone())?;
        Ok(model.forward(&input(&vb, (2, 3, 16, 16))?, &ids(3, 8)?)?.0)
    };
    "trocr, encoder", "trocr.rs", |vb| {
        trocr::TrOCREncoder::new(&config(json!({ "qkv_bias": true, "hidden_act": "gelu" }))?, vb.clone())?.forward(&input(&vb, (1, 3, 16, 16))?)
    };
    "vit", "vit.rs", |vb| {
        vit::Model::new(&config(json!({ "qkv_bias": true, "hidden_act": "gelu" }))?, 5, vb.clone())?.forward(&input(&vb, (2, 3, 16, 16))?)
    };
}

fn gemma_text() -> serde_json::Value {
    json!({ "attention_bias": false, "head_dim": 4, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 16, "intermediate_size": 24,
        "num_attention_heads": 4, "num_hidden_layers": 1, "num_key_value_heads": 1, "rms_norm_eps": 1e-6, "rope_theta": 10000.,
        "vocab_size": 12 })
}

fn siglip_vision() -> serde_json::Value {
    json!({ "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4, "image_size": 16,
        "patch_size": 8 })
}

fn segformer() -> serde_json::Value {
    json!({ "num_encoder_blocks": 2, "depths": [1, 1], "sr_ratios": [2, 1], "hidden_sizes": [8, 16], "patch_sizes": [7, 3],
        "strides": [4, 2], "num_attention_heads": [1, 2], "mlp_ratios": [2, 2], "hidden_act": "gelu", "decoder_hidden_size": 16 })
}

fn openclip_text() -> openclip::text_model::Config {
    openclip::text_model::Config { vocab_size: 12, embed_dim: 16, intermediate_size: 24, max_position_embeddings: 8,
        pad_with: None, num_hidden_layers: 1, num_attention_heads: 4, projection_dim: 8 }
}
