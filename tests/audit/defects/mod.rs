//! What is wrong in candle-core and candle-nn 0.11.1. A defect is a test: it shows what candle does, what
//! PyTorch does, and that what is to be written instead is right; it fails on the day candle is repaired.

// The page shows what stands after `candle: |x|`.
#![allow(clippy::redundant_closure)]

mod conventions;
mod helpers;
mod loud;
mod magnitudes;
mod precision;
mod silent_stop;
mod silent_wrong;

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::catalog::ALL;
use crate::{range, sources};
use helpers::*;

/// One defect, or a convention.
#[derive(Clone, Copy)]
pub struct Defect {
    /// The word by which samples name it.
    pub name: &'static str,
    /// What is wrong, as the name of its test.
    pub test: &'static str,
    pub kind: Kind,
    /// The verdicts of the samples that name it.
    pub shows: &'static [&'static str],
    pub what: &'static str,
    pub when: &'static str,
    /// The magnitudes from which on it happens, and those below which it does; the range finds them again.
    pub from: &'static [(DType, f64)],
    pub below: &'static [(DType, f64)],
    /// The input.
    pub x: Input,
    /// What is compared: y, or the gradient of the sum of y with respect to x.
    pub of: Of,
    /// The lines that show it, from x to y.
    pub candle: Lines,
    /// What candle has there.
    pub is: Is,
    /// y in PyTorch, from x.
    pub torch: &'static str,
    /// What PyTorch has there: scripts/audit_pytorch.py computes it.
    pub should_be: &'static [f64],
    /// How far from that is right.
    pub within: f64,
    /// What PyTorch does there, where that is not simply right.
    pub pytorch: &'static str,
    /// What to use instead, in words, and the same from x to y.
    pub instead: &'static str,
    pub right: Lines,
    /// A line of candle, and what stands there.
    pub cause: (&'static str, &'static str),
    /// The issue or pull request, if one was found.
    pub upstream: &'static str,
    /// Its row in the READMEs' tables, English and Korean, if it has one: function | what | when | instead.
    pub readme: [&'static str; 2],
}

pub type Lines = fn(&Tensor) -> Result<Tensor>;

pub const DEFECT: Defect = Defect {
    name: "",
    test: "",
    kind: Kind::Loud,
    shows: &[],
    what: "",
    when: "",
    from: &[],
    below: &[],
    x: f32(&[], &[]),
    of: Of::Value,
    candle: |x| Ok(x.clone()),
    is: Is::NoGradient,
    torch: "",
    should_be: &[],
    within: 1e-4,
    pytorch: "",
    instead: "",
    right: |x| Ok(x.clone()),
    cause: ("", ""),
    upstream: "",
    readme: ["", ""],
};

/// What a defect does to a training run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes on, with wrong numbers.
    SilentWrong,
    /// It goes on, and what lies behind does not learn.
    SilentStop,
    /// An error or a panic.
    Loud,
    /// The numbers are right to fewer digits than the type has.
    Precision,
    /// The function has no derivative there, or PyTorch does the same: no defect.
    Convention,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Value,
    Gradient,
}

/// What candle has. An error is named by a part of its message.
#[derive(Clone, Copy)]
pub enum Is {
    Numbers(&'static [f64]),
    NoGradient,
    Error(&'static str),
    Panic,
}

/// All, in the order of the page.
pub fn all() -> Vec<&'static Defect> {
    let files = [
        silent_wrong::ALL,
        silent_stop::ALL,
        loud::ALL,
        precision::ALL,
        magnitudes::ALL,
        conventions::ALL,
    ];
    files.into_iter().flatten().collect()
}

/// The defect of a name; what follows a colon is no part of it.
pub fn named(mark: &str) -> Option<&'static Defect> {
    let name = mark.split(':').next().unwrap_or_default();
    all().into_iter().find(|defect| defect.name == name)
}

/// What a run of some lines gave.
#[derive(Clone, Debug)]
pub enum Found {
    Numbers(Vec<f64>),
    NoGradient,
    Error(String),
    Panic,
}

impl Defect {
    /// Fails where candle no longer does this, where the page's other way is not right, or where the line
    /// that causes it does not stand where it is said to.
    pub fn check(&self) -> std::result::Result<(), String> {
        let found = self.run(self.candle);
        if self.kind != Kind::Convention && self.is_right(&found) {
            return Err(format!(
                "candle is repaired: delete the entry {:?} and the samples' mark of it",
                self.name
            ));
        }
        if !self.is_as_recorded(&found) {
            return Err(format!(
                "candle now has {found:?}: {} should say so",
                self.name
            ));
        }
        let instead = self.run(self.right);
        if !self.instead.is_empty() && !self.is_right(&instead) {
            return Err(format!(
                "what is to be used instead gives {instead:?}, not {:?}",
                self.should_be
            ));
        }
        sources::stands(self.cause.0, self.cause.1)
    }

    /// As PyTorch has it.
    fn is_right(&self, found: &Found) -> bool {
        match found {
            Found::Numbers(found) => close(found, self.should_be, self.within),
            // No gradient is a gradient of zero.
            Found::NoGradient => self.should_be.iter().all(|x| x.abs() <= self.within),
            _ => false,
        }
    }

    fn is_as_recorded(&self, found: &Found) -> bool {
        match (self.is, found) {
            (Is::Numbers(is), Found::Numbers(found)) => close(found, is, self.within),
            (Is::NoGradient, Found::NoGradient) | (Is::Panic, Found::Panic) => true,
            (Is::Error(part), Found::Error(message)) => message.contains(part),
            _ => false,
        }
    }

    /// What is compared, of some lines.
    pub fn run(&self, lines: Lines) -> Found {
        let run = || -> Result<Found> {
            let x = Var::from_tensor(&self.x.tensor()?)?;
            let y = lines(x.as_tensor())?;
            match self.of {
                Of::Value => Ok(Found::Numbers(flat(&y)?)),
                Of::Gradient => match y.sum_all()?.backward()?.get(&x) {
                    Some(gradient) => Ok(Found::Numbers(flat(gradient)?)),
                    None => Ok(Found::NoGradient),
                },
            }
        };
        match std::panic::catch_unwind(run) {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => Found::Error(
                error
                    .to_string()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            ),
            Err(_) => Found::Panic,
        }
    }

    /// The paths of the functions whose samples or whose range name it, each once.
    pub fn functions(&self) -> Vec<&'static str> {
        let is_mine = |mark: &&str| mark.split(':').next() == Some(self.name);
        let samples = ALL
            .iter()
            .filter(|case| case.fails.iter().any(|m| is_mine(m)))
            .map(|case| case.path);
        let swept = range::SWEPT
            .iter()
            .filter(|s| s.fails.iter().any(|m| is_mine(m)))
            .map(|s| s.path);
        let mut paths = vec![];
        for path in samples.chain(swept) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }
}

fn close(found: &[f64], expected: &[f64], within: f64) -> bool {
    let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= within;
    found.len() == expected.len() && found.iter().zip(expected).all(same)
}

/// The elements in row-major order, as f64.
pub fn flat(t: &Tensor) -> Result<Vec<f64>> {
    t.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// Values in a shape, in a type.
#[derive(Clone, Copy)]
pub struct Input {
    pub data: &'static [f64],
    pub dims: &'static [usize],
    pub dtype: DType,
}

impl Input {
    fn tensor(&self) -> Result<Tensor> {
        Tensor::from_slice(self.data, self.dims, &Device::Cpu)?.to_dtype(self.dtype)
    }
}

const fn f64(data: &'static [f64], dims: &'static [usize]) -> Input {
    Input {
        data,
        dims,
        dtype: DType::F64,
    }
}

const fn f32(data: &'static [f64], dims: &'static [usize]) -> Input {
    Input {
        data,
        dims,
        dtype: DType::F32,
    }
}

const fn f16(data: &'static [f64], dims: &'static [usize]) -> Input {
    Input {
        data,
        dims,
        dtype: DType::F16,
    }
}

const fn bf16(data: &'static [f64], dims: &'static [usize]) -> Input {
    Input {
        data,
        dims,
        dtype: DType::BF16,
    }
}
