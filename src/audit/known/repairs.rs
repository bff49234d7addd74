//! What to write instead, as code that the audit runs; the record names it.

use candle_core::{D, DType, Result, Tensor};

use super::range_repairs::{
    batch_norm_shifted, elu_in_f32, gelu_erf_in_f32, gelu_in_f32, hard_sigmoid_in_f32,
    hard_swish_in_f32, in_f32, mean_in_f32, mish_in_f32, norm_scaled, pow_in_f32, root_in_f32,
    selu_in_f64, sigmoid_in_f32, silu_in_f32, sqrt_in_f32, to_the_minus_1, var_in_f32,
};
use crate::audit::catalog::{biased_attention, stable_bce};

/// The call, on the inputs of the case that the record names.
pub type Repair = fn(&[Tensor]) -> Result<Tensor>;

/// Name and call of one function, so that they cannot disagree.
macro_rules! named {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}

/// Every repair by its name.
pub const REPAIRS: &[(&str, Repair)] = named![
    attention,
    avg_pool,
    batch_norm_shifted,
    bce,
    biased_attention,
    bilinear,
    conv1d,
    conv2d_cut,
    conv2d_in_f32,
    conv_transpose1d,
    conv_transpose2d_cut,
    dequantized,
    divided_in_f32,
    elu_in_f32,
    gathered,
    gelu,
    gelu_erf,
    gelu_erf_in_f32,
    gelu_in_f32,
    hard_sigmoid_in_f32,
    hard_swish_in_f32,
    kept_by_cat,
    kept_interleaved,
    layer_norm,
    linear_of_a_copy,
    max_pool,
    max_pool_overlapping,
    mean_in_f32,
    mish,
    mish_in_f32,
    norm_above_zero,
    norm_scaled,
    ones,
    packed_attention,
    pow_in_f32,
    resized,
    resized_unequally,
    rms_norm,
    root_in_f32,
    rope,
    row_by_cat,
    scatter_added,
    scattered,
    selu,
    selu_in_f64,
    sigmoid_in_f32,
    silu_in_f32,
    softmax,
    sqrt_in_f32,
    squared,
    to_the_minus_1,
    unfolded,
    upsampled_from_a_fresh_node,
    var_in_f32,
    zeros_returned,
];

/// Windows of 2 beside each other: (n, c, h/2, 2, w/2, 2).
fn blocks(x: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    x.reshape((n, c, h / 2, 2, w / 2, 2))
}

fn max_pool(a: &[Tensor]) -> Result<Tensor> {
    blocks(&a[0])?.max(5)?.max(3)
}

fn avg_pool(a: &[Tensor]) -> Result<Tensor> {
    a[0].narrow(2, 0, 4)?
        .narrow(3, 0, 4)?
        .contiguous()?
        .avg_pool2d(2)
}

/// Rows or columns `start, start + step, ...` of a dim.
fn every(x: &Tensor, dim: usize, start: usize, step: usize, count: usize) -> Result<Tensor> {
    let places: Vec<u32> = (0..count).map(|i| (start + i * step) as u32).collect();
    x.index_select(&Tensor::new(places, x.device())?, dim)
}

fn max_pool_overlapping(a: &[Tensor]) -> Result<Tensor> {
    let (_, _, h, w) = a[0].dims4()?;
    let (rows, columns) = ((h - 3) / 2 + 1, (w - 3) / 2 + 1);
    let mut shifted = Vec::new();
    for m in 0..3 {
        for n in 0..3 {
            shifted.push(every(&every(&a[0], 2, m, 2, rows)?, 3, n, 2, columns)?);
        }
    }
    Tensor::stack(&shifted, 0)?.max(0)
}

fn resized(a: &[Tensor]) -> Result<Tensor> {
    // 4 to 6: output i takes input floor(i 4/6).
    let places = Tensor::new(&[0u32, 0, 1, 2, 2, 3], a[0].device())?;
    a[0].index_select(&places, 2)
}

fn resized_unequally(a: &[Tensor]) -> Result<Tensor> {
    // 2x3 to 4x3.
    let rows = Tensor::new(&[0u32, 0, 1, 1], a[0].device())?;
    a[0].index_select(&rows, 2)
}

fn upsampled_from_a_fresh_node(a: &[Tensor]) -> Result<Tensor> {
    a[0].affine(1., 0.)?.upsample_nearest2d(4, 6)
}

/// The op is linear: its matrix, from the op itself on the unit images, times the image.
fn bilinear(a: &[Tensor]) -> Result<Tensor> {
    let (n, c, h, w) = a[0].dims4()?;
    let units = Tensor::eye(h * w, a[0].dtype(), a[0].device())?.reshape((h * w, 1, h, w))?;
    let matrix = units
        .upsample_bilinear2d(4, 5, false)?
        .reshape((h * w, 20))?;
    a[0].reshape((n * c, h * w))?
        .matmul(&matrix)?
        .reshape((n, c, 4, 5))
}

/// As a 2D convolution over a width of 1: padded by hand, cut to what the windows reach.
fn conv1d(a: &[Tensor]) -> Result<Tensor> {
    // Length 5, padding 1, kernel 2, stride 2: three windows reach 6 of 7.
    let x = a[0]
        .pad_with_zeros(2, 1, 1)?
        .narrow(2, 0, 6)?
        .unsqueeze(3)?;
    x.conv2d(&a[1].unsqueeze(3)?, 0, 2, 1, 1)?.squeeze(3)
}

/// Padded by hand, and cut to the part the windows reach, so that nothing is left over.
fn conv2d_cut(a: &[Tensor]) -> Result<Tensor> {
    // 5x5, kernel 3x2, stride 2: the windows reach 5x4.
    a[0].narrow(3, 0, 4)?
        .contiguous()?
        .conv2d(&a[1], 0, 2, 1, 1)
}

fn conv2d_in_f32(a: &[Tensor]) -> Result<Tensor> {
    let (x, k) = (wide(&a[0])?, wide(&a[1])?);
    x.conv2d(&k, 1, 1, 1, 1)?.to_dtype(a[0].dtype())
}

/// As a 2D transpose over a width of 1, the padding cut off afterwards.
fn conv_transpose1d(a: &[Tensor]) -> Result<Tensor> {
    let full = a[0]
        .unsqueeze(3)?
        .conv_transpose2d(&a[1].unsqueeze(3)?, 0, 0, 1, 1)?
        .squeeze(3)?;
    full.narrow(2, 1, full.dim(2)? - 2)
}

fn linear_of_a_copy(a: &[Tensor]) -> Result<Tensor> {
    a[0].transpose(1, 2)?
        .contiguous()?
        .broadcast_matmul(&a[1].t()?)
}

fn gathered(a: &[Tensor]) -> Result<Tensor> {
    a[0].narrow(0, 0, 2)?.contiguous()?.gather(&a[1], 1)
}

/// (rows, written, places): 1 where a source element is written.
fn one_hot(indexes: &Tensor, places: usize, dtype: DType) -> Result<Tensor> {
    let all = Tensor::arange(0u32, places as u32, indexes.device())?.reshape((1, 1, places))?;
    indexes.unsqueeze(2)?.broadcast_eq(&all)?.to_dtype(dtype)
}

/// Along dim 1: what is written to each place, zero elsewhere.
fn written(a: &[Tensor]) -> Result<(Tensor, Tensor)> {
    let hot = one_hot(&a[1], a[0].dim(1)?, a[0].dtype())?;
    let sum = a[2].unsqueeze(1)?.contiguous()?.matmul(&hot)?.squeeze(1)?;
    Ok((hot, sum))
}

fn scattered(a: &[Tensor]) -> Result<Tensor> {
    let (hot, sum) = written(a)?;
    (&a[0] * hot.sum(1)?.affine(-1., 1.)?)? + sum
}

fn scatter_added(a: &[Tensor]) -> Result<Tensor> {
    &a[0] + written(a)?.1
}

fn unfolded(a: &[Tensor]) -> Result<Tensor> {
    // dim 1 of [3, 4], size 2, step 1.
    let columns = Tensor::new(&[0u32, 1, 1, 2, 2, 3], a[0].device())?;
    a[0].index_select(&columns, 1)?.reshape((3, 3, 2))
}

fn gelu(a: &[Tensor]) -> Result<Tensor> {
    let x = &a[0];
    let inner = ((x * x.sqr()?.affine(0.044715, 1.)?)? * (2. / std::f64::consts::PI).sqrt())?;
    (x * 0.5)? * inner.tanh()?.affine(1., 1.)?
}

fn gelu_erf(a: &[Tensor]) -> Result<Tensor> {
    let x = &a[0];
    (x * 0.5)? * (x / std::f64::consts::SQRT_2)?.erf()?.affine(1., 1.)?
}

fn ones(a: &[Tensor]) -> Result<Tensor> {
    a[0].ones_like()
}

fn norm_above_zero(a: &[Tensor]) -> Result<Tensor> {
    // 1e-30 is far below the square of anything a model holds, and keeps the root off 0.
    a[0].sqr()?.sum_all()?.affine(1., 1e-30)?.sqrt()
}

fn squared(a: &[Tensor]) -> Result<Tensor> {
    a[0].powf(2.)
}

/// At least f32.
fn wide(t: &Tensor) -> Result<Tensor> {
    match t.dtype() {
        DType::F64 => Ok(t.clone()),
        _ => t.to_dtype(DType::F32),
    }
}

fn divided_in_f32(a: &[Tensor]) -> Result<Tensor> {
    let (x, y) = (wide(&a[0])?, wide(&a[1])?);
    (x / y)?.to_dtype(a[0].dtype())
}

/// log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)).
fn mish(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| {
        let x = &a[0];
        let softplus = (x.relu()? + x.abs()?.neg()?.exp()?.affine(1., 1.)?.log()?)?;
        x * softplus.tanh()?
    })
}

fn selu(a: &[Tensor]) -> Result<Tensor> {
    a[0].elu(1.625)? * 1.0625
}

fn bce(a: &[Tensor]) -> Result<Tensor> {
    in_f32(a, |a| stable_bce(&a[0], &a[1]))
}

fn softmax(a: &[Tensor]) -> Result<Tensor> {
    candle_nn::ops::softmax(&a[0], D::Minus1)
}

fn rms_norm(a: &[Tensor]) -> Result<Tensor> {
    candle_nn::ops::rms_norm_slow(&a[0], &a[1], 1. / 1024.)
}

fn layer_norm(a: &[Tensor]) -> Result<Tensor> {
    candle_nn::ops::layer_norm_slow(&a[0], &a[1], &a[2], 1. / 1024.)
}

fn rope(a: &[Tensor]) -> Result<Tensor> {
    candle_nn::rotary_emb::rope_slow(&a[0], &a[1], &a[2])
}

/// Attention from differentiable pieces; q, k, v as (batch, time, heads, width).
fn attention(a: &[Tensor]) -> Result<Tensor> {
    let heads_first = |t: &Tensor| t.transpose(1, 2)?.contiguous();
    let (q, k, v) = (
        heads_first(&a[0])?,
        heads_first(&a[1])?,
        heads_first(&a[2])?,
    );
    let scores = (q.matmul(&k.t()?)? * 0.5)?;
    candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&v)
}

/// Each sequence of the packed ones by itself.
fn packed_attention(a: &[Tensor]) -> Result<Tensor> {
    let one = |from: usize, len: usize| -> Result<Tensor> {
        let part = |t: &Tensor| t.narrow(0, from, len)?.unsqueeze(0);
        let parts = [part(&a[0])?, part(&a[1])?, part(&a[2])?];
        attention(&parts)?.transpose(1, 2)?.squeeze(0)
    };
    Tensor::cat(&[one(0, 1)?, one(1, 2)?], 0)
}

/// Padding 1 and output padding 1: cut on the near side alone.
fn conv_transpose2d_cut(a: &[Tensor]) -> Result<Tensor> {
    let whole = a[0].conv_transpose2d(&a[1], 0, 0, 1, 2)?;
    let (_, _, h, w) = whole.dims4()?;
    whole.narrow(2, 1, h - 1)?.narrow(3, 1, w - 1)
}

/// The second of three rows is another.
fn row_by_cat(a: &[Tensor]) -> Result<Tensor> {
    let row = |i| a[0].narrow(0, i, 1);
    Tensor::cat(&[&row(0)?, &a[1], &row(2)?], 0)
}

fn kept_by_cat(a: &[Tensor]) -> Result<Tensor> {
    Tensor::stack(&[&a[0], &a[1]], 0)
}

fn kept_interleaved(a: &[Tensor]) -> Result<Tensor> {
    let seq = |t: &Tensor| t.squeeze(0)?.transpose(0, 1)?.contiguous();
    Tensor::cat(&[seq(&a[0])?, seq(&a[1])?], 2)
}

fn dequantized(a: &[Tensor]) -> Result<Tensor> {
    let weight = crate::audit::catalog::q8_weight(a[0].device())?;
    a[0].matmul(&weight.t()?)
}

fn zeros_returned(a: &[Tensor]) -> Result<Tensor> {
    crate::audit::catalog::steps(&a[0], true)
}
