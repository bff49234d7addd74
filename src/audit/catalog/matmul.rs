//! Matrix products: plain, in batches, broadcast, quantized.

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Device, Module, Result, Tensor};

use crate::audit::case::{Case, v, w};

pub fn cases() -> Vec<Case> {
    let mut cases = products();
    cases.extend(quantized());
    cases
}

fn products() -> Vec<Case> {
    let matmul = |name: &str, l: &[usize], r: &[usize]| {
        Case::new("candle_core::Tensor::matmul", name)
            .arg("self", v(l))
            .arg("rhs", w(r))
            .run(|a| a[0].matmul(&a[1]))
            .torch("torch.matmul(self, rhs)")
    };
    let broadcast = |name: &str, l: &[usize], r: &[usize]| {
        Case::new("candle_core::Tensor::broadcast_matmul", name)
            .arg("self", v(l))
            .arg("rhs", w(r))
            .run(|a| a[0].broadcast_matmul(&a[1]))
            .torch("torch.matmul(self, rhs)")
    };
    let strided = Case::new(
        "candle_core::Tensor::matmul",
        "a transposed batch, rhs broadcast",
    )
    .arg("self", v(&[2, 3, 2]))
    .arg("rhs", w(&[3, 2]))
    .run(|a| a[0].transpose(1, 2)?.matmul(&a[1].broadcast_left(2)?))
    .twin("self copied", |a| {
        a[0].transpose(1, 2)?
            .contiguous()?
            .matmul(&a[1].broadcast_left(2)?)
    })
    .torch("torch.matmul(self.transpose(1, 2), rhs)")
    .plain();
    let wider = Case::new("candle_core::Tensor::matmul", "self broadcast")
        .arg("self", v(&[2, 3]))
        .arg("rhs", w(&[2, 3, 2]))
        .run(|a| a[0].broadcast_left(2)?.matmul(&a[1]))
        .twin("self copied", |a| {
            a[0].broadcast_left(2)?.contiguous()?.matmul(&a[1])
        })
        .torch("torch.matmul(self, rhs)")
        .plain();
    vec![
        strided,
        wider,
        matmul("matrices", &[2, 3], &[3, 4]),
        matmul("a row and a column", &[1, 3], &[3, 1]),
        matmul("a batch", &[2, 2, 3], &[2, 3, 2]),
        matmul("two batch dims", &[2, 2, 2, 3], &[2, 2, 3, 2]),
        matmul("an empty sum", &[2, 0], &[0, 3]),
        broadcast("a batch and a matrix", &[2, 2, 3], &[3, 2]),
        broadcast("a matrix and a batch", &[2, 3], &[2, 3, 2]),
        broadcast("both batches", &[2, 1, 2, 3], &[2, 3, 2]),
        broadcast("same batch", &[2, 2, 3], &[2, 3, 2]),
        Case::new("candle_core::Tensor::mv", "a matrix and a vector")
            .arg("self", v(&[2, 3]))
            .arg("rhs", w(&[3]))
            .run(|a| a[0].mv(&a[1]))
            .torch("torch.mv(self, rhs)"),
    ]
}

/// A weight of 2 rows of 32, which is one block of Q8_0.
fn weight(dtype: GgmlDType, device: &Device) -> Result<QTensor> {
    let dims = [2usize, 32];
    QTensor::quantize(&w(&dims).tensor(DType::F32, device)?, dtype)
}

/// The weight of the Q8_0 case, as its product sees it.
pub fn q8_weight(device: &Device) -> Result<Tensor> {
    weight(GgmlDType::Q8_0, device)?.dequantize(device)
}

const NO_Q: &str =
    "PyTorch has no such quantized product; its derivative is the dequantized weight";

fn quantized() -> Vec<Case> {
    let of = |path, name: &str| Case::new(path, name).only(&[DType::F32]).no_torch(NO_Q);
    let forward = |name: &str, dtype: GgmlDType, dims: &[usize]| {
        of("candle_core::quantized::QMatMul", name)
            .arg("xs", v(dims))
            .run(move |a| QMatMul::from_qtensor(weight(dtype, a[0].device())?)?.forward(&a[0]))
    };
    vec![
        forward("a Q8_0 weight", GgmlDType::Q8_0, &[1, 32])
            .rounds(|a| a[0].matmul(&q8_weight(a[0].device())?.t()?))
            .plain(),
        forward("an F32 weight", GgmlDType::F32, &[2, 32]),
        forward("an F32 weight, a batch", GgmlDType::F32, &[2, 1, 32]),
        of(
            "candle_core::quantized::QMatMul",
            "QMatMul::Tensor, the weight too",
        )
        .arg("xs", v(&[2, 4]))
        .arg("weight", w(&[3, 4]))
        .run(|a| QMatMul::Tensor(a[1].clone()).forward(&a[0]))
        .torch("F.linear(xs, weight)"),
        of(
            "candle_core::quantized::QMatMul::embedding",
            "QMatMul::Tensor, the weight",
        )
        .arg("weight", w(&[3, 4]))
        .arg("ids", crate::audit::case::ids(&[3], &[2, 0, 2]))
        .run(|a| QMatMul::Tensor(a[0].clone()).embedding(&a[1]))
        .torch("F.embedding(ids, weight)"),
        of(
            "candle_core::quantized::QMatMul::dequantize_f16",
            "QMatMul::Tensor, the weight",
        )
        .arg("weight", w(&[3, 4]))
        .run(|a| QMatMul::Tensor(a[0].clone()).dequantize_f16())
        .torch("weight.clone()")
        .plain(),
    ]
}
