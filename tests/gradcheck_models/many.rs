//! Blocks as published models have them, with several layers' gradients cut, scaled or stale together.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Init, Module, VarBuilder, VarMap, ops};

use super::numbers::{CPU, Numbers, fill};

/// What is wrong with several layers at once; the loss is what it was, to rounding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Faults {
    None,
    /// candle's fused softmax and norm, which have no backward.
    Fused,
    FusedSoftmax,
    FusedNorm,
    /// Half of the weights: the gradient times 2, 1/2 or -1.
    Scaled,
    /// A third of the weights: no gradient.
    Cut,
    /// A third of the weights: the gradient of another batch's activations.
    Stale,
}

pub const MANY: [Faults; 6] = {
    use Faults::*;
    [Fused, FusedSoftmax, FusedNorm, Scaled, Cut, Stale]
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    PreNorm,
    PostNorm,
    /// The embedding is the last layer's weight too.
    Tied,
    /// Four experts, two a token.
    Experts,
    /// Convolutions, a norm over the channels, a residual.
    Stages,
}

pub const SHAPES: [Shape; 5] = {
    use Shape::*;
    [PreNorm, PostNorm, Tied, Experts, Stages]
};

#[derive(Clone, Copy)]
pub struct Blocks {
    pub shape: Shape,
    pub faults: Faults,
}

const WIDTH: usize = 8;
const WORDS: usize = 11;

/// A layer's place among those that are faulty together.
fn draw(name: &str) -> u32 {
    let hash = name.bytes().fold(0xcbf2_9ce4_u32, |h, b| {
        (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
    });
    (hash >> 8) % 6
}

pub fn varmap(shape: Shape, seed: u64) -> Result<VarMap> {
    let varmap = VarMap::new();
    let faults = Faults::None;
    Blocks { shape, faults }.loss(VarBuilder::from_varmap(&varmap, DType::F32, CPU), seed)?;
    fill(&varmap, seed + 2000)?;
    Ok(varmap)
}

impl Blocks {
    pub fn loss(&self, vb: VarBuilder, seed: u64) -> Result<Tensor> {
        match self.shape {
            Shape::Stages => self.stages(vb, seed),
            _ => self.transformer(vb, seed),
        }
    }

    /// x wᵀ + b
    fn linear(&self, x: &Tensor, out: usize, vb: VarBuilder) -> Result<Tensor> {
        let width = x.dim(D::Minus1)?;
        let w = vb.get_with_hints((out, width), "weight", Init::Const(0.1))?;
        let b = vb.get_with_hints(out, "bias", Init::Const(0.))?;
        let times = |x: &Tensor, w: &Tensor| x.broadcast_matmul(&w.t()?);
        let kind = draw(&vb.prefix());
        let y = match self.faults {
            Faults::Scaled if kind < 3 => {
                let k = [2., 0.5, -1.][kind as usize];
                times(x, &((&w * k)? + (w.detach() * (1. - k))?)?)?
            }
            Faults::Cut if kind < 2 => times(x, &w.detach())?,
            Faults::Stale if kind < 2 => {
                let before = (x.detach().affine(0.5, 0.1)?.sin()? + 0.2)?;
                let stale = times(&before, &w)?;
                (times(x, &w.detach())? + (&stale - stale.detach())?)?
            }
            _ => times(x, &w)?,
        };
        y.broadcast_add(&b)
    }

    fn softmax(&self, x: &Tensor) -> Result<Tensor> {
        match self.faults {
            Faults::Fused | Faults::FusedSoftmax => ops::softmax_last_dim(&x.contiguous()?),
            _ => ops::softmax(x, D::Minus1),
        }
    }

    fn norm(&self, x: &Tensor, vb: VarBuilder) -> Result<Tensor> {
        let n = x.dim(D::Minus1)?;
        let weight = vb.get_with_hints(n, "weight", Init::Const(1.))?;
        let x = x.contiguous()?;
        let bias = match self.shape {
            Shape::Tied | Shape::Experts => None, // RMSNorm
            _ => Some(vb.get_with_hints(n, "bias", Init::Const(0.))?),
        };
        let fused = matches!(self.faults, Faults::Fused | Faults::FusedNorm);
        match (bias, fused) {
            (Some(bias), true) => ops::layer_norm(&x, &weight, &bias, 1e-5),
            (Some(bias), false) => ops::layer_norm_slow(&x, &weight, &bias, 1e-5),
            (None, true) => ops::rms_norm(&x, &weight, 1e-5),
            (None, false) => ops::rms_norm_slow(&x, &weight, 1e-5),
        }
    }

    fn attention(&self, x: &Tensor, vb: VarBuilder) -> Result<Tensor> {
        let (b, s, d) = x.dims3()?;
        let heads = |name: &str| -> Result<Tensor> {
            let y = self.linear(x, d, vb.pp(name))?;
            y.reshape((b, s, 2, d / 2))?.transpose(1, 2)?.contiguous()
        };
        let (q, k, v) = (heads("q")?, heads("k")?, heads("v")?);
        let scores = (q.matmul(&k.t()?.contiguous()?)? * (d as f64 / 2.).powf(-0.5))?;
        let y = self.softmax(&scores)?.matmul(&v)?;
        let y = y.transpose(1, 2)?.reshape((b, s, d))?;
        self.linear(&y, d, vb.pp("o"))
    }

    fn mlp(&self, x: &Tensor, vb: VarBuilder) -> Result<Tensor> {
        let h = self.linear(x, 2 * WIDTH, vb.pp("up"))?.gelu_erf()?;
        self.linear(&h, WIDTH, vb.pp("down"))
    }

    /// Σ over the two experts of each token that the gate prefers, by the gate's softmax.
    fn experts(&self, x: &Tensor, vb: VarBuilder) -> Result<Tensor> {
        let gate = self.softmax(&self.linear(x, 4, vb.pp("gate"))?)?;
        let order = gate.detach().contiguous()?.arg_sort_last_dim(false)?;
        let least = gate
            .detach()
            .contiguous()?
            .gather(&order.narrow(D::Minus1, 1, 1)?.contiguous()?, D::Minus1)?;
        let chosen = gate.broadcast_ge(&least)?.to_dtype(DType::F32)?;
        let gate = (gate * chosen)?;
        let mut y = x.zeros_like()?;
        for k in 0..4 {
            let one = self.mlp(x, vb.pp(format!("expert{k}")))?;
            y = (y + one.broadcast_mul(&gate.narrow(D::Minus1, k, 1)?)?)?;
        }
        Ok(y)
    }

    fn block(&self, x: Tensor, vb: VarBuilder) -> Result<Tensor> {
        let feed = |x: &Tensor| match self.shape {
            Shape::Experts => self.experts(x, vb.pp("moe")),
            _ => self.mlp(x, vb.pp("mlp")),
        };
        let (first, second) = (vb.pp("ln1"), vb.pp("ln2"));
        if self.shape == Shape::PostNorm {
            let x = self.norm(&(&x + self.attention(&x, vb.pp("attn"))?)?, first)?;
            return self.norm(&(&x + feed(&x)?)?, second);
        }
        let x = (&x + self.attention(&self.norm(&x, first)?, vb.pp("attn"))?)?;
        &x + feed(&self.norm(&x, second)?)?
    }

    fn transformer(&self, vb: VarBuilder, seed: u64) -> Result<Tensor> {
        let words = vb.get_with_hints((WORDS, WIDTH), "wte.weight", Init::Const(0.1))?;
        let places = vb.get_with_hints((6, WIDTH), "wpe.weight", Init::Const(0.1))?;
        let mut numbers = Numbers::new(seed + 77);
        let mut ids = || {
            (0..12)
                .map(|_| ((numbers.next() + 1.) * 5.4) as u32)
                .collect::<Vec<_>>()
        };
        let (read, next) = (Tensor::new(ids(), CPU)?, Tensor::new(ids(), CPU)?);
        let x = words.index_select(&read, 0)?.reshape((2, 6, WIDTH))?;
        let mut x = x.broadcast_add(&places)?;
        for k in 0..2 {
            x = self.block(x, vb.pp(format!("blocks.{k}")))?;
        }
        if self.shape != Shape::PostNorm {
            x = self.norm(&x, vb.pp("ln_f"))?;
        }
        let logits = match self.shape {
            Shape::Tied => x.broadcast_matmul(&words.t()?)?,
            _ => self.linear(&x, WORDS, vb.pp("head"))?,
        };
        candle_nn::loss::cross_entropy(&logits.flatten_to(1)?, &next)
    }

    fn stages(&self, vb: VarBuilder, seed: u64) -> Result<Tensor> {
        let padding = candle_nn::Conv2dConfig {
            padding: 1,
            ..Default::default()
        };
        let image = Numbers::new(seed + 78).tensor(&[3, 2, 6, 6], 1., DType::F32)?;
        let mut x = candle_nn::conv2d(2, WIDTH, 3, padding, vb.pp("stem"))?.forward(&image)?;
        for k in 0..3 {
            let vb = vb.pp(format!("stages.{k}"));
            let y = candle_nn::conv2d(WIDTH, WIDTH, 3, padding, vb.pp("conv"))?.forward(&x)?;
            let y = y.permute((0, 2, 3, 1))?.contiguous()?;
            let y = self.mlp(&self.norm(&y, vb.pp("ln"))?, vb.pp("mlp"))?;
            x = (x + y.permute((0, 3, 1, 2))?)?;
        }
        let y = self.norm(&x.mean(3)?.mean(2)?, vb.pp("ln_f"))?;
        let logits = self.linear(&y, 3, vb.pp("head"))?;
        candle_nn::loss::cross_entropy(&logits, &Tensor::new(&[0u32, 2, 1], CPU)?)
    }
}
