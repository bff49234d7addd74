//! What the lines of the defects share.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Result, Shape, Tensor};
use candle_nn::attention::{AttnMask, flash_attn};
use candle_nn::{BatchNorm, ops};

/// A constant in f32.
pub fn t(data: &[f32], dims: &[usize]) -> Result<Tensor> {
    Tensor::from_slice(data, dims, &Device::Cpu)
}

pub fn index(places: &[u32]) -> Result<Tensor> {
    Tensor::new(places, &Device::Cpu)
}

/// A row an index, with a 1 in its place of `places`.
pub fn one_hot(index: &Tensor, places: u32) -> Result<Tensor> {
    let all = Tensor::arange(0, places, &Device::Cpu)?.unsqueeze(0)?;
    index.unsqueeze(1)?.broadcast_eq(&all)?.to_dtype(DType::F32)
}

/// A function in f32, its value in x's type.
pub fn in_f32(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    f(&x.to_dtype(DType::F32)?)?.to_dtype(x.dtype())
}

/// log(1 + e^x) as max(x, 0) + log(1 + e^-|x|).
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + x.abs()?.neg()?.exp()?.affine(1., 1.)?.log()?
}

/// candle's attention on the CPU, the keys as values; batch, time, heads, width.
pub fn flash(q: &Tensor, k: &Tensor) -> Result<Tensor> {
    flash_attn::<f32>(q, k, k, 0.5, AttnMask::None, None, None)
}

/// The same from differentiable pieces.
pub fn by_hand(q: &Tensor, k: &Tensor) -> Result<Tensor> {
    let heads_first = |t: &Tensor| t.transpose(1, 2)?.contiguous();
    let (q, k) = (heads_first(q)?, heads_first(k)?);
    ops::softmax(&(q.matmul(&k.t()?)? * 0.5)?, D::Minus1)?.matmul(&k)
}

/// A row of 32 ones.
pub fn quantized() -> Result<QTensor> {
    QTensor::quantize(&t(&[1.; 32], &[1, 32])?, GgmlDType::Q8_0)
}

/// Of one channel.
pub fn batch_norm() -> Result<BatchNorm> {
    let (zero, one) = (t(&[0.], &[1])?, t(&[1.], &[1])?);
    BatchNorm::new(1, zero.clone(), one.clone(), one, zero, 1e-5)
}

/// A step function; its `bwd` returns zeros or `None`.
pub struct Floor {
    pub zeros: bool,
}

impl CustomOp1 for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let floor = storage.as_slice::<f32>()?.iter().map(|x| x.floor());
        Ok((CpuStorage::F32(floor.collect()), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        if self.zeros {
            x.zeros_like().map(Some)
        } else {
            Ok(None)
        }
    }
}
