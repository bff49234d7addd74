//! `--save` and `--resume`: the weights and the number of epochs behind them, as safetensors.

use super::super::{args::Start, pipe, print::shown};
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_sine::sine::Weights;
use std::path::Path;

/// Larger than any file that [`save`] writes.
const MOST_BYTES: u64 = 1 << 16;

/// The epochs behind the weights, at most.
pub const MOST_EPOCHS: usize = 1 << 48;

/// The bytes of rank-0 tensors `a`, `b`, `c`, `d` of the run's dtype, and `epoch`, an `i64`.
pub fn bytes(weights: &Weights, epochs: usize) -> Result<Vec<u8>> {
    let epoch = Tensor::new(epochs as i64, &Device::Cpu)?;
    let tensors = [&weights.a, &weights.b, &weights.c, &weights.d, &epoch];
    let names = Weights::NAMES.into_iter().chain(["epoch"]);
    Ok(safetensors::serialize(names.zip(tensors), None)?)
}

/// The weights, and the number of the epoch that comes next.
pub fn load(path: &Path, dtype: DType) -> Result<(Start, usize)> {
    read(path, dtype).with_context(|| format!("--resume {}", shown(path)))
}

fn read(path: &Path, dtype: DType) -> Result<(Start, usize)> {
    let bytes = pipe::read(path, MOST_BYTES + 1).context("cannot read it")?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("too large for a file that --save has written");
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
    let tensors = tensors.context("not a whole safetensors file")?;
    let scalar = |name: &str| match tensors.get(name) {
        Some(t) if t.rank() == 0 => Ok(t),
        _ => bail!("no rank-0 tensor {name:?}: not a file that --save has written"),
    };
    let mut init = [0f64; 4];
    for (value, name) in init.iter_mut().zip(Weights::NAMES) {
        *value = weight(scalar(name)?, dtype)?;
    }
    let epoch = scalar("epoch")?;
    let epoch = match epoch.dtype() {
        DType::I64 => epoch.to_scalar::<i64>()?,
        _ => -1,
    };
    let next = usize::try_from(epoch)
        .ok()
        .filter(|&epochs| epochs <= MOST_EPOCHS);
    let next = next.context("its epoch is not a count: not a file that --save has written")? + 1;
    let (seed, draw) = (None, None);
    Ok((Start { init, seed, draw }, next))
}

fn weight(tensor: &Tensor, dtype: DType) -> Result<f64> {
    if tensor.dtype() != dtype {
        let (theirs, ours) = (tensor.dtype().as_str(), dtype.as_str());
        match tensor.dtype() {
            DType::F32 | DType::F64 => {
                bail!("its weights are {theirs}, the run is {ours}: use --dtype {theirs}")
            }
            _ => bail!("its weights are {theirs}: not a file that --save has written"),
        }
    }
    let value: f64 = tensor.to_dtype(DType::F64)?.to_scalar()?;
    match value.is_finite() {
        true => Ok(value),
        false => bail!("its weights are not finite"),
    }
}
