//! Attention on the CPU with what changes its scores: a mask, ALiBi, a soft cap, keys shared by heads.
//! The twin is the same in tensors.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::attention::{AttnMask, flash_attn};

use crate::audit::case::{Case, u, v, w};

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
const ALL: [Scores; 14] = [
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

pub fn cases() -> Vec<Case> {
    ALL.into_iter().map(case).collect()
}

fn case(s: Scores) -> Case {
    let path = "candle_nn::attention::cpu_flash::flash_attn";
    // Batch, time, heads, width.
    let case = Case::new(path, s.name)
        .arg("q", v(&[s.batch, s.queries, 2, 4]))
        .arg("k", w(&[s.batch, KEYS, s.key_heads, 4]))
        .arg("v", u(&[s.batch, KEYS, s.key_heads, 4]));
    let case = if s.mask {
        case.arg("mask", v(&[s.queries, KEYS]))
    } else {
        case
    };
    case.run(move |a| flash_attn::<f32>(&a[0], &a[1], &a[2], 0.5, s.masking(a), s.bias, s.cap))
        .twin("matmul, softmax, matmul", move |a| s.by_hand(a))
        .torch(s.torch())
        .only(&[DType::F32])
        .plain()
}

impl Scores {
    fn masking(&self, a: &[Tensor]) -> AttnMask {
        match a.get(3) {
            Some(mask) => AttnMask::Mask(mask.clone()),
            None if self.causal => AttnMask::causal_with_offset(KEYS - self.queries),
            None => AttnMask::None,
        }
    }

    fn torch(&self) -> String {
        let (causal, mask) = (
            if self.causal { "True" } else { "False" },
            if self.mask { "mask" } else { "None" },
        );
        let number = |x: Option<f32>| x.map_or("None".to_string(), |x| x.to_string());
        let (bias, cap) = (number(self.bias), number(self.cap));
        format!("attention(q, k, v, causal={causal}, mask={mask}, bias={bias}, cap={cap})")
    }

    fn by_hand(&self, a: &[Tensor]) -> Result<Tensor> {
        let heads = |t: &Tensor| {
            let t = t.transpose(1, 2)?.contiguous()?;
            let (batch, heads, time, width) = t.dims4()?;
            t.unsqueeze(2)?
                .expand((batch, heads, 2 / heads, time, width))?
                .reshape((batch, 2, time, width))
        };
        let (q, k, v) = (heads(&a[0])?, heads(&a[1])?, heads(&a[2])?);
        let mut scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? * 0.5)?;
        if let Some(cap) = self.cap.map(f64::from) {
            scores = ((scores / cap)?.tanh()? * cap)?;
        }
        let added = [
            self.slopes(a[0].device())?,
            self.hidden(a[0].device())?,
            a.get(3).cloned(),
        ];
        for added in added.into_iter().flatten() {
            scores = scores.broadcast_add(&added)?;
        }
        candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&v)
    }

    /// Minus a head's slope times the distance: head, query, key.
    fn slopes(&self, device: &Device) -> Result<Option<Tensor>> {
        let Some(bias) = self.bias else {
            return Ok(None);
        };
        let slope = |h: usize| 2f32.powf(-bias * (h + 1) as f32 / 2.);
        let distance = |q: usize, k: usize| (q + KEYS - self.queries).abs_diff(k) as f32;
        let dims = (2, self.queries, KEYS);
        let places = (0..2 * self.queries * KEYS).map(|i| {
            let (h, q, k) = (i / KEYS / self.queries, i / KEYS % self.queries, i % KEYS);
            -slope(h) * distance(q, k)
        });
        Tensor::from_iter(places, device)?.reshape(dims).map(Some)
    }

    /// -infinity for keys that come after the query.
    fn hidden(&self, device: &Device) -> Result<Option<Tensor>> {
        if !self.causal {
            return Ok(None);
        }
        let after = |q: usize, k: usize| k > q + KEYS - self.queries;
        let of = |q, k| if after(q, k) { f32::NEG_INFINITY } else { 0. };
        let all: Vec<f32> = (0..self.queries)
            .flat_map(|q| (0..KEYS).map(move |k| of(q, k)))
            .collect();
        Tensor::from_vec(all, (self.queries, KEYS), device).map(Some)
    }
}

/// ALiBi's biases on the scores, for the case of that name.
pub fn biased_attention(a: &[Tensor]) -> Result<Tensor> {
    let biased = Scores {
        bias: Some(2.),
        ..PLAIN
    };
    biased.by_hand(a)
}
