//! The functions of candle that give no gradient and no error, and what to use instead.
//!
//! A check names those of them that could have cut the graph at hand, by the parameters that get no gradient:
//! a norm's weight, with or without a bias, and what attention has. They are those that the audit calls `severed`
//! on a plain call; it holds the two to each other.

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

/// candle 0.11.1's: of a norm with and without a bias, and of attention.
const SUSPECTS: [Suspect; 5] = [
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

/// Names that attention's parameters have, and those of learnt places, beside which nobody rotates queries and keys.
const ATTENTION: &str = "attn attention q_proj query qkv to_q q_lin wq";
const PLACES: &str = "pos wpe";

/// Those that could have cut a graph of `all` parameters in which the `severed` get no gradient; names and
/// shapes.
pub(crate) fn of(all: &[String], severed: &[(&str, &[usize])]) -> Vec<Suspect> {
    let vectors = severed.iter().filter(|(_, dims)| dims.len() == 1);
    let vectors: Vec<&str> = vectors.map(|(name, _)| *name).collect();
    let norms = vectors.iter();
    let norms = norms.filter_map(|n| n.strip_suffix("weight").or(n.strip_suffix("gamma")));
    let biased = |at: &str| ["bias", "beta"].map(|bias| format!("{at}{bias}"));
    let biased = norms.map(|at| biased(at).iter().any(|n| vectors.contains(&&n[..])));
    let biased: Vec<bool> = biased.collect();
    let has = |name: &str, parts: &str| {
        let name = name.to_lowercase();
        parts.split(' ').any(|part| name.contains(part))
    };
    let attends = severed.iter().any(|(name, _)| has(name, ATTENTION));
    let learnt = all.iter().any(|name| has(name, PLACES));
    let [layer_norm, rms_norm, softmax, rope, flash] = SUSPECTS;
    let could = [
        (biased.contains(&true), layer_norm),
        (biased.contains(&false), rms_norm),
        (attends, softmax),
        (attends && !learnt, rope),
        (attends, flash),
    ];
    let could = could.into_iter().filter(|(could, _)| *could);
    could.map(|(_, suspect)| suspect).collect()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn only_what_the_parameters_allow_is_named() {
        let named = |all: &str, severed: &[(&str, &[usize])]| -> Vec<&str> {
            let suspects = of(&[all.to_string()], severed);
            suspects.iter().map(|s| s.functions[0]).collect()
        };
        let (vector, matrix): (&[usize], &[usize]) = (&[8], &[8, 8]);
        let norm = [
            ("ln.weight", vector),
            ("ln.bias", vector),
            ("conv.weight", matrix),
        ];
        assert_eq!(named("ln.weight", &norm), ["candle_nn::ops::layer_norm"]);
        assert_eq!(named("", &norm[..1]), ["candle_nn::ops::rms_norm"]);
        let attention = [("h.0.attn.q.weight", matrix)];
        let rope = "candle_nn::rotary_emb::rope";
        let functions = named("h.0.attn.q.weight", &attention);
        assert!(functions.contains(&"candle_nn::ops::softmax_last_dim"));
        assert!(functions.contains(&rope) && !named("wpe", &attention).contains(&rope));
    }
}
