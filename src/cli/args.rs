//! What the commands' arguments have in common, and the settings that are made of them, once.

use anyhow::{Context, Result, bail};
use candle_core::DType;
use candle_sine::device::DeviceName;
use candle_sine::sine::{Data, Weights, drawn, post};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use std::hash::{BuildHasher, RandomState};
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
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    seed: Option<Seed>,

    /// Take the K-th four draws of the seed [default: 1]
    #[arg(long, value_name = "K", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..))]
    draw: Option<u32>,

    /// Start at these weights, whatever the seed is; those that a run ends with continue it
    #[arg(long, value_name = "a,b,c,d", allow_hyphen_values = true, value_parser = four_numbers,
        overrides_with_all = ["seed", "draw"])]
    init: Option<Weights>,

    /// Precision of all tensors; Metal has no f64
    #[arg(long, default_value = "f32", value_parser = PossibleValuesParser::new(["f32", "f64"])
        .map(|name| if name == "f32" { DType::F32 } else { DType::F64 }))]
    dtype: DType,

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
}

impl Problem {
    fn seed_and_draw(&self) -> Result<(Option<u64>, Option<u32>)> {
        Ok(match (self.init, self.seed, self.draw) {
            (Some(_), ..) => (None, None),
            (None, None, Some(draw)) => bail!("--draw {draw}: only with --seed"),
            (None, None, None) => (Some(post::SEED), Some(post::DRAW)),
            (None, Some(seed), draw) => (Some(seed.number), Some(draw.unwrap_or(1))),
        })
    }

    pub fn settings(&self) -> Result<Settings> {
        let device = self.device.open();
        let device = device.with_context(|| format!("--device {}", self.device))?;
        if self.dtype == DType::F64 && device.is_metal() {
            bail!("--dtype f64: Metal has no f64")
        }
        let mut notes = vec![];
        if !device.is_cpu() {
            notes.push(format!("on {}", candle_sine::device::name(&device)));
        }
        let (seed, draw) = self.seed_and_draw()?;
        if let Some(Seed {
            number,
            named: false,
        }) = self.seed
        {
            notes.push(format!("--seed {number}"));
        }
        let start = match (self.init, seed, draw) {
            (None, Some(seed), Some(draw)) => drawn(seed, draw)?,
            (init, ..) => init.unwrap_or(post::WEIGHTS),
        };
        let data = Data::new(self.points as usize, self.dtype, &device);
        let data = data.with_context(|| format!("--points {}", self.points))?;
        Ok(Settings {
            data,
            start,
            seed,
            draw,
            notes,
        })
    }
}

#[derive(Clone, Copy)]
struct Seed {
    number: u64,
    /// Not picked
    named: bool,
}

fn seed(s: &str) -> Result<Seed, String> {
    if s == "random" {
        // PyTorch's CPU generator keeps 32 bits of a seed.
        let number = RandomState::new().hash_one(()) & u64::from(u32::MAX);
        return Ok(Seed {
            number,
            named: false,
        });
    }
    let number = s.parse();
    let seed = number.map(|number| Seed {
        number,
        named: true,
    });
    seed.map_err(|_| {
        format!(
            "expected a whole number from 0 to {} or \"random\"",
            u64::MAX
        )
    })
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
