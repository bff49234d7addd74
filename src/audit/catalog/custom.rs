//! The hooks for a user's own op, with an op whose backward is right.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor,
};
use std::sync::Arc;

use crate::audit::case::{Case, u, v, w};

/// x².
struct Square;

/// floor(x), whose derivative is zero: backward says so with zeros, or with `None`.
struct Steps {
    zeros: bool,
}

/// floor(x) of a tensor that is itself computed, as a custom op.
pub fn steps(x: &Tensor, zeros: bool) -> Result<Tensor> {
    x.affine(1., 0.)?.apply_op1(Steps { zeros })
}

fn slice<'a>(s: &'a CpuStorage, l: &Layout) -> Result<&'a [f64]> {
    match l.contiguous_offsets() {
        Some((from, to)) => Ok(&s.as_slice::<f64>()?[from..to]),
        None => candle_core::bail!("the example takes contiguous tensors"),
    }
}

impl CustomOp1 for Square {
    fn name(&self) -> &'static str {
        "square"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = slice(s, l)?.iter().map(|x| x * x).collect();
        Ok((CpuStorage::F64(y), l.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (x * grad)?.affine(2., 0.).map(Some)
    }
}

impl CustomOp1 for Steps {
    fn name(&self) -> &'static str {
        "steps"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = slice(s, l)?.iter().map(|x| x.floor()).collect();
        Ok((CpuStorage::F64(y), l.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        if self.zeros {
            x.zeros_like().map(Some)
        } else {
            Ok(None)
        }
    }
}

/// x y.
struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, y) = (slice(s1, l1)?, slice(s2, l2)?);
        let xy = x.iter().zip(y).map(|(x, y)| x * y).collect();
        Ok((CpuStorage::F64(xy), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        y: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some((grad * y)?), Some((grad * x)?)))
    }
}

/// x y + z.
struct MulAdd;

impl CustomOp3 for MulAdd {
    fn name(&self) -> &'static str {
        "mul-add"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, y, z) = (slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        let sum = x
            .iter()
            .zip(y)
            .zip(z)
            .map(|((x, y), z)| x * y + z)
            .collect();
        Ok((CpuStorage::F64(sum), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        y: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok((Some((grad * y)?), Some((grad * x)?), Some(grad.clone())))
    }
}

pub fn cases() -> Vec<Case> {
    let of = |path, name: &str, torch: &str| {
        let case = Case::new(path, name)
            .only(&[DType::F64])
            .torch(torch)
            .arg("self", v(&[2, 3]));
        match torch {
            "self * self" => case,
            "self * t2" => case.arg("t2", w(&[2, 3])),
            _ => case.arg("t2", w(&[2, 3])).arg("t3", u(&[2, 3])),
        }
    };
    vec![
        of("candle_core::Tensor::apply_op1", "a square", "self * self")
            .run(|a| a[0].apply_op1(Square)),
        of(
            "candle_core::Tensor::apply_op1_arc",
            "a square",
            "self * self",
        )
        .run(|a| a[0].apply_op1_arc(Arc::new(Box::new(Square)))),
        Case::new(
            "candle_core::Tensor::apply_op1",
            "bwd returns None behind another op",
        )
        .only(&[DType::F64])
        .arg("self", v(&[2, 3]))
        .run(|a| steps(&a[0], false))
        .torch("torch.floor(self)")
        .plain(),
        of("candle_core::Tensor::apply_op2", "a product", "self * t2")
            .run(|a| a[0].apply_op2(&a[1], Product)),
        of(
            "candle_core::Tensor::apply_op2_arc",
            "a product",
            "self * t2",
        )
        .run(|a| a[0].apply_op2_arc(&a[1], Arc::new(Box::new(Product)))),
        of(
            "candle_core::Tensor::apply_op3",
            "a product and a sum",
            "self * t2 + t3",
        )
        .run(|a| a[0].apply_op3(&a[1], &a[2], MulAdd)),
        of(
            "candle_core::Tensor::apply_op3_arc",
            "a product and a sum",
            "self * t2 + t3",
        )
        .run(|a| a[0].apply_op3_arc(&a[1], &a[2], Arc::new(Box::new(MulAdd)))),
    ]
}
