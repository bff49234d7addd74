//! Functions that change a tensor where it lies, on a copy of the input: what is overwritten, what is written
//! in, and what a backward pass still needs.

use candle_core::scalar::Scalar;
use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, InplaceOp3, Layout, Result, Tensor};

use super::custom::slice;
use crate::case::{Case, ids, u, v, w};

/// A tensor of its own that is computed from another.
fn copy(x: &Tensor) -> Result<Tensor> {
    x.affine(1., 0.)
}

/// The copy after the change.
fn changed(x: &Tensor, change: impl Fn(&Tensor) -> Result<()>) -> Result<Tensor> {
    let y = copy(x)?;
    change(&y)?;
    Ok(y)
}

/// The square of the copy, which is changed after it.
fn needed(x: &Tensor, change: impl Fn(&Tensor) -> Result<()>) -> Result<Tensor> {
    let x = copy(x)?;
    let y = x.sqr()?;
    change(&x)?;
    Ok(y)
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    let indexes = || ids(&[2, 2], &[1, 0, 2, 1]);
    samples! { cases, "candle_core::Tensor::slice_set";
        "row 1 of 3", ["self" v(&[3, 2]), "src" w(&[1, 2])], |a| changed(&a[0], |y| y.slice_set(&a[1], 0, 1)), plain(),
            fails("in-place");
        "of what backward needs", ["self" v(&[3, 2]), "src" w(&[1, 2])],
            |a| needed(&a[0], |x| x.slice_set(&a[1], 0, 1)), plain(), fails("in-place: self");
    }
    samples! { cases, "candle_core::Tensor::scatter_set";
        "dim 1", ["self" v(&[2, 3]), "indexes" indexes(), "source" w(&[2, 2])],
            |a| changed(&a[0], |y| y.scatter_set(&a[1], &a[2], 1)), plain(), fails("in-place");
    }
    samples! { cases, "candle_core::Tensor::scatter_add_set";
        "dim 1", ["self" v(&[2, 3]), "indexes" indexes(), "source" w(&[2, 2])],
            |a| changed(&a[0], |y| y.scatter_add_set(&a[1], &a[2], 1)), plain(), fails("in-place: source");
    }
    samples! { cases, "candle_core::Tensor::zero_set";
        "all", ["self" v(&[2, 3])], |a| changed(&a[0], |y| y.zero_set()), plain(), fails("in-place");
        "of what backward needs", ["self" v(&[2, 3])], |a| needed(&a[0], |x| x.zero_set()), plain(), fails("in-place");
    }
    samples! { cases, "candle_core::Tensor::one_set";
        "all", ["self" v(&[2, 3])], |a| changed(&a[0], |y| y.one_set()), plain(), fails("in-place");
    }
    samples! { cases, "candle_core::Tensor::const_set";
        "to 2", ["self" v(&[2, 3])], |a| changed(&a[0], |y| y.const_set(Scalar::F64(2.))), plain(),
            only(&[DType::F64]), fails("in-place");
    }
    samples! { cases, "candle_core::Tensor::inplace_op1";
        "x²", ["self" v(&[2, 3])], |a| changed(&a[0], |y| y.inplace_op1(&Squared)), plain(), only(&[DType::F64]),
            fails("in-place");
    }
    samples! { cases, "candle_core::Tensor::inplace_op2";
        "x y", ["self" v(&[2, 3]), "rhs" w(&[2, 3])], |a| changed(&a[0], |y| y.inplace_op2(&a[1], &Times)), plain(),
            only(&[DType::F64]), fails("in-place");
    }
    samples! { cases, "candle_core::Tensor::inplace_op3";
        "x y + z", ["self" v(&[2, 3]), "t2" w(&[2, 3]), "t3" u(&[2, 3])],
            |a| changed(&a[0], |y| y.inplace_op3(&a[1], &a[2], &TimesPlus)), plain(), only(&[DType::F64]),
            fails("in-place");
    }
    cases
}

/// Each with the op of a user: x², x y, x y + z.
struct Squared;
struct Times;
struct TimesPlus;

fn numbers<'a>(s: &'a mut CpuStorage, l: &Layout) -> Result<&'a mut [f64]> {
    match (s, l.contiguous_offsets()) {
        (CpuStorage::F64(x), Some((from, to))) => Ok(&mut x[from..to]),
        _ => candle_core::bail!("the example takes contiguous tensors of f64"),
    }
}

impl InplaceOp1 for Squared {
    fn name(&self) -> &'static str {
        "squared"
    }

    fn cpu_fwd(&self, s: &mut CpuStorage, l: &Layout) -> Result<()> {
        numbers(s, l)?.iter_mut().for_each(|x| *x *= *x);
        Ok(())
    }
}

impl InplaceOp2 for Times {
    fn name(&self) -> &'static str {
        "times"
    }

    fn cpu_fwd(&self, s: &mut CpuStorage, l: &Layout, y: &CpuStorage, y_l: &Layout) -> Result<()> {
        let pairs = numbers(s, l)?.iter_mut().zip(slice(y, y_l)?);
        pairs.for_each(|(x, y)| *x *= y);
        Ok(())
    }
}

impl InplaceOp3 for TimesPlus {
    fn name(&self) -> &'static str {
        "times plus"
    }

    #[rustfmt::skip]
    fn cpu_fwd(&self, s: &mut CpuStorage, l: &Layout, y: &CpuStorage, y_l: &Layout, z: &CpuStorage, z_l: &Layout)
        -> Result<()>
    {
        let sources = slice(y, y_l)?.iter().zip(slice(z, z_l)?);
        numbers(s, l)?.iter_mut().zip(sources).for_each(|(x, (y, z))| *x = *x * y + z);
        Ok(())
    }
}
