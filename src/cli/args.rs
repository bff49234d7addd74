//! What the commands' arguments have in common, and the settings that are made of them, once.

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device};
use candle_sine::device::DeviceName;
use candle_sine::sine::{Data, Weights, drawn, post};
use clap::ValueEnum;
use std::str::FromStr;

/// The data, and the weights a run starts with.
#[derive(clap::Args)]
pub struct Problem {
    /// Points of sin(x) on [-π, π]
    #[arg(long, value_name = "N", default_value_t = post::POINTS, allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(2..))]
    points: u32,

    /// Draw a, b, c, d as torch.manual_seed(N) and four torch.randn(()) do; "random" picks a seed
    /// and names it [default: the post's, 4034316668 with --draw 3]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "init"
    )]
    seed: Option<Seed>,

    /// Take the K-th four draws of the seed [default: 1]
    #[arg(long, value_name = "K", allow_negative_numbers = true, conflicts_with = "init",
        value_parser = clap::value_parser!(u32).range(1..))]
    draw: Option<u32>,

    /// Start at these weights; those that a run ends with continue it
    #[arg(long, value_name = "a,b,c,d", allow_hyphen_values = true, value_parser = four_numbers)]
    init: Option<Weights>,

    /// Precision of all tensors
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    dtype: Precision,

    /// auto, cpu, cuda[:N] or metal[:N]; auto is the GPU that the build is for, else the CPU
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceName::Auto, value_parser = DeviceName::from_str)]
    device: DeviceName,
}

/// What a command works with.
pub struct Settings {
    pub data: Data,
    /// The weights at the start, in the dtype of the data, and the seed and draw behind them if there are any.
    pub start: Weights,
    pub seed: Option<u64>,
    pub draw: Option<u32>,
    /// What the reader did not write: the seed that was picked, a device that is not the CPU.
    pub notes: Vec<String>,
}

impl Settings {
    pub fn points(&self) -> usize {
        self.data.x.elem_count()
    }

    /// f32 or f64
    pub fn dtype(&self) -> &'static str {
        self.data.x.dtype().as_str()
    }

    /// cpu, cuda:0, ...
    pub fn device(&self) -> String {
        candle_sine::device::name(self.data.x.device())
    }

    /// What is said where no learning rate can help.
    pub fn too_large(&self) -> String {
        format!(
            "the loss at the initial weights is too large for {}",
            self.dtype()
        )
    }
}

impl Problem {
    pub fn settings(&self) -> Result<Settings> {
        if let (Some(draw), None) = (self.draw, self.seed) {
            bail!("--draw {draw}: only with --seed");
        }
        let device = self.device.open();
        let device = device.with_context(|| format!("--device {}", self.device))?;
        let dtype = self.dtype.of(&device)?;
        let mut notes = vec![];
        if !device.is_cpu() {
            notes.push(format!("on {}", candle_sine::device::name(&device)));
        }
        let (seed, draw) = match (self.init, self.seed) {
            (Some(_), _) => (None, None),
            (None, None) => (Some(post::SEED), Some(post::DRAW)),
            (None, Some(Seed::Number(seed))) => (Some(seed), Some(self.draw.unwrap_or(1))),
            (None, Some(Seed::Random)) => {
                // PyTorch's CPU generator keeps 32 bits of a seed.
                let seed = getrandom::u32().context("--seed random")?;
                notes.push(format!("--seed {seed}"));
                (Some(seed.into()), Some(self.draw.unwrap_or(1)))
            }
        };
        let start = match (self.init, seed, draw) {
            (Some(init), ..) => init,
            (None, Some(seed), Some(draw)) => drawn(seed, draw)?,
            _ => post::WEIGHTS,
        };
        let data = Data::new(self.points as usize, dtype, &device);
        Ok(Settings {
            data: data.with_context(|| format!("--points {}", self.points))?,
            start,
            seed,
            draw,
            notes,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Precision {
    /// PyTorch's default
    F32,
    /// Not on Metal
    F64,
}

impl Precision {
    fn of(self, device: &Device) -> Result<DType> {
        match self {
            Self::F32 => Ok(DType::F32),
            Self::F64 if device.is_metal() => bail!("--dtype f64: Metal has no f64"),
            Self::F64 => Ok(DType::F64),
        }
    }
}

#[derive(Clone, Copy)]
enum Seed {
    Random,
    Number(u64),
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match (s, s.parse()) {
            ("random", _) => Ok(Self::Random),
            (_, Ok(number)) => Ok(Self::Number(number)),
            _ => Err(format!(
                "expected a whole number from 0 to {} or \"random\"",
                u64::MAX
            )),
        }
    }
}

fn four_numbers(s: &str) -> Result<Weights, String> {
    let number = |part: &str| part.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let numbers: Option<Vec<f64>> = s.split(',').map(number).collect();
    let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| "expected four finite numbers, as in 0.1,-0.2,0.3,0.4".to_owned())
}

/// For --learning-rate.
pub fn rate(s: &str) -> Result<f64, String> {
    let number = s.parse::<f64>().ok();
    let number = number.filter(|v| v.is_finite() && *v > 0.);
    number.ok_or_else(|| "expected a finite number above 0".to_owned())
}
