//! `--save` and `--resume`: the weights and the number of epochs behind them, as safetensors.

use super::super::{args::Start, files};
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor, safetensors};
use candle_sine::sine::Weights;
use std::collections::HashMap;
use std::path::Path;

/// Rank-0 tensors `a`, `b`, `c`, `d` of the run's dtype, and `epoch`, an `i64`.
pub fn save(path: &Path, weights: &Weights, epochs: usize) -> Result<()> {
    let flag = || format!("--save {}", path.display());
    let epoch = Tensor::new(epochs as i64, &Device::Cpu)?;
    let tensors = [&weights.a, &weights.b, &weights.c, &weights.d, &epoch];
    let names = Weights::NAMES.into_iter().chain(["epoch"]);
    let tensors = names.zip(tensors.into_iter().cloned());
    let scratch = tempfile::NamedTempFile::new().with_context(flag)?;
    safetensors::save(&HashMap::from_iter(tensors), scratch.path())?;
    files::write(path, &std::fs::read(scratch.path())?).with_context(flag)
}

/// The weights, and the number of the epoch that comes next.
pub fn load(path: &Path, dtype: DType) -> Result<(Start, usize)> {
    read(path, dtype).with_context(|| format!("--resume {}", path.display()))
}

fn read(path: &Path, dtype: DType) -> Result<(Start, usize)> {
    let bytes = std::fs::read(path).context("cannot read it")?;
    let tensors = safetensors::load_buffer(&bytes, &Device::Cpu);
    let tensors = tensors.context("not a whole safetensors file")?;
    let scalar = |name: &str| match tensors.get(name) {
        Some(t) if t.rank() == 0 => Ok(t),
        _ => bail!("no rank-0 tensor {name:?}: not a file that --save has written"),
    };
    let mut init = [0f64; 4];
    for (value, name) in init.iter_mut().zip(Weights::NAMES) {
        let tensor = scalar(name)?;
        if tensor.dtype() != dtype {
            let (theirs, ours) = (tensor.dtype().as_str(), dtype.as_str());
            bail!("its weights are {theirs}, the run is {ours}: add --dtype {theirs}");
        }
        *value = tensor.to_dtype(DType::F64)?.to_scalar()?;
    }
    if !init.iter().all(|v| v.is_finite()) {
        bail!("its weights are not finite");
    }
    let epoch = scalar("epoch")?;
    let epoch = if epoch.dtype() == DType::I64 {
        epoch.to_scalar::<i64>()?
    } else {
        -1
    };
    let next = usize::try_from(epoch)
        .ok()
        .filter(|&epochs| epochs < 1 << 48);
    let next = next.context("its epoch is not a count: not a file that --save has written")? + 1;
    let (seed, draw) = (None, None);
    Ok((Start { init, seed, draw }, next))
}
