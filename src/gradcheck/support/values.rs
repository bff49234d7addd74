//! Tensors as numbers and back, and the precision of a dtype.

use candle_core::{DType, Device, Result, Tensor, bail};

/// u = 2^-p, p the bits of the significand, the hidden one included.
pub(crate) fn unit_roundoff(dtype: DType) -> f64 {
    let bits = match dtype {
        DType::F64 => 53,
        DType::F32 => 24,
        DType::F16 => 11,
        DType::BF16 => 8,
        DType::F8E4M3 => 4,
        _ => 3,
    };
    2f64.powi(-bits)
}

/// All elements in order.
pub(crate) fn to_f64(t: &Tensor) -> Result<Vec<f64>> {
    t.detach().to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// A tensor of these values.
pub(crate) fn tensor(
    values: &[f64],
    dims: &[usize],
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    if dtype == DType::F64 {
        return Tensor::from_slice(values, dims, device);
    }
    Tensor::from_slice(values, dims, &Device::Cpu)?
        .to_dtype(dtype)?
        .to_device(device)
}

/// x as the dtype holds it.
pub(crate) fn round_to(dtype: DType, x: f64) -> Result<f64> {
    match dtype {
        DType::F64 => Ok(x),
        DType::F32 => Ok(f64::from(x as f32)),
        _ => Tensor::new(x, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_dtype(DType::F64)?
            .to_scalar(),
    }
}

/// An error if f changed its output's shape.
pub(crate) fn same_shape(dims: &[usize], y: &Tensor) -> Result<()> {
    if y.dims() != dims {
        bail!(
            "gradcheck: f returned shape {dims:?} at first and {:?} on a later call",
            y.dims()
        )
    }
    Ok(())
}

/// The index of an element, from its place in row-major order.
pub(crate) fn unravel(mut flat: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (place, dim) in index.iter_mut().zip(dims).rev() {
        *place = flat % dim;
        flat /= dim;
    }
    index
}

/// 1 at element i, 0 elsewhere.
pub(crate) fn unit_vector(n: usize, i: usize) -> Vec<f64> {
    let mut v = vec![0.; n];
    v[i] = 1.;
    v
}

/// The largest finite magnitude.
pub(crate) fn largest<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    let finite = values.into_iter().filter(|v| v.is_finite());
    finite.fold(0f64, |m, v| m.max(v.abs()))
}

/// A gradient that is missing is zero.
pub(crate) fn or_zeros(gradient: Option<Vec<f64>>, n: usize) -> Vec<f64> {
    gradient.unwrap_or_else(|| vec![0.; n])
}

/// Σ aᵢbᵢ with the rounding of each addition carried along (Neumaier 1974), so that the sum adds no
/// error of its own to vᵀf.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (mut sum, mut carry) = (0f64, 0f64);
    for (a, b) in a.iter().zip(b) {
        let term = a * b;
        let next = sum + term;
        carry += if sum.abs() >= term.abs() {
            (sum - next) + term
        } else {
            (term - next) + sum
        };
        sum = next;
    }
    sum + carry
}

/// The first line of an error: candle appends a backtrace when RUST_BACKTRACE is set.
pub(crate) fn first_line(error: &candle_core::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_string()
}

/// |a - n| / max(|a|, |n|), or 0 where the two are equal.
pub(crate) fn rel_err(a: f64, n: f64) -> f64 {
    if a == n {
        0.
    } else {
        (a - n).abs() / a.abs().max(n.abs())
    }
}
