//! The functions of candle that give no gradient and no error, and what to use instead.
//!
//! They are those that the audit calls `severed` on a plain call; it holds the two to each other.

/// Functions that are known to cut the graph.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Suspect {
    /// Their paths.
    pub functions: &'static [&'static str],
    /// What has the right gradient.
    pub instead: &'static str,
}

/// candle 0.11.1's, the most used first.
pub(crate) const SUSPECTS: [Suspect; 5] = [
    Suspect {
        functions: &[
            "candle_nn::ops::layer_norm",
            "candle_nn::layer_norm::LayerNorm",
        ],
        instead: "ops::layer_norm_slow, or LayerNorm::new_no_bias and an addition",
    },
    Suspect {
        functions: &["candle_nn::ops::rms_norm", "candle_nn::layer_norm::RmsNorm"],
        instead: "RmsNorm::forward_diff, or ops::rms_norm_slow",
    },
    Suspect {
        functions: &["candle_nn::ops::softmax_last_dim"],
        instead: "ops::softmax(xs, D::Minus1)",
    },
    Suspect {
        functions: &[
            "candle_nn::rotary_emb::rope",
            "candle_nn::rotary_emb::rope_i",
            "candle_nn::rotary_emb::rope_thd",
        ],
        instead: "rope_slow, rope_i_slow",
    },
    Suspect {
        functions: &["candle_nn::attention::cpu_flash::flash_attn"],
        instead: "matmul, ops::softmax and matmul",
    },
];
