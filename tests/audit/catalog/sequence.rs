//! Recurrent layers, rotary embeddings and caches.

use candle_core::{Result, Tensor};
use candle_nn::kv_cache::{
    Cache, ConcatKvCache, InterleavedKvCache, KvCache, RotatingCache, RotatingKvCache,
    ScatteredCacheBuilder,
};
use candle_nn::rnn::{GRUState, LSTMState};
use candle_nn::{GRU, GRUConfig, LSTM, LSTMConfig, RNN, VarBuilder, rotary_emb};

use crate::case::{Case, u, v, w};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    recurrent(&mut cases);
    rotary(&mut cases);
    caches(&mut cases);
    cases
}

/// The four parameters that follow `first` in the inputs.
fn parameters<'a>(a: &[Tensor], first: usize) -> VarBuilder<'a> {
    let names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
    let tensors = names
        .iter()
        .zip(&a[first..])
        .map(|(n, t)| (n.to_string(), t.clone()));
    VarBuilder::from_tensors(tensors.collect(), a[0].dtype(), a[0].device())
}

fn lstm(a: &[Tensor], first: usize) -> Result<LSTM> {
    candle_nn::lstm(3, 2, LSTMConfig::default(), parameters(a, first))
}

fn gru(a: &[Tensor], first: usize) -> Result<GRU> {
    candle_nn::gru(3, 2, GRUConfig::default(), parameters(a, first))
}

fn recurrent(cases: &mut Vec<Case>) {
    let with_parameters = |case: Case, gates: usize| {
        let case = case
            .arg("w_ih", w(&[gates * 2, 3]))
            .arg("w_hh", u(&[gates * 2, 2]));
        case.arg("b_ih", v(&[gates * 2]))
            .arg("b_hh", w(&[gates * 2]))
    };
    let seq = "candle_nn::rnn::RNN::seq";
    let input = || v(&[2, 2, 3]);
    let of = case!(seq, "LSTM, two steps, h", ["input" input()], |a| {
        let lstm = lstm(a, 1)?;
        lstm.states_to_tensor(&lstm.seq(&a[0])?)
    });
    cases.push(with_parameters(of, 4));
    let of = case!(seq, "GRU, two steps, h side by side", ["input" input()], |a| {
        let gru = gru(a, 1)?;
        gru.states_to_tensor(&gru.seq(&a[0])?)
    });
    cases.push(with_parameters(of, 3));
    let of = case!("candle_nn::rnn::LSTM::step", "h and c", ["input" v(&[2, 3]), "h" w(&[2, 2]), "c" u(&[2, 2])], |a| {
        let next = lstm(a, 3)?.step(&a[0], &LSTMState::new(a[1].clone(), a[2].clone()))?;
        Tensor::cat(&[next.h(), next.c()], 1)
    });
    cases.push(with_parameters(of, 4));
    let of = case!("candle_nn::rnn::GRU::step", "h", ["input" v(&[2, 3]), "h" w(&[2, 2])],
        |a| Ok(gru(a, 2)?.step(&a[0], &GRUState { h: a[1].clone() })?.h));
    cases.push(with_parameters(of, 3));
    let of = case!("candle_nn::rnn::RNN::seq_init", "GRU from zero", ["input" input()], |a| {
        let gru = gru(a, 1)?;
        gru.states_to_tensor(&gru.seq_init(&a[0], &gru.zero_state(2)?)?)
    });
    cases.push(with_parameters(of, 3));
}

type Rotary = fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;

fn rotary(cases: &mut Vec<Case>) {
    // Batch, heads, time, width; rope_thd takes time before heads.
    #[rustfmt::skip]
    let all: [(&str, Rotary, [usize; 4], bool); 5] = [
        ("candle_nn::rotary_emb::rope", rotary_emb::rope, [2, 2, 3, 4], true),
        ("candle_nn::rotary_emb::rope_slow", rotary_emb::rope_slow, [2, 2, 3, 4], false),
        ("candle_nn::rotary_emb::rope_i", rotary_emb::rope_i, [2, 2, 3, 4], true),
        ("candle_nn::rotary_emb::rope_i_slow", rotary_emb::rope_i_slow, [2, 2, 3, 4], false),
        ("candle_nn::rotary_emb::rope_thd", rotary_emb::rope_thd, [2, 3, 2, 4], true),
    ];
    for (path, f, dims, cut) in all {
        samples! { cases, path;
            "three positions", ["xs" v(&dims), "cos" w(&[3, 2]), "sin" u(&[3, 2])], |a| f(&a[0], &a[1], &a[2]),
                fails_if(cut, "rope");
        }
    }
}

/// Both outputs of a cache as one tensor.
fn joined((k, v): (Tensor, Tensor)) -> Result<Tensor> {
    Tensor::stack(&[k, v], 0)
}

fn caches(cases: &mut Vec<Case>) {
    type Append = fn(&Tensor, &Tensor) -> Result<Tensor>;
    #[rustfmt::skip]
    let all: [(&str, Append, &str); 5] = [
        ("candle_nn::kv_cache::KvCache::append", |k, v| joined(KvCache::new(2, 3).append(k, v)?), "caches-in-place"),
        ("candle_nn::kv_cache::RotatingKvCache::append",
            |k, v| joined(RotatingKvCache::new(2, 4).append(k, v)?), "caches-in-place"),
        ("candle_nn::kv_cache::ConcatKvCache::append",
            |k, v| joined(ConcatKvCache::new(2).append(k, v)?), "caches-detached"),
        ("candle_nn::kv_cache::InterleavedKvCache::append",
            |k, v| InterleavedKvCache::new(4).append(k, v), "caches-detached"),
        ("candle_nn::kv_cache::ScatteredKvCache::append", scattered, "caches-in-place"),
    ];
    for (path, f, defect) in all {
        samples! { cases, path;
            "to an empty cache", ["k" v(&[1, 2, 3, 4]), "v" w(&[1, 2, 3, 4])], |a| f(&a[0], &a[1]), fails(defect);
        }
    }
    samples! { cases, "candle_nn::kv_cache::Cache::current_data";
        "after append", ["src" v(&[2, 3])], |a| {
            let mut cache = Cache::new(0, 2);
            cache.append(&a[0])?;
            current(cache.current_data()?)
        }, fails("caches-in-place");
    }
    samples! { cases, "candle_nn::kv_cache::RotatingCache::append";
        "to an empty cache", ["src" v(&[2, 3])], |a| RotatingCache::new(0, 3).append(&a[0]), fails("caches-in-place");
    }
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
