//! The hooks for a user's own op, with an op whose backward is right.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor,
};
use std::sync::Arc;

use crate::case::{Case, u, v, w};

/// x².
struct Square;
/// floor(x): its derivative is zero, and its `bwd` says so with `None`, the default.
struct Floor;
/// x y.
struct Product;
/// x y + z.
struct MulAdd;

pub fn slice<'a>(s: &'a CpuStorage, l: &Layout) -> Result<&'a [f64]> {
    match l.contiguous_offsets() {
        Some((from, to)) => Ok(&s.as_slice::<f64>()?[from..to]),
        None => candle_core::bail!("the example takes contiguous tensors"),
    }
}

fn output(y: impl Iterator<Item = f64>, l: &Layout) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F64(y.collect()), l.shape().clone()))
}

impl CustomOp1 for Square {
    fn name(&self) -> &'static str {
        "square"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        output(slice(s, l)?.iter().map(|x| x * x), l)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (x * grad)?.affine(2., 0.).map(Some)
    }
}

impl CustomOp1 for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        output(slice(s, l)?.iter().map(|x| x.floor()), l)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

#[rustfmt::skip]
impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        output(slice(s1, l1)?.iter().zip(slice(s2, l2)?).map(|(x, y)| x * y), l1)
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some((grad * y)?), Some((grad * x)?)))
    }
}

#[rustfmt::skip]
impl CustomOp3 for MulAdd {
    fn name(&self) -> &'static str {
        "mul-add"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout, s3: &CpuStorage, l3: &Layout)
        -> Result<(CpuStorage, Shape)>
    {
        let products = slice(s1, l1)?.iter().zip(slice(s2, l2)?).map(|(x, y)| x * y);
        output(products.zip(slice(s3, l3)?).map(|(xy, z)| xy + z), l1)
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor)
        -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)>
    {
        Ok((Some((grad * y)?), Some((grad * x)?), Some(grad.clone())))
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    let [x, y, z] = [v(&[2, 3]), w(&[2, 3]), u(&[2, 3])];
    samples! { cases, "candle_core::Tensor::apply_op1";
        "a square", ["self" x.clone()], |a| a[0].apply_op1(Square);
        "bwd returns None behind another op", ["self" x.clone()], |a| a[0].affine(1., 0.)?.apply_op1(Floor), plain(),
            fails("bwd-none");
    }
    samples! { cases, "candle_core::Tensor::apply_op1_arc";
        "a square", ["self" x.clone()], |a| a[0].apply_op1_arc(Arc::new(Box::new(Square)));
    }
    samples! { cases, "candle_core::Tensor::apply_op2";
        "a product", ["self" x.clone(), "t2" y.clone()], |a| a[0].apply_op2(&a[1], Product);
    }
    samples! { cases, "candle_core::Tensor::apply_op2_arc";
        "a product", ["self" x.clone(), "t2" y.clone()], |a| a[0].apply_op2_arc(&a[1], Arc::new(Box::new(Product)));
    }
    samples! { cases, "candle_core::Tensor::apply_op3";
        "a product and a sum", ["self" x.clone(), "t2" y.clone(), "t3" z.clone()],
            |a| a[0].apply_op3(&a[1], &a[2], MulAdd);
    }
    samples! { cases, "candle_core::Tensor::apply_op3_arc";
        "a product and a sum", ["self" x, "t2" y, "t3" z],
            |a| a[0].apply_op3_arc(&a[1], &a[2], Arc::new(Box::new(MulAdd)));
    }
    cases
        .into_iter()
        .map(|case| case.only(&[DType::F64]))
        .collect()
}
