//! A GPT of two blocks as it is written with candle-nn, with places for what cuts the graph.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, Module, VarBuilder, ops};
use candle_sine::gradcheck::mark;

const WORDS: usize = 11;
const LENGTH: usize = 6;

/// A fault in one gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fault {
    #[default]
    None,
    Cut,
    Times(f64),
}

impl Fault {
    /// w with its gradient changed, and its value to the last bit: w + (k - 1) (w - w), of which the last w
    /// is detached.
    fn on(self, w: Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(w),
            Self::Cut => Ok(w.detach()),
            Self::Times(k) => &w + ((&w - w.detach())? * (k - 1.))?,
        }
    }
}

/// What is fused, and so without a backward.
#[derive(Clone, Copy, Default)]
pub struct Kind {
    pub norm: bool,
    pub softmax: [bool; 2],
    pub dropout: f32,
    /// The gradient of block 1's c_fc.weight is cut, or times this.
    pub fault: Fault,
}

impl Kind {
    fn fault_of(self, block: usize) -> Fault {
        if block == 1 { self.fault } else { Fault::None }
    }
}

fn faulty(linear: Linear, fault: Fault) -> Result<Linear> {
    let weight = fault.on(linear.weight().clone())?;
    Ok(Linear::new(weight, linear.bias().cloned()))
}

struct Norm {
    weight: Tensor,
    bias: Tensor,
    fused: bool,
}

impl Norm {
    fn new(n: usize, fused: bool, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints(n, "weight", candle_nn::Init::Const(1.))?,
            bias: vb.get_with_hints(n, "bias", candle_nn::Init::Const(0.))?,
            fused,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self.fused {
            true => LayerNorm::new(self.weight.clone(), self.bias.clone(), 1e-5).forward(x),
            false => ops::layer_norm_slow(x, &self.weight, &self.bias, 1e-5),
        }
    }
}

struct Block {
    at: usize,
    kind: Kind,
    ln_1: Norm,
    c_attn: Linear,
    c_proj: Linear,
    ln_2: Norm,
    fc: Linear,
    proj: Linear,
}

impl Block {
    fn new(n: usize, kind: Kind, at: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            at,
            kind,
            ln_1: Norm::new(n, kind.norm, vb.pp("ln_1"))?,
            c_attn: candle_nn::linear(n, 3 * n, vb.pp("attn.c_attn"))?,
            c_proj: candle_nn::linear(n, n, vb.pp("attn.c_proj"))?,
            ln_2: Norm::new(n, kind.norm, vb.pp("ln_2"))?,
            fc: faulty(
                candle_nn::linear(n, 4 * n, vb.pp("mlp.c_fc"))?,
                kind.fault_of(at),
            )?,
            proj: candle_nn::linear(4 * n, n, vb.pp("mlp.c_proj"))?,
        })
    }

    fn mark(&self, place: &str, x: &Tensor) -> Tensor {
        mark(&format!("block {}, {place}", self.at), x)
    }

    fn attention(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (b, s, n) = x.dims3()?;
        let (heads, size) = (2, n / 2);
        let qkv = self.c_attn.forward(x)?;
        let part = |k: usize| -> Result<Tensor> {
            let part = qkv.narrow(2, k * n, n)?.reshape((b, s, heads, size))?;
            part.transpose(1, 2)?.contiguous()
        };
        let scores = (part(0)?.matmul(&part(1)?.t()?.contiguous()?)? * (size as f64).powf(-0.5))?;
        let scores = self.mark("scores", &scores.broadcast_add(mask)?);
        let weights = match self.kind.softmax[self.at] {
            true => ops::softmax_last_dim(&scores)?,
            false => ops::softmax(&scores, D::Minus1)?,
        };
        let weights = self.mark("attention weights", &weights);
        let weights = match self.kind.dropout {
            0. => weights,
            rate => ops::dropout(&weights, rate)?,
        };
        let y = weights.matmul(&part(2)?)?.transpose(1, 2)?.contiguous()?;
        self.c_proj.forward(&y.reshape((b, s, n))?)
    }

    fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let x = self.mark("in", x);
        let normed = self.mark("after ln_1", &self.ln_1.forward(&x)?);
        let x = (&x + self.attention(&normed, mask)?)?;
        let normed = self.ln_2.forward(&x)?;
        &x + self.proj.forward(&self.fc.forward(&normed)?.gelu()?)?
    }
}

pub struct Gpt {
    wte: Embedding,
    wpe: Embedding,
    blocks: Vec<Block>,
    ln_f: Norm,
    head: Linear,
}

impl Gpt {
    pub fn new(kind: Kind, n: usize, vb: VarBuilder) -> Result<Self> {
        let block = |k| Block::new(n, kind, k, vb.pp(format!("blocks.{k}")));
        Ok(Self {
            wte: candle_nn::embedding(WORDS, n, vb.pp("wte"))?,
            wpe: candle_nn::embedding(LENGTH, n, vb.pp("wpe"))?,
            blocks: (0..2).map(block).collect::<Result<_>>()?,
            ln_f: Norm::new(n, kind.norm, vb.pp("ln_f"))?,
            head: candle_nn::linear_no_bias(n, WORDS, vb.pp("lm_head"))?,
        })
    }

    /// The mask is f32, whatever the model is in, and is cast.
    pub fn loss(&self) -> Result<Tensor> {
        let device = self.wte.embeddings().device();
        let ids = Tensor::new(&[[1u32, 4, 2, 9, 0, 3], [7, 7, 1, 5, 10, 2]], device)?;
        let targets = Tensor::new(&[4u32, 2, 9, 0, 3, 6, 7, 1, 5, 10, 2, 8], device)?;
        let places = Tensor::arange(0u32, LENGTH as u32, device)?;
        let mut x = self
            .wte
            .forward(&ids)?
            .broadcast_add(&self.wpe.forward(&places)?)?;
        let above = |i: usize, j: usize| if j > i { f32::NEG_INFINITY } else { 0. };
        let mask = (0..LENGTH).flat_map(|i| (0..LENGTH).map(move |j| above(i, j)));
        let mask = Tensor::from_iter(mask, device)?
            .reshape((LENGTH, LENGTH))?
            .to_dtype(x.dtype())?;
        for block in &self.blocks {
            x = block.forward(&x, &mask)?;
        }
        let logits = self.head.forward(&self.ln_f.forward(&x)?)?.flatten_to(1)?;
        let logits = match logits.dtype() {
            DType::F64 => logits,
            _ => logits.to_dtype(DType::F32)?,
        };
        candle_nn::loss::cross_entropy(&logits, &targets)
    }
}
