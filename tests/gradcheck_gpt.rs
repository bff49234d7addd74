//! A GPT as it is written with candle-nn: which of its parameters are not trained, and where the
//! graph ends.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

#[path = "common/numbers.rs"]
mod numbers;

use std::cell::Cell;

use candle_core::{D, DType, Result, Tensor, Var};
use candle_nn::{Embedding, LayerNorm, Linear, Module, VarBuilder, VarMap, ops};
use candle_sine::gradcheck::{self, ModelReport, Options, Verdict, mark};
use numbers::{CPU, fill};

const WORDS: usize = 11;
const LENGTH: usize = 6;

/// What is fused, and so without a backward.
#[derive(Clone, Copy, Default)]
struct Kind {
    norm: bool,
    softmax: [bool; 2],
    dropout: f32,
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
            fc: candle_nn::linear(n, 4 * n, vb.pp("mlp.c_fc"))?,
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

struct Gpt {
    wte: Embedding,
    wpe: Embedding,
    blocks: Vec<Block>,
    ln_f: Norm,
    head: Linear,
}

impl Gpt {
    fn new(kind: Kind, n: usize, vb: VarBuilder) -> Result<Self> {
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
    fn loss(&self) -> Result<Tensor> {
        let ids = Tensor::new(&[[1u32, 4, 2, 9, 0, 3], [7, 7, 1, 5, 10, 2]], CPU)?;
        let targets = Tensor::new(&[4u32, 2, 9, 0, 3, 6, 7, 1, 5, 10, 2, 8], CPU)?;
        let places = Tensor::arange(0u32, LENGTH as u32, CPU)?;
        let mut x = self
            .wte
            .forward(&ids)?
            .broadcast_add(&self.wpe.forward(&places)?)?;
        let above = |i: usize, j: usize| if j > i { f32::NEG_INFINITY } else { 0. };
        let mask = (0..LENGTH).flat_map(|i| (0..LENGTH).map(move |j| above(i, j)));
        let mask = Tensor::from_iter(mask, CPU)?
            .reshape((LENGTH, LENGTH))?
            .to_dtype(x.dtype())?;
        for block in &self.blocks {
            x = block.forward(&x, &mask)?;
        }
        let logits = self.head.forward(&self.ln_f.forward(&x)?)?.flatten_to(1)?;
        candle_nn::loss::cross_entropy(&logits.to_dtype(DType::F32)?, &targets)
    }
}

fn varmap(n: usize, dtype: DType) -> Result<VarMap> {
    seeded(n, dtype, 0)
}

fn seeded(n: usize, dtype: DType, seed: u64) -> Result<VarMap> {
    let varmap = VarMap::new();
    Gpt::new(
        Kind::default(),
        n,
        VarBuilder::from_varmap(&varmap, dtype, CPU),
    )?;
    fill(&varmap, seed)?;
    Ok(varmap)
}

fn check(kind: Kind, varmap: &VarMap, n: usize) -> Result<ModelReport> {
    let f = |vb: VarBuilder| Gpt::new(kind, n, vb)?.loss();
    gradcheck::model(varmap, f, &Options::default())
}

fn cuts(report: &ModelReport) -> Vec<(&str, &str)> {
    report
        .cuts
        .iter()
        .map(|c| (&c.from[..], &c.to[..]))
        .collect()
}

#[test]
fn a_right_gpt_passes() -> Result<()> {
    for n in [8, 64] {
        let varmap = varmap(n, DType::F32)?;
        let start = std::time::Instant::now();
        let report = check(Kind::default(), &varmap, n)?;
        println!("{n}: {:?}\n{report}", start.elapsed());
        report.assert_pass();
        assert_eq!(report.parameters.len(), 29);
        assert!(report.passes <= 60, "{report}");
        assert!(report.to_string().lines().count() <= 24, "{report}");
    }
    Ok(())
}

/// LayerNorm and softmax_last_dim everywhere: only the head gets a gradient.
#[test]
fn a_gpt_as_users_write_it_is_severed() -> Result<()> {
    let kind = Kind {
        norm: true,
        softmax: [true; 2],
        ..Kind::default()
    };
    // In the last six of the bf16 seeds a bias shows only in steps of several times its size.
    let bf16: &[u64] = &[0, 1, 2, 17, 26, 36, 40, 50, 59];
    for (dtype, seeds) in [(DType::F32, &[0, 1, 2][..]), (DType::BF16, bf16)] {
        for &seed in seeds {
            let varmap = seeded(8, dtype, seed)?;
            let report = check(kind, &varmap, 8)?;
            println!("{report}");
            let passed: Vec<&str> = report.with(Verdict::Pass).map(|p| &p.name[..]).collect();
            assert_eq!(
                report.with(Verdict::Severed).count(),
                28,
                "{dtype:?} {seed}\n{report}"
            );
            assert!(passed.len() <= 1 && !passed.iter().any(|p| *p != "lm_head.weight"));
            assert!(
                report
                    .parameters
                    .iter()
                    .all(|p| p.missing == (p.name != "lm_head.weight"))
            );
            let found = cuts(&report);
            for block in ["block 0", "block 1"] {
                let (before, after) = (format!("{block}, in"), format!("{block}, after ln_1"));
                assert!(found.contains(&(&before, &after)), "{report}");
            }
            assert!(report.to_string().lines().count() <= 40, "{report}");
        }
    }
    Ok(())
}

/// One softmax without a backward: the rows of q and k get zeros, v does not; what lies before misses
/// a branch.
#[test]
fn a_cut_in_one_block_says_which_rows_and_what_follows() -> Result<()> {
    let kind = Kind {
        softmax: [false, true],
        ..Kind::default()
    };
    let varmap = varmap(8, DType::F32)?;
    let report = check(kind, &varmap, 8)?;
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Severed);
    let c_attn = report.parameter("blocks.1.attn.c_attn.weight").unwrap();
    assert_eq!(
        (c_attn.verdict, &c_attn.severed_rows[..]),
        (Verdict::Severed, std::slice::from_ref(&(0..16)))
    );
    for p in report.with(Verdict::Severed) {
        assert!(p.name.starts_with("blocks.1.attn.c_attn"), "{report}");
    }
    assert!(report.with(Verdict::Wrong).count() > 0, "{report}");
    for p in report.with(Verdict::Wrong) {
        assert!(p.consequence, "{report}");
        let before = ["wte", "wpe", "blocks.0", "blocks.1.ln_1"];
        assert!(before.iter().any(|b| p.name.starts_with(b)), "{report}");
    }
    assert_eq!(
        cuts(&report),
        [("block 1, scores", "block 1, attention weights")],
        "{report}"
    );
    Ok(())
}

#[test]
fn dropout_is_nondeterministic() -> Result<()> {
    let kind = Kind {
        dropout: 0.1,
        ..Kind::default()
    };
    let report = check(kind, &varmap(8, DType::F32)?, 8)?;
    assert_eq!(report.verdict(), Verdict::Nondeterministic);
    assert!(report.to_string().contains("train"), "{report}");
    Ok(())
}

fn bits(vars: &[(String, Var)]) -> Vec<Vec<u32>> {
    let of = |var: &Var| var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect();
    vars.iter().map(|(_, var)| bits(of(var))).collect()
}

fn named(varmap: &VarMap) -> Vec<(String, Var)> {
    let data = varmap.data().lock().unwrap();
    data.iter().map(|(n, v)| (n.clone(), v.clone())).collect()
}

#[test]
fn a_built_model_is_put_back_bit_for_bit() -> Result<()> {
    let varmap = varmap(8, DType::F32)?;
    let gpt = Gpt::new(
        Kind::default(),
        8,
        VarBuilder::from_varmap(&varmap, DType::F32, CPU),
    )?;
    let vars = named(&varmap);
    let before = bits(&vars);
    gradcheck::vars(&vars, || gpt.loss(), &Options::default())?.assert_pass();
    assert_eq!(bits(&vars), before);

    let calls = Cell::new(0);
    let fails = || {
        calls.set(calls.get() + 1);
        match calls.get() {
            20 => candle_core::bail!("stopped by the caller"),
            _ => gpt.loss(),
        }
    };
    assert!(gradcheck::vars(&vars, fails, &Options::default()).is_err());
    assert_eq!(bits(&vars), before);

    calls.set(0);
    let panics = || {
        calls.set(calls.get() + 1);
        assert!(calls.get() < 20, "stopped");
        gpt.loss()
    };
    let check =
        std::panic::AssertUnwindSafe(|| gradcheck::vars(&vars, panics, &Options::default()));
    assert!(std::panic::catch_unwind(check).is_err());
    assert_eq!(bits(&vars), before);
    Ok(())
}

#[test]
fn what_f_does_not_read_is_refused() -> Result<()> {
    let varmap = varmap(8, DType::F32)?;
    let gpt = Gpt::new(
        Kind::default(),
        8,
        VarBuilder::from_varmap(&varmap, DType::F32, CPU),
    )?;
    let mut vars = named(&varmap);
    vars.push(("stranger".to_string(), Var::new(&[1f32, 2.], CPU)?));
    let error = gradcheck::vars(&vars, || gpt.loss(), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("stranger"), "{error}");

    let captured = |_: VarBuilder| gpt.loss();
    let error = gradcheck::model(&varmap, captured, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("gradcheck::vars"), "{error}");
    Ok(())
}

#[test]
fn running_statistics_are_listed_apart() -> Result<()> {
    let varmap = VarMap::new();
    let x: Vec<f32> = (0..64).map(|k| (0.9 * k as f32).sin()).collect();
    let x = Tensor::from_vec(x, (16, 4), CPU)?;
    let f = |vb: VarBuilder| {
        let norm = candle_nn::batch_norm(4, 1e-5, vb.pp("bn"))?;
        let h = candle_nn::linear(4, 4, vb.pp("fc"))?.forward(&x)?;
        candle_nn::ModuleT::forward_t(&norm, &h, false)?
            .tanh()?
            .sqr()?
            .mean_all()
    };
    f(VarBuilder::from_varmap(&varmap, DType::F32, CPU))?;
    let report = gradcheck::model(&varmap, f, &Options::default())?;
    report.assert_pass();
    assert_eq!(report.buffers, ["bn.running_mean", "bn.running_var"]);
    assert_eq!(report.parameters.len(), 4);
    let report = gradcheck::model(&varmap, f, &Options::default().buffers(["fc.bias"]))?;
    assert_eq!(report.parameters.len(), 3);
    Ok(())
}
