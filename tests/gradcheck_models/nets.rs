//! Whole models as they are written, each with places for planted faults.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::{leaky_relu, softmax};
use candle_nn::{Module, ModuleT, RNN, VarBuilder, VarMap, batch_norm};

use super::numbers::{CPU, Numbers, fill};

/// A fault in the gradient of one layer; the loss is what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// The gradient of the layer's weight, times this.
    Times(f64),
    /// No gradient for the layer's weight.
    Cut,
    /// x + f(x) with no gradient through f.
    Residual,
}

pub const FAULTS: [Fault; 5] = [
    Fault::Times(2.),
    Fault::Times(0.5),
    Fault::Times(-1.),
    Fault::Cut,
    Fault::Residual,
];

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Fault::None => "right",
            Fault::Times(2.) => "doubled",
            Fault::Times(0.5) => "halved",
            Fault::Times(_) => "negated",
            Fault::Cut => "cut",
            Fault::Residual => "cut in a residual",
        }
    }

    /// w with its gradient changed: k w + (1 - k) w, of which the second part is detached, is w to
    /// the last bit for k = 2, 1/2 and -1.
    fn on(self, w: &Tensor) -> Result<Tensor> {
        match self {
            Fault::Times(k) => (w * k)? + (w.detach() * (1. - k))?,
            Fault::Cut => Ok(w.detach()),
            _ => Ok(w.clone()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Relu,
    LeakyRelu,
    Gelu,
    ConvTrain,
    ConvEval,
    Lstm,
    Gru,
    Attention,
    Embedding,
    Vae,
    CastBf16,
    CastF16,
    Bf16,
}

pub const KINDS: [Kind; 13] = {
    use Kind::*;
    [
        Relu, LeakyRelu, Gelu, ConvTrain, ConvEval, Lstm, Gru, Attention, Embedding, Vae, CastBf16,
        CastF16, Bf16,
    ]
};

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Relu => "MLP, relu",
            Kind::LeakyRelu => "MLP, leaky relu",
            Kind::Gelu => "MLP, gelu",
            Kind::ConvTrain => "conv net, max pooling, BatchNorm in training",
            Kind::ConvEval => "conv net, max pooling, BatchNorm in evaluation",
            Kind::Lstm => "LSTM",
            Kind::Gru => "GRU",
            Kind::Attention => "attention, f32 mask and softmax",
            Kind::Embedding => "embedding",
            Kind::Vae => "VAE, fixed noise",
            Kind::CastBf16 => "bf16 inside f32",
            Kind::CastF16 => "f16 inside f32",
            Kind::Bf16 => "bf16 throughout",
        }
    }

    pub fn dtype(self) -> DType {
        match self {
            Kind::Bf16 => DType::BF16,
            _ => DType::F32,
        }
    }
}

/// A model's data, as f captures them.
pub struct Data {
    x: Tensor,
    image: Tensor,
    sequence: Tensor,
    noise: Tensor,
    pub ids: Tensor,
    pub targets: Tensor,
}

impl Data {
    pub fn new(kind: Kind, seed: u64) -> Result<Self> {
        let mut numbers = Numbers::new(seed);
        let dtype = kind.dtype();
        Ok(Self {
            x: numbers.tensor(&[16, 8], 1., dtype)?,
            image: numbers.tensor(&[6, 1, 8, 8], 1., dtype)?,
            sequence: numbers.tensor(&[5, 7, 4], 1., dtype)?,
            noise: numbers.tensor(&[16, 2], 1., dtype)?,
            ids: Tensor::new(&[[1u32, 4, 2, 9, 0, 3], [7, 7, 1, 5, 10, 2]], CPU)?,
            targets: Tensor::new(&[0u32, 2, 1, 1, 0, 2], CPU)?,
        })
    }
}

/// The model of one kind with values that depend on the seed alone.
pub fn varmap(kind: Kind, seed: u64) -> Result<VarMap> {
    let varmap = VarMap::new();
    let vb = VarBuilder::from_varmap(&varmap, kind.dtype(), CPU);
    let net = Net {
        kind,
        fault: Fault::None,
    };
    net.loss(vb, &Data::new(kind, seed)?)?;
    fill(&varmap, seed + 1000)?;
    Ok(varmap)
}

/// A kind with a fault.
#[derive(Clone, Copy)]
pub struct Net {
    pub kind: Kind,
    pub fault: Fault,
}

impl Net {
    pub fn loss(&self, vb: VarBuilder, data: &Data) -> Result<Tensor> {
        match self.kind {
            Kind::Relu | Kind::LeakyRelu | Kind::Gelu | Kind::Bf16 => self.mlp(vb, data),
            Kind::ConvTrain | Kind::ConvEval => self.conv(vb, data),
            Kind::Lstm | Kind::Gru => self.recurrent(vb, data),
            Kind::Attention => self.attention(vb, data),
            Kind::Embedding => self.embedding(vb, data),
            Kind::Vae => self.vae(vb, data),
            Kind::CastBf16 => self.cast(vb, data, DType::BF16),
            Kind::CastF16 => self.cast(vb, data, DType::F16),
        }
    }

    /// candle-nn's Linear; of the layer called `faulty` the gradient is what the fault makes it.
    fn linear(
        &self,
        x: &Tensor,
        (i, o): (usize, usize),
        vb: VarBuilder,
        name: &str,
    ) -> Result<Tensor> {
        let layer = candle_nn::linear(i, o, vb.pp(name))?;
        let layer = match name {
            "faulty" => {
                candle_nn::Linear::new(self.fault.on(layer.weight())?, layer.bias().cloned())
            }
            _ => layer,
        };
        layer.forward(x)
    }

    /// x + tanh(linear(x))
    fn residual(&self, x: &Tensor, vb: VarBuilder) -> Result<Tensor> {
        let inner = match self.fault {
            Fault::Residual => x.detach(),
            _ => x.clone(),
        };
        let n = x.dim(D::Minus1)?;
        let branch = self.linear(&inner, (n, n), vb, "branch")?.tanh()?;
        let branch = match self.fault {
            Fault::Residual => branch.detach(),
            _ => branch,
        };
        x + branch
    }

    fn mlp(&self, vb: VarBuilder, data: &Data) -> Result<Tensor> {
        let h = self.linear(&data.x, (8, 32), vb.clone(), "faulty")?;
        let h = match self.kind {
            Kind::LeakyRelu => leaky_relu(&h, 0.1)?,
            Kind::Gelu => h.gelu()?,
            _ => h.relu()?,
        };
        let h = self.residual(&h, vb.clone())?;
        self.linear(&h, (32, 1), vb, "out")?.sqr()?.mean_all()
    }

    fn conv(&self, vb: VarBuilder, data: &Data) -> Result<Tensor> {
        let train = self.kind == Kind::ConvTrain;
        let padding = candle_nn::Conv2dConfig {
            padding: 1,
            ..Default::default()
        };
        // candle's own max_pool2d has a wrong gradient at ties.
        let pool = |x: &Tensor| -> Result<Tensor> {
            let (n, c, h, w) = x.dims4()?;
            x.reshape((n, c, h / 2, 2, w / 2, 2))?.max(5)?.max(3)
        };
        let x = candle_nn::conv2d(1, 3, 3, padding, vb.pp("conv1"))?.forward(&data.image)?;
        let x = batch_norm(3, 1e-5, vb.pp("bn1"))?
            .forward_t(&x, train)?
            .relu()?;
        let x = candle_nn::conv2d(3, 4, 3, padding, vb.pp("conv2"))?.forward(&pool(&x)?)?;
        let x = batch_norm(4, 1e-5, vb.pp("bn2"))?
            .forward_t(&x, train)?
            .relu()?;
        let h = self.linear(&pool(&x)?.flatten_from(1)?, (16, 8), vb.clone(), "faulty")?;
        let h = self.residual(&h.relu()?, vb.clone())?;
        candle_nn::loss::cross_entropy(&self.linear(&h, (8, 3), vb, "out")?, &data.targets)
    }

    fn recurrent(&self, vb: VarBuilder, data: &Data) -> Result<Tensor> {
        let x = self.linear(&data.sequence, (4, 4), vb.clone(), "faulty")?;
        let last = match self.kind {
            Kind::Lstm => {
                let states = candle_nn::lstm(4, 6, Default::default(), vb.pp("lstm"))?.seq(&x)?;
                states.last().unwrap().h().clone()
            }
            _ => {
                let states = candle_nn::gru(4, 6, Default::default(), vb.pp("gru"))?.seq(&x)?;
                states.last().unwrap().h.clone()
            }
        };
        let h = self.residual(&last, vb.clone())?;
        let logits = self.linear(&h, (6, 3), vb, "out")?;
        candle_nn::loss::cross_entropy(&logits, &data.targets.narrow(0, 0, 5)?)
    }

    fn attention(&self, vb: VarBuilder, data: &Data) -> Result<Tensor> {
        let (s, d) = (6, 8);
        let x = candle_nn::embedding(11, d, vb.pp("wte"))?.forward(&data.ids)?;
        let q = self.linear(&x, (d, d), vb.clone(), "q")?;
        let k = self.linear(&x, (d, d), vb.clone(), "k")?;
        let v = self.linear(&x, (d, d), vb.clone(), "faulty")?;
        let mask =
            (0..s).flat_map(|i| (0..s).map(move |j| if j > i { f32::NEG_INFINITY } else { 0. }));
        let mask = Tensor::from_iter(mask, CPU)?.reshape((s, s))?;
        let scores = (q.matmul(&k.t()?.contiguous()?)? * (d as f64).powf(-0.5))?;
        let scores = scores.to_dtype(DType::F32)?.broadcast_add(&mask)?;
        let weights = softmax(&scores, D::Minus1)?.to_dtype(v.dtype())?;
        let x = (x + weights.matmul(&v)?)?;
        let x = self.residual(&x, vb.clone())?;
        let logits = self.linear(&x, (d, 11), vb, "out")?.flatten_to(1)?;
        candle_nn::loss::cross_entropy(&logits, &data.ids.flatten_all()?)
    }

    fn embedding(&self, vb: VarBuilder, data: &Data) -> Result<Tensor> {
        let x = candle_nn::embedding(11, 8, vb.pp("wte"))?.forward(&data.ids)?;
        let h = self
            .linear(&x.mean(1)?, (8, 8), vb.clone(), "faulty")?
            .tanh()?;
        let h = self.residual(&h, vb.clone())?;
        let logits = self.linear(&h, (8, 3), vb, "out")?;
        candle_nn::loss::cross_entropy(&logits, &data.targets.narrow(0, 0, 2)?)
    }

    fn vae(&self, vb: VarBuilder, data: &Data) -> Result<Tensor> {
        let h = self.linear(&data.x, (8, 8), vb.clone(), "faulty")?.tanh()?;
        let h = self.residual(&h, vb.clone())?;
        let mu = self.linear(&h, (8, 2), vb.clone(), "mu")?;
        let logvar = self.linear(&h, (8, 2), vb.clone(), "logvar")?;
        let z = (&mu + ((&logvar * 0.5)?.exp()? * &data.noise)?)?;
        let out = self.linear(
            &self.linear(&z, (2, 8), vb.clone(), "dec1")?.relu()?,
            (8, 8),
            vb,
            "dec2",
        )?;
        let reconstruction = (out - &data.x)?.sqr()?.mean_all()?;
        let kl = ((((&logvar + 1.)? - mu.sqr()?)? - logvar.exp()?)?.mean_all()? * -0.5)?;
        reconstruction + kl
    }

    fn cast(&self, vb: VarBuilder, data: &Data, low: DType) -> Result<Tensor> {
        let low_linear = |x: &Tensor, dims: (usize, usize), name: &str| -> Result<Tensor> {
            let w = vb.get_with_hints(
                (dims.1, dims.0),
                &format!("{name}.weight"),
                candle_nn::Init::Const(0.1),
            )?;
            let w = if name == "faulty" {
                self.fault.on(&w)?
            } else {
                w
            };
            x.to_dtype(low)?.matmul(&w.to_dtype(low)?.t()?)
        };
        let h = low_linear(&data.x, (8, 16), "faulty")?
            .tanh()?
            .to_dtype(DType::F32)?;
        let h = self.residual(&h, vb.clone())?;
        low_linear(&h, (16, 4), "out")?
            .to_dtype(DType::F32)?
            .sqr()?
            .mean_all()
    }
}
