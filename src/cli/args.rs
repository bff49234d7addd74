//! What the commands' arguments have in common.

use super::print::Printer;
use super::progress::Progress;
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device};
use candle_sine::device::DeviceName;
use candle_sine::sine::{Data, Weights};
use candle_sine::sine::{post, weights::drawn_watched};
use clap::ValueEnum;
use std::fmt;
use std::str::FromStr;

/// The data and the weights a run starts with.
#[derive(clap::Args)]
pub struct Problem {
    /// Points of sin(x) on [-π, π]
    #[arg(long, value_name = "N", default_value_t = post::POINTS, allow_negative_numbers = true, value_parser = points)]
    pub points: u32,

    /// Draw a, b, c, d as torch.manual_seed(N) and four torch.randn(()) do; "random" picks a seed
    /// and names it [default: the post's, 4034316668 with --draw 3]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "init"
    )]
    pub seed: Option<Seed>,

    /// Take the K-th four draws of the seed [default: 1]
    #[arg(long, value_name = "K", allow_negative_numbers = true, conflicts_with = "init", value_parser = draw)]
    pub draw: Option<u32>,

    /// Start at these weights
    #[arg(long, value_name = "a,b,c,d", allow_hyphen_values = true, value_parser = four_numbers)]
    pub init: Option<[f64; 4]>,

    /// Precision of all tensors
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub dtype: Precision,

    /// auto, cpu, cuda[:N] or metal[:N]
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceName::Cpu, value_parser = DeviceName::from_str)]
    pub device: DeviceName,
}

/// A step size, written as the post writes it: `1e-6`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(pub f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:e}", self.0)
    }
}

/// f32 or f64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// PyTorch's default
    F32,
    /// Not on Metal
    F64,
}

impl Precision {
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
        }
    }
}

/// Where `a, b, c, d` come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seed {
    Random,
    Number(u64),
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected a whole number from 0 to {} or \"random\"",
                u64::MAX
            )
        };
        match s {
            "random" => Ok(Self::Random),
            number => number.parse().map(Self::Number).map_err(|_| wrong()),
        }
    }
}

/// The weights a run starts with, and the seed and draw behind them where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    pub init: [f64; 4],
    pub seed: Option<u64>,
    pub draw: Option<u32>,
}

impl Start {
    /// Whether these are the weights of the post's run.
    pub fn is_post(&self) -> bool {
        self.init == post::WEIGHTS.map(f64::from)
    }
}

impl Problem {
    /// `--init`, `--seed` and `--draw`, or by default the post's weights.
    pub fn start(&self) -> Result<Start> {
        if let Some(init) = self.init {
            let (seed, draw) = (None, None);
            return Ok(Start { init, seed, draw });
        }
        if let (Some(draw), None) = (self.draw, self.seed) {
            bail!("--draw {draw}: only with --seed");
        }
        let (seed, draw) = match self.seed {
            None => (post::SEED, post::DRAW),
            Some(Seed::Number(seed)) => (seed, self.draw.unwrap_or(1)),
            // PyTorch's CPU generator keeps 32 bits of a seed, so that 32 are enough to name.
            Some(Seed::Random) => {
                let seed = getrandom::u32().context("--seed random: no source of randomness")?;
                (seed.into(), self.draw.unwrap_or(1))
            }
        };
        Ok(Start {
            init: draw_four(seed, draw).map(f64::from),
            seed: Some(seed),
            draw: Some(draw),
        })
    }

    /// A seed that was picked is named, so that the run can be had again.
    pub fn name_seed(&self, start: &Start, out: &mut Printer) {
        if let (Some(Seed::Random), Some(seed)) = (self.seed, start.seed) {
            out.note(format_args!("--seed {seed}"));
        }
    }

    pub fn open_device(&self) -> Result<Device> {
        let device = self
            .device
            .open()
            .with_context(|| format!("--device {}", self.device))?;
        if device.is_metal() && self.dtype == Precision::F64 {
            bail!("--dtype f64: Metal has no f64, only f32; or choose another --device");
        }
        Ok(device)
    }

    pub fn data(&self, device: &Device) -> Result<Data> {
        Data::new(self.points as usize, self.dtype.dtype(), device)
            .with_context(|| format!("--points {}", self.points))
    }

    pub fn weights(&self, values: [f64; 4], device: &Device) -> Result<Weights> {
        Ok(Weights::new(values, self.dtype.dtype(), device)?)
    }
}

/// Ctrl-C ends the program while it draws.
fn draw_four(seed: u64, draw: u32) -> [f32; 4] {
    let progress = Progress::of("draws", draw as usize);
    drawn_watched(seed, draw, &mut |passed| progress.reached(passed as usize))
}

fn four_numbers(s: &str) -> Result<[f64; 4], String> {
    let number = |part: &str| part.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let numbers: Option<Vec<f64>> = s.split(',').map(number).collect();
    let numbers = numbers.and_then(|numbers| <[f64; 4]>::try_from(numbers).ok());
    numbers.ok_or_else(|| "expected four finite numbers, as in 0.1,-0.2,0.3,0.4".to_owned())
}

pub fn rate(s: &str) -> Result<Rate, String> {
    let number = s.parse::<f64>().ok();
    let number = number.filter(|v| v.is_finite() && *v > 0.);
    number
        .map(Rate)
        .ok_or_else(|| "expected a finite number above 0".to_owned())
}

pub fn positive_count(s: &str) -> Result<usize, String> {
    within(s, 1, 1 << 48).map(|n| n as usize)
}

fn points(s: &str) -> Result<u32, String> {
    within(s, 2, u64::from(u32::MAX)).map(|n| n as u32)
}

fn draw(s: &str) -> Result<u32, String> {
    within(s, 1, u64::from(u32::MAX)).map(|n| n as u32)
}

fn within(s: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = s.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("expected a whole number from {least} to {most}"))
}

/// An error as one line: of clap's hints only what may have been meant, without the backtrace candle
/// appends.
pub fn one_line(message: &str) -> String {
    let hints = ["Usage:", "For more information", "tip: to pass"];
    let lines = message.lines().map(str::trim).filter(|l| !l.is_empty());
    let lines = lines.take_while(|l| !is_backtrace(l) && !hints.iter().any(|h| l.starts_with(h)));
    let line = lines.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// `   0: candle_core::...`
fn is_backtrace(line: &str) -> bool {
    let frame = line.split_once(": ");
    frame.is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn an_error_is_one_line_without_its_backtrace() {
        let candle = "cannot find tensor a\n   0: candle_core::error\n             at lib.rs:1\n";
        assert_eq!(one_line(candle), "cannot find tensor a");
        let clap = "error: invalid value 'x' for '--dtype <DTYPE>'\n  [possible values: f32, f64]\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(clap),
            "invalid value 'x' for '--dtype <DTYPE>' [possible values: f32, f64]"
        );
    }
}
