//! Functions that change a tensor where it lies, on a copy of the input: what is overwritten, what is
//! written in, and what a backward pass still needs.

use candle_core::scalar::Scalar;
use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, InplaceOp3, Layout, Result, Tensor};

use crate::audit::case::{Case, ids, u, v, w};

/// A tensor of its own that is computed from another.
fn copy(x: &Tensor) -> Result<Tensor> {
    x.affine(1., 0.)
}

type Change = fn(&Tensor, &[Tensor]) -> Result<()>;

/// The copy after the change.
fn changed(path: &'static str, name: &str, change: Change) -> Case {
    let call = move |a: &[Tensor]| {
        let y = copy(&a[0])?;
        change(&y, &a[1..])?;
        Ok(y)
    };
    Case::new(path, name).run(call).plain()
}

/// The square of the copy, which is changed after it.
fn needed(path: &'static str, change: Change) -> Case {
    let call = move |a: &[Tensor]| {
        let x = copy(&a[0])?;
        let y = x.sqr()?;
        change(&x, &a[1..])?;
        Ok(y)
    };
    let case = Case::new(path, "of what backward needs").run(call).plain();
    case.torch("self ** 2")
}

pub fn cases() -> Vec<Case> {
    let mut cases = written();
    cases.extend(constants());
    cases.extend(own());
    cases
}

fn written() -> Vec<Case> {
    let indexes = || ids(&[2, 2], &[1, 0, 2, 1]);
    vec![
        changed("candle_core::Tensor::slice_set", "row 1 of 3", |y, a| {
            y.slice_set(&a[0], 0, 1)
        })
        .arg("self", v(&[3, 2]))
        .arg("src", w(&[1, 2]))
        .torch("torch.cat([self[:1], src, self[2:]])"),
        needed("candle_core::Tensor::slice_set", |x, a| {
            x.slice_set(&a[0], 0, 1)
        })
        .arg("self", v(&[3, 2]))
        .arg("src", w(&[1, 2])),
        changed("candle_core::Tensor::scatter_set", "dim 1", |y, a| {
            y.scatter_set(&a[0], &a[1], 1)
        })
        .arg("self", v(&[2, 3]))
        .arg("indexes", indexes())
        .arg("source", w(&[2, 2]))
        .torch("self.scatter(1, indexes, source)"),
        changed("candle_core::Tensor::scatter_add_set", "dim 1", |y, a| {
            y.scatter_add_set(&a[0], &a[1], 1)
        })
        .arg("self", v(&[2, 3]))
        .arg("indexes", indexes())
        .arg("source", w(&[2, 2]))
        .torch("self.scatter_add(1, indexes, source)"),
    ]
}

fn constants() -> Vec<Case> {
    vec![
        changed("candle_core::Tensor::zero_set", "all", |y, _| y.zero_set())
            .arg("self", v(&[2, 3]))
            .torch("self * 0"),
        needed("candle_core::Tensor::zero_set", |x, _| x.zero_set()).arg("self", v(&[2, 3])),
        changed("candle_core::Tensor::one_set", "all", |y, _| y.one_set())
            .arg("self", v(&[2, 3]))
            .torch("self * 0 + 1"),
        changed("candle_core::Tensor::const_set", "to 2", |y, _| {
            y.const_set(Scalar::F64(2.))
        })
        .arg("self", v(&[2, 3]))
        .torch("self * 0 + 2")
        .only(&[DType::F64]),
    ]
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

fn source<'a>(s: &'a CpuStorage, l: &Layout) -> Result<&'a [f64]> {
    match l.contiguous_offsets() {
        Some((from, to)) => Ok(&s.as_slice::<f64>()?[from..to]),
        None => candle_core::bail!("the example takes contiguous tensors"),
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
        let pairs = numbers(s, l)?.iter_mut().zip(source(y, y_l)?);
        pairs.for_each(|(x, y)| *x *= y);
        Ok(())
    }
}

impl InplaceOp3 for TimesPlus {
    fn name(&self) -> &'static str {
        "times plus"
    }

    fn cpu_fwd(
        &self,
        s: &mut CpuStorage,
        l: &Layout,
        y: &CpuStorage,
        y_l: &Layout,
        z: &CpuStorage,
        z_l: &Layout,
    ) -> Result<()> {
        let sources = source(y, y_l)?.iter().zip(source(z, z_l)?);
        let pairs = numbers(s, l)?.iter_mut().zip(sources);
        pairs.for_each(|(x, (y, z))| *x = *x * y + z);
        Ok(())
    }
}

fn own() -> Vec<Case> {
    vec![
        changed("candle_core::Tensor::inplace_op1", "x²", |y, _| {
            y.inplace_op1(&Squared)
        })
        .arg("self", v(&[2, 3]))
        .torch("self ** 2")
        .only(&[DType::F64]),
        changed("candle_core::Tensor::inplace_op2", "x y", |y, a| {
            y.inplace_op2(&a[0], &Times)
        })
        .arg("self", v(&[2, 3]))
        .arg("rhs", w(&[2, 3]))
        .torch("self * rhs")
        .only(&[DType::F64]),
        changed("candle_core::Tensor::inplace_op3", "x y + z", |y, a| {
            y.inplace_op3(&a[0], &a[1], &TimesPlus)
        })
        .arg("self", v(&[2, 3]))
        .arg("t2", w(&[2, 3]))
        .arg("t3", u(&[2, 3]))
        .torch("self * t2 + t3")
        .only(&[DType::F64]),
    ]
}
