//! Matrix products: plain, in batches, broadcast, quantized.

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Module, Result};

use crate::case::{Case, ids, v, w};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for (name, l, r) in [
        ("matrices", vec![2, 3], vec![3, 4]),
        ("a row and a column", vec![1, 3], vec![3, 1]),
        ("a batch", vec![2, 2, 3], vec![2, 3, 2]),
        ("two batch dims", vec![2, 2, 2, 3], vec![2, 2, 3, 2]),
        ("an empty sum", vec![2, 0], vec![0, 3]),
    ] {
        samples! { cases, "candle_core::Tensor::matmul"; name, ["self" v(&l), "rhs" w(&r)], |a| a[0].matmul(&a[1]); }
    }
    samples! { cases, "candle_core::Tensor::matmul";
        "a transposed batch, rhs broadcast", ["self" v(&[2, 3, 2]), "rhs" w(&[3, 2])],
            |a| a[0].transpose(1, 2)?.matmul(&a[1].broadcast_left(2)?),
            twin("self copied", |a| a[0].transpose(1, 2)?.contiguous()?.matmul(&a[1].broadcast_left(2)?)),
            plain(), fails("matmul-fold");
        "self broadcast", ["self" v(&[2, 3]), "rhs" w(&[2, 3, 2])], |a| a[0].broadcast_left(2)?.matmul(&a[1]),
            twin("self copied", |a| a[0].broadcast_left(2)?.contiguous()?.matmul(&a[1])), plain();
    }
    for (name, l, r) in [
        ("a batch and a matrix", vec![2, 2, 3], vec![3, 2]),
        ("a matrix and a batch", vec![2, 3], vec![2, 3, 2]),
        ("both batches", vec![2, 1, 2, 3], vec![2, 3, 2]),
        ("same batch", vec![2, 2, 3], vec![2, 3, 2]),
    ] {
        samples! { cases, "candle_core::Tensor::broadcast_matmul";
            name, ["self" v(&l), "rhs" w(&r)], |a| a[0].broadcast_matmul(&a[1]);
        }
    }
    samples! { cases, "candle_core::Tensor::mv";
        "a matrix and a vector", ["self" v(&[2, 3]), "rhs" w(&[3])], |a| a[0].mv(&a[1]);
    }
    quantized(&mut cases);
    cases
}

/// A weight of 2 rows of 32, which is one block of Q8_0.
fn weight(dtype: GgmlDType) -> Result<QTensor> {
    QTensor::quantize(&w(&[2, 32]).tensor(DType::F32)?, dtype)
}

fn quantized(cases: &mut Vec<Case>) {
    let forward = |name: &str, dtype: GgmlDType, dims: &[usize]| {
        let path = "candle_core::quantized::QMatMul";
        let case = case!(path, name, ["xs" v(dims)], |a| QMatMul::from_qtensor(weight(dtype)?)?.forward(&a[0]));
        case.only(&[DType::F32])
    };
    cases.push(
        forward("a Q8_0 weight", GgmlDType::Q8_0, &[1, 32])
            .plain()
            .fails("qmatmul"),
    );
    cases.push(forward("an F32 weight", GgmlDType::F32, &[2, 32]));
    cases.push(forward(
        "an F32 weight, a batch",
        GgmlDType::F32,
        &[2, 1, 32],
    ));
    let name = "QMatMul::Tensor, the weight";
    samples! { cases, "candle_core::quantized::QMatMul";
        "QMatMul::Tensor, the weight too", ["xs" v(&[2, 4]), "weight" w(&[3, 4])],
            |a| QMatMul::Tensor(a[1].clone()).forward(&a[0]), only(&[DType::F32]);
    }
    samples! { cases, "candle_core::quantized::QMatMul::embedding";
        name, ["weight" w(&[3, 4]), "ids" ids(&[3], &[2, 0, 2])],
            |a| QMatMul::Tensor(a[0].clone()).embedding(&a[1]), only(&[DType::F32]);
    }
    samples! { cases, "candle_core::quantized::QMatMul::dequantize_f16";
        name, ["weight" w(&[3, 4])], |a| QMatMul::Tensor(a[0].clone()).dequantize_f16(), only(&[DType::F32]), plain();
    }
}
