//! Recurrent layers, rotary embeddings, attention and caches.

use candle_core::{DType, Result, Tensor};
use candle_nn::attention::{AttnMask, cpu_flash, flash_attn, varlen::flash_attn_varlen_unfused};
use candle_nn::kv_cache::{
    Cache, ConcatKvCache, InterleavedKvCache, KvCache, RotatingCache, RotatingKvCache,
    ScatteredCacheBuilder,
};
use candle_nn::rnn::{GRUState, LSTMState};
use candle_nn::{GRU, GRUConfig, LSTM, LSTMConfig, RNN, VarBuilder};
use std::collections::HashMap;

use crate::audit::case::{Case, ids, u, v, w};

const F32: [DType; 1] = [DType::F32];

pub fn cases() -> Vec<Case> {
    let mut cases = recurrent();
    cases.extend(rotary());
    cases.extend(attention());
    cases.extend(caches());
    cases
}

/// The layer over the four parameters that follow `first` in the inputs.
fn parameters<'a>(a: &[Tensor], first: usize) -> VarBuilder<'a> {
    let names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
    let tensors: HashMap<String, Tensor> = names
        .iter()
        .zip(&a[first..])
        .map(|(n, t)| (n.to_string(), t.clone()))
        .collect();
    VarBuilder::from_tensors(tensors, a[0].dtype(), a[0].device())
}

fn lstm(a: &[Tensor], first: usize) -> Result<LSTM> {
    candle_nn::lstm(3, 2, LSTMConfig::default(), parameters(a, first))
}

fn gru(a: &[Tensor], first: usize) -> Result<GRU> {
    candle_nn::gru(3, 2, GRUConfig::default(), parameters(a, first))
}

fn with_parameters(case: Case, gates: usize) -> Case {
    case.arg("w_ih", w(&[gates * 2, 3]))
        .arg("w_hh", u(&[gates * 2, 2]))
        .arg("b_ih", v(&[gates * 2]))
        .arg("b_hh", w(&[gates * 2]))
}

fn recurrent() -> Vec<Case> {
    let input = || v(&[2, 2, 3]);
    let lstm_of =
        |path, name: &str| with_parameters(Case::new(path, name).arg("input", input()), 4);
    let gru_of = |path, name: &str| with_parameters(Case::new(path, name).arg("input", input()), 3);
    let step = |path, name: &str, gates| {
        let case = Case::new(path, name)
            .arg("input", v(&[2, 3]))
            .arg("h", w(&[2, 2]));
        let case = if gates == 4 {
            case.arg("c", u(&[2, 2]))
        } else {
            case
        };
        with_parameters(case, gates)
    };
    vec![
        lstm_of("candle_nn::rnn::RNN::seq", "LSTM, two steps, h")
            .run(|a| {
                let lstm = lstm(a, 1)?;
                lstm.states_to_tensor(&lstm.seq(&a[0])?)
            })
            .torch("lstm(input, w_ih, w_hh, b_ih, b_hh)"),
        gru_of("candle_nn::rnn::RNN::seq", "GRU, two steps, h side by side")
            .run(|a| {
                let gru = gru(a, 1)?;
                gru.states_to_tensor(&gru.seq(&a[0])?)
            })
            .torch("torch.cat(gru(input, w_ih, w_hh, b_ih, b_hh).unbind(1), 1)"),
        step("candle_nn::rnn::LSTM::step", "h and c", 4)
            .run(|a| {
                let state = LSTMState::new(a[1].clone(), a[2].clone());
                let next = lstm(a, 3)?.step(&a[0], &state)?;
                Tensor::cat(&[next.h(), next.c()], 1)
            })
            .torch("torch.cat(torch._VF.lstm_cell(input, (h, c), w_ih, w_hh, b_ih, b_hh), 1)"),
        step("candle_nn::rnn::GRU::step", "h", 3)
            .run(|a| Ok(gru(a, 2)?.step(&a[0], &GRUState { h: a[1].clone() })?.h))
            .torch("torch._VF.gru_cell(input, h, w_ih, w_hh, b_ih, b_hh)"),
        gru_of("candle_nn::rnn::RNN::seq_init", "GRU from zero")
            .run(|a| {
                let gru = gru(a, 1)?;
                gru.states_to_tensor(&gru.seq_init(&a[0], &gru.zero_state(2)?)?)
            })
            .torch("torch.cat(gru(input, w_ih, w_hh, b_ih, b_hh).unbind(1), 1)"),
    ]
}

type Rotary = fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;

fn rotary() -> Vec<Case> {
    // Batch, heads, time, width; rope_thd takes time before heads.
    let ropes: [(&'static str, Rotary, [usize; 4], &str); 5] = [
        function!(rotary_emb::rope, [2, 2, 3, 4], "rope(xs, cos, sin)"),
        function!(rotary_emb::rope_slow, [2, 2, 3, 4], "rope(xs, cos, sin)"),
        function!(rotary_emb::rope_i, [2, 2, 3, 4], "rope_i(xs, cos, sin)"),
        function!(
            rotary_emb::rope_i_slow,
            [2, 2, 3, 4],
            "rope_i(xs, cos, sin)"
        ),
        function!(
            rotary_emb::rope_thd,
            [2, 3, 2, 4],
            "rope(xs.transpose(1, 2), cos, sin).transpose(1, 2)"
        ),
    ];
    ropes
        .into_iter()
        .map(|(path, f, dims, torch)| {
            Case::new(path, "three positions")
                .arg("xs", v(&dims))
                .arg("cos", w(&[3, 2]))
                .arg("sin", u(&[3, 2]))
                .run(move |a| f(&a[0], &a[1], &a[2]))
                .torch(torch)
        })
        .collect()
}

const FLASH: &str = "attention(q, k, v, causal=CAUSAL)";

fn attention() -> Vec<Case> {
    // Batch, time, heads, width.
    let of = |path, name: &str, batch: usize, causal: bool| {
        Case::new(path, name)
            .arg("q", v(&[batch, 2, 2, 4]))
            .arg("k", w(&[batch, 3, 2, 4]))
            .arg("v", u(&[batch, 3, 2, 4]))
            .torch(FLASH.replace("CAUSAL", if causal { "True" } else { "False" }))
            .only(&F32)
    };
    let causal = || AttnMask::causal_with_offset(1);
    let mut cases = vec![
        of(
            "candle_nn::attention::cpu_flash::flash_attn",
            "one sequence",
            1,
            false,
        )
        .run(|a| flash_attn::<f32>(&a[0], &a[1], &a[2], 0.5, AttnMask::None, None, None)),
        of(
            "candle_nn::attention::cpu_flash::flash_attn",
            "one sequence, causal",
            1,
            true,
        )
        .run(move |a| flash_attn::<f32>(&a[0], &a[1], &a[2], 0.5, causal(), None, None)),
        of(
            "candle_nn::attention::cpu_flash::flash_attn",
            "two sequences",
            2,
            false,
        )
        .run(|a| flash_attn::<f32>(&a[0], &a[1], &a[2], 0.5, AttnMask::None, None, None)),
        of(
            "candle_nn::attention::cpu_flash::standard::run_flash_attn_cpu",
            "no mask",
            1,
            false,
        )
        .run(|a| {
            cpu_flash::standard::run_flash_attn_cpu::<f32>(
                &a[0], &a[1], &a[2], None, 0.5, None, None,
            )
        }),
        of(
            "candle_nn::attention::cpu_flash::causal::run_causal_attn_cpu",
            "offset 1",
            1,
            true,
        )
        .run(|a| {
            cpu_flash::causal::run_causal_attn_cpu::<f32>(&a[0], &a[1], &a[2], 0.5, 1, None, None)
        }),
        of(
            "candle_nn::cpu_flash_attention::run_flash_attn_cpu",
            "no mask",
            1,
            false,
        )
        .run(|a| {
            // Deprecated, and still public: people call it.
            #[allow(deprecated)]
            candle_nn::cpu_flash_attention::run_flash_attn_cpu::<f32>(
                &a[0], &a[1], &a[2], None, 0.5, None, None,
            )
        }),
    ];
    cases.extend(packed());
    cases
}

fn packed() -> Vec<Case> {
    // Two sequences of one and two queries over one and two keys.
    let lengths = || ids(&[2], &[1, 2]);
    let of = |path, name: &str| {
        Case::new(path, name)
            .arg("q", v(&[3, 2, 4]))
            .arg("k", w(&[3, 2, 4]))
            .arg("v", u(&[3, 2, 4]))
            .arg("seqlens", lengths())
            .torch("packed_attention(q, k, v, [1, 2])")
    };
    vec![
        of(
            "candle_nn::attention::cpu_flash::varlen::flash_attn_varlen_cpu",
            "two sequences",
        )
        .run(|a| {
            candle_nn::attention::flash_attn_varlen_cpu(
                &a[0], &a[1], &a[2], None, &a[3], &a[3], 2, 2, 0.5, false, None, None,
            )
        })
        .only(&F32),
        of(
            "candle_nn::attention::varlen::flash_attn_varlen_unfused",
            "two sequences",
        )
        .run(|a| {
            flash_attn_varlen_unfused(
                &a[0], &a[1], &a[2], None, &a[3], &a[3], 2, 2, 0.5, false, None, None,
            )
        }),
    ]
}

/// Both outputs of a cache as one tensor.
fn joined((k, v): (Tensor, Tensor)) -> Result<Tensor> {
    Tensor::stack(&[k, v], 0)
}

const APPENDED: &str = "torch.stack([k, v])";

fn caches() -> Vec<Case> {
    let kv = |path, name: &str| {
        Case::new(path, name)
            .arg("k", v(&[1, 2, 3, 4]))
            .arg("v", w(&[1, 2, 3, 4]))
            .torch(APPENDED)
    };
    let one = |path, name: &str| {
        Case::new(path, name)
            .arg("src", v(&[2, 3]))
            .torch("src.clone()")
    };
    vec![
        kv("candle_nn::kv_cache::KvCache::append", "to an empty cache")
            .run(|a| joined(KvCache::new(2, 3).append(&a[0], &a[1])?)),
        kv(
            "candle_nn::kv_cache::RotatingKvCache::append",
            "to an empty cache",
        )
        .run(|a| joined(RotatingKvCache::new(2, 4).append(&a[0], &a[1])?)),
        kv(
            "candle_nn::kv_cache::ConcatKvCache::append",
            "to an empty cache",
        )
        .run(|a| joined(ConcatKvCache::new(2).append(&a[0], &a[1])?)),
        kv(
            "candle_nn::kv_cache::InterleavedKvCache::append",
            "to an empty cache",
        )
        .run(|a| InterleavedKvCache::new(4).append(&a[0], &a[1]))
        .torch("torch.cat([k[0].transpose(0, 1), v[0].transpose(0, 1)], 2)"),
        kv(
            "candle_nn::kv_cache::ScatteredKvCache::append",
            "to an empty cache",
        )
        .run(|a| scattered(&a[0], &a[1]))
        .torch("F.pad(torch.stack([k, v]), (0, 0, 0, 1))"),
        one("candle_nn::kv_cache::Cache::current_data", "after append").run(|a| {
            let mut cache = Cache::new(0, 2);
            cache.append(&a[0])?;
            current(cache.current_data()?)
        }),
        one(
            "candle_nn::kv_cache::RotatingCache::append",
            "to an empty cache",
        )
        .run(|a| RotatingCache::new(0, 3).append(&a[0])),
    ]
}

fn current(data: Option<Tensor>) -> Result<Tensor> {
    match data {
        Some(data) => Ok(data),
        None => candle_core::bail!("the cache is empty"),
    }
}

fn scattered(k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let mut builder = ScatteredCacheBuilder::new(1, 4, k.dtype(), k.device())?;
    let mut cache = builder.make_cache(2, 4)?;
    let places = builder.indices_and_mask(3, &[true])?;
    joined(cache.append(k, v, &places)?)
}
