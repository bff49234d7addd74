//! Attention on the CPU: plain, causal, packed, and with what changes its scores (a mask, ALiBi, a soft cap,
//! keys shared by heads), beside the same in tensors.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::attention::{AttnMask, cpu_flash, flash_attn, flash_attn_varlen_cpu, varlen};

use crate::case::{Case, ids, u, v, w};

const FLASH: &str = "candle_nn::attention::cpu_flash::flash_attn";
const CUT: &str = "cpu-flash-attention";
const STRIDES: &str = "cpu-flash-strides: strided";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    plain(&mut cases);
    packed(&mut cases);
    cases.extend(SCORES.into_iter().map(scored));
    cases
}

fn plain(cases: &mut Vec<Case>) {
    // Batch, time, heads, width.
    let [q, k, v] = [v(&[1, 2, 2, 4]), w(&[1, 3, 2, 4]), u(&[1, 3, 2, 4])];
    let causal = || AttnMask::causal_with_offset(1);
    samples! { cases, FLASH;
        "one sequence", ["q" q.clone(), "k" k.clone(), "v" v.clone()],
            |a| flash_attn::<f32>(&a[0], &a[1], &a[2], 0.5, AttnMask::None, None, None), only(&[DType::F32]),
            fails(CUT), fails(STRIDES);
        "one sequence, causal", ["q" q.clone(), "k" k.clone(), "v" v.clone()],
            |a| flash_attn::<f32>(&a[0], &a[1], &a[2], 0.5, causal(), None, None), only(&[DType::F32]), fails(CUT);
        "two sequences", ["q" crate::case::v(&[2, 2, 2, 4]), "k" w(&[2, 3, 2, 4]), "v" u(&[2, 3, 2, 4])],
            |a| flash_attn::<f32>(&a[0], &a[1], &a[2], 0.5, AttnMask::None, None, None), only(&[DType::F32]), fails(CUT);
    }
    samples! { cases, "candle_nn::attention::cpu_flash::standard::run_flash_attn_cpu";
        "no mask", ["q" q.clone(), "k" k.clone(), "v" v.clone()],
            |a| cpu_flash::standard::run_flash_attn_cpu::<f32>(&a[0], &a[1], &a[2], None, 0.5, None, None),
            only(&[DType::F32]), fails(CUT), fails(STRIDES);
    }
    samples! { cases, "candle_nn::attention::cpu_flash::causal::run_causal_attn_cpu";
        "offset 1", ["q" q.clone(), "k" k.clone(), "v" v.clone()],
            |a| cpu_flash::causal::run_causal_attn_cpu::<f32>(&a[0], &a[1], &a[2], 0.5, 1, None, None),
            only(&[DType::F32]), fails(CUT);
    }
    // Deprecated, and still public: people call it.
    #[allow(deprecated)]
    let run = candle_nn::cpu_flash_attention::run_flash_attn_cpu::<f32>;
    samples! { cases, "candle_nn::cpu_flash_attention::run_flash_attn_cpu";
        "no mask", ["q" q, "k" k, "v" v], |a| run(&a[0], &a[1], &a[2], None, 0.5, None, None), only(&[DType::F32]),
            fails(CUT), fails(STRIDES);
    }
}

/// Two sequences of one and two queries over one and two keys.
fn packed(cases: &mut Vec<Case>) {
    let [q, k, v, lengths] = [
        v(&[3, 2, 4]),
        w(&[3, 2, 4]),
        u(&[3, 2, 4]),
        ids(&[2], &[1, 2]),
    ];
    samples! { cases, "candle_nn::attention::cpu_flash::varlen::flash_attn_varlen_cpu";
        "two sequences", ["q" q.clone(), "k" k.clone(), "v" v.clone(), "seqlens" lengths.clone()],
            |a| flash_attn_varlen_cpu(&a[0], &a[1], &a[2], None, &a[3], &a[3], 2, 2, 0.5, false, None, None),
            only(&[DType::F32]), fails(CUT);
    }
    samples! { cases, "candle_nn::attention::varlen::flash_attn_varlen_unfused";
        "two sequences", ["q" q, "k" k, "v" v, "seqlens" lengths],
            |a| varlen::flash_attn_varlen_unfused(
                &a[0], &a[1], &a[2], None, &a[3], &a[3], 2, 2, 0.5, false, None, None),
            fails("varlen-unfused: q, k");
    }
}

/// Scores of queries and keys, and what is done to them before the softmax.
#[derive(Clone, Copy)]
struct Scores {
    name: &'static str,
    batch: usize,
    queries: usize,
    key_heads: usize,
    causal: bool,
    mask: bool,
    /// ALiBi's largest bias: head h of 2 has the slope 2^(-bias (h + 1) / 2).
    bias: Option<f32>,
    cap: Option<f32>,
}

const PLAIN: Scores = Scores {
    name: "",
    batch: 1,
    queries: 2,
    key_heads: 2,
    causal: false,
    mask: false,
    bias: None,
    cap: None,
};

#[rustfmt::skip]
const SCORES: [Scores; 14] = [
    Scores { name: "a mask", mask: true, ..PLAIN },
    Scores { name: "one query, a mask", queries: 1, mask: true, ..PLAIN },
    Scores { name: "ALiBi", bias: Some(2.), ..PLAIN },
    Scores { name: "one query, ALiBi", queries: 1, bias: Some(2.), ..PLAIN },
    Scores { name: "causal, ALiBi", causal: true, bias: Some(2.), ..PLAIN },
    Scores { name: "causal, one query, ALiBi", queries: 1, causal: true, bias: Some(2.), ..PLAIN },
    Scores { name: "two sequences, ALiBi", batch: 2, bias: Some(2.), ..PLAIN },
    Scores { name: "two sequences, causal, ALiBi", batch: 2, causal: true, bias: Some(2.), ..PLAIN },
    Scores { name: "a soft cap", cap: Some(0.5), ..PLAIN },
    Scores { name: "one query, a soft cap", queries: 1, cap: Some(0.5), ..PLAIN },
    Scores { name: "causal, a soft cap", causal: true, cap: Some(0.5), ..PLAIN },
    Scores { name: "keys shared by heads", key_heads: 1, ..PLAIN },
    Scores { name: "causal, keys shared by heads", key_heads: 1, causal: true, ..PLAIN },
    Scores { name: "two sequences, keys shared by heads", batch: 2, key_heads: 1, ..PLAIN },
];

const KEYS: usize = 3;

fn scored(s: Scores) -> Case {
    let q = v(&[s.batch, s.queries, 2, 4]);
    let [k, value] = [
        w(&[s.batch, KEYS, s.key_heads, 4]),
        u(&[s.batch, KEYS, s.key_heads, 4]),
    ];
    let ignored = s.bias.is_some() && s.batch == 1 && !s.causal;
    let case = case!(FLASH, s.name, ["q" q, "k" k, "v" value],
        |a| flash_attn::<f32>(&a[0], &a[1], &a[2], 0.5, s.masking(a), s.bias, s.cap),
        twin("matmul, softmax, matmul", move |a| s.by_hand(a)), only(&[DType::F32]), plain(),
        fails(if ignored { "cpu-flash-alibi" } else { CUT }));
    if s.mask {
        case.arg("mask", v(&[s.queries, KEYS]))
    } else {
        case
    }
}

impl Scores {
    fn masking(&self, a: &[Tensor]) -> AttnMask {
        match a.get(3) {
            Some(mask) => AttnMask::Mask(mask.clone()),
            None if self.causal => AttnMask::causal_with_offset(KEYS - self.queries),
            None => AttnMask::None,
        }
    }

    fn by_hand(&self, a: &[Tensor]) -> Result<Tensor> {
        let heads = |t: &Tensor| {
            let t = t.transpose(1, 2)?.contiguous()?;
            let (batch, heads, time, width) = t.dims4()?;
            let all = t
                .unsqueeze(2)?
                .expand((batch, heads, 2 / heads, time, width))?;
            all.reshape((batch, 2, time, width))
        };
        let (q, k, v) = (heads(&a[0])?, heads(&a[1])?, heads(&a[2])?);
        let mut scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? * 0.5)?;
        if let Some(cap) = self.cap.map(f64::from) {
            scores = ((scores / cap)?.tanh()? * cap)?;
        }
        scores = scores.broadcast_add(&self.added()?)?;
        if let Some(mask) = a.get(3) {
            scores = scores.broadcast_add(mask)?;
        }
        candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&v)
    }

    /// Head, query, key: minus a head's slope times the distance, and -infinity for keys after the query.
    fn added(&self) -> Result<Tensor> {
        let of = |i: usize| {
            let (h, q, k) = (i / KEYS / self.queries, i / KEYS % self.queries, i % KEYS);
            let q = q + KEYS - self.queries;
            let slope =
                |bias: f32| -(2f32.powf(-bias * (h + 1) as f32 / 2.)) * q.abs_diff(k) as f32;
            let hidden = if self.causal && k > q {
                f32::NEG_INFINITY
            } else {
                0.
            };
            self.bias.map_or(0., slope) + hidden
        };
        let all = Tensor::from_iter((0..2 * self.queries * KEYS).map(of), &Device::Cpu)?;
        all.reshape((2, self.queries, KEYS))
    }
}
