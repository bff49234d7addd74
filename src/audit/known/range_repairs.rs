//! What to write instead where a function fails in a part of the range, as code that the audit takes
//! through the range.

use candle_core::{D, DType, Module, Result, Tensor};
use candle_nn::{Activation, BatchNorm, ops};

/// A call in f32 where the input is narrower, and back.
pub fn in_f32(a: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) -> Result<Tensor> {
    let widen = |t: &Tensor| match t.dtype() {
        DType::BF16 | DType::F16 => t.to_dtype(DType::F32),
        _ => Ok(t.clone()),
    };
    let wide: Vec<Tensor> = a.iter().map(widen).collect::<Result<_>>()?;
    f(&wide)?.to_dtype(a[0].dtype())
}

pub fn silu_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| &a[0] * ops::sigmoid(&a[0])?)
}

pub fn sigmoid_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| ops::sigmoid(&a[0]))
}

pub fn hard_swish_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| Activation::HardSwish.forward(&a[0]))
}

pub fn hard_sigmoid_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| ops::hard_sigmoid(&a[0]))
}

pub fn gelu_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| a[0].gelu())
}

pub fn gelu_erf_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| a[0].gelu_erf())
}

pub fn elu_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| a[0].elu(1.))
}

pub fn mish_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| ops::mish(&a[0]))
}

pub fn sqrt_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| a[0].sqrt())
}

pub fn root_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| a[0].powf(0.5))
}

pub fn pow_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| a[0].pow(&a[1]))
}

pub fn mean_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| a[0].mean(D::Minus1))
}

pub fn var_in_f32(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| a[0].var(D::Minus1))
}

pub fn to_the_minus_1(a: &[Tensor]) -> Result<Tensor> {
    a[0].powf(-1.)
}

/// The largest element taken out of the square root.
pub fn norm_scaled(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| {
        let largest = a[0].abs()?.max_all()?.detach();
        a[0].broadcast_div(&largest)?.norm()? * largest
    })
}

pub fn selu_in_f64(a: &[Tensor]) -> Result<Tensor> {
    let wide = a[0].to_dtype(DType::F64)?.elu(1.625)?;
    (wide * 1.0625)?.to_dtype(a[0].dtype())
}

/// A layer of three channels; what is taken off leaves its values as they are.
pub fn batch_norm_shifted(a: &[Tensor]) -> Result<Tensor> {
    let first = a[0].flatten_all()?.narrow(0, 0, 1)?.detach();
    let x = a[0].broadcast_sub(&first)?;
    let (mean, var) = (a[1].zeros_like()?, a[1].ones_like()?);
    BatchNorm::new(3, mean, var, a[1].clone(), a[2].clone(), 1. / 1024.)?.forward_train(&x)
}
