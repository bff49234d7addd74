//! The ops as candle custom ops, with a fault in one input's gradient.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor,
    TensorId, bail,
};

use crate::ops::Op;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    Scaled(f64),
    Sign,
    Doubled,
    Transposed,
    OneEntry(f64),
    DroppedTerm,
    WrongInput,
    Constant,
    Cut,
    Zero,
    Stale,
    Nan,
    IgnoresGrad,
    NonContiguous,
    UsedTwice,
    Negative,
}

impl Fault {
    pub fn name(self) -> String {
        match self {
            Self::Scaled(by) => format!("scaled {by:+.0e}"),
            Self::OneEntry(by) => format!("one entry {by:+.0e}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    /// Whether it is of 1e-3 of its value or more, so that f32 must see it too.
    pub fn coarse(self) -> bool {
        !matches!(self, Self::Scaled(by) | Self::OneEntry(by) if by.abs() < 1e-3)
    }
}

pub const FAULTS: [Fault; 21] = [
    Fault::Scaled(1e-2),
    Fault::Scaled(1e-3),
    Fault::Scaled(-1e-3),
    Fault::Scaled(1e-6),
    Fault::Scaled(-1e-6),
    Fault::Sign,
    Fault::Doubled,
    Fault::Transposed,
    Fault::OneEntry(1e-2),
    Fault::OneEntry(1e-6),
    Fault::DroppedTerm,
    Fault::WrongInput,
    Fault::Constant,
    Fault::Cut,
    Fault::Zero,
    Fault::Stale,
    Fault::Nan,
    Fault::IgnoresGrad,
    Fault::NonContiguous,
    Fault::UsedTwice,
    Fault::Negative,
];

/// An op with a fault in the gradient of input `target`.
#[derive(Clone)]
pub struct Mutant {
    pub op: Op,
    pub fault: Fault,
    pub target: usize,
    /// The outputs each argument has been seen to give; more than one when it is used twice.
    seen: Arc<Mutex<HashMap<TensorId, HashSet<TensorId>>>>,
}

impl Mutant {
    pub fn new(op: Op, fault: Fault, target: usize) -> Self {
        Self {
            op,
            fault,
            target,
            seen: Arc::default(),
        }
    }

    pub fn call(&self, t: &[Tensor]) -> Result<Tensor> {
        match t {
            [a] => a.apply_op1(self.clone()),
            [a, b] => a.apply_op2(b, self.clone()),
            [a, b, c] => a.apply_op3(b, c, self.clone()),
            _ => bail!("one to three inputs"),
        }
    }

    fn forward(&self, args: &[(&CpuStorage, &Layout)]) -> Result<(CpuStorage, Shape)> {
        let tensors: Result<Vec<_>> = args.iter().map(|(s, l)| dense(s, l)).collect();
        let y = (self.op.forward)(&tensors?)?.contiguous()?;
        let (storage, layout) = y.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => {
                let from = layout.start_offset();
                let copy = match storage {
                    CpuStorage::F64(v) => CpuStorage::F64(v[from..].to_vec()),
                    CpuStorage::F32(v) => CpuStorage::F32(v[from..].to_vec()),
                    CpuStorage::F16(v) => CpuStorage::F16(v[from..].to_vec()),
                    CpuStorage::BF16(v) => CpuStorage::BF16(v[from..].to_vec()),
                    _ => bail!("floats of 16 bits or more only"),
                };
                Ok((copy, layout.shape().clone()))
            }
            _ => bail!("cpu only"),
        }
    }

    pub fn gradients(
        &self,
        args: &[&Tensor],
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<Vec<Option<Tensor>>> {
        let plain: Result<Vec<_>> = args.iter().map(|t| t.detach().contiguous()).collect();
        let plain = plain?;
        let grad = grad.detach().contiguous()?;
        let y = y.detach();
        let right = (self.op.backward)(&plain, &y, &grad)?;
        let mut all: Vec<Option<Tensor>> = right.iter().cloned().map(Some).collect();
        let target = self.target;
        all[target] = self.mutated(args[target], &plain, (&y, &grad), &right)?;
        Ok(all)
    }

    fn mutated(
        &self,
        arg: &Tensor,
        plain: &[Tensor],
        (y, grad): (&Tensor, &Tensor),
        all: &[Tensor],
    ) -> Result<Option<Tensor>> {
        let right = &all[self.target];
        let again = |plain: &[Tensor], grad: &Tensor| {
            let y = (self.op.forward)(plain)?;
            Ok::<_, candle_core::Error>(
                (self.op.backward)(plain, &y, grad)?.swap_remove(self.target),
            )
        };
        Ok(Some(match self.fault {
            Fault::None => right.clone(),
            Fault::Scaled(by) => (right * (1. + by))?,
            Fault::Sign => right.neg()?,
            Fault::Doubled => (right * 2.)?,
            Fault::Transposed => reversed(right)?,
            Fault::OneEntry(by) => (right + (right * one_hot(right, by)?)?)?,
            Fault::DroppedTerm => again(plain, &(grad - (grad * one_hot(grad, 1.)?)?)?)?,
            Fault::WrongInput => all[(self.target + 1) % all.len()].reshape(right.shape())?,
            Fault::Constant => (right + 0.05)?,
            Fault::Cut => return Ok(None),
            Fault::Zero => right.zeros_like()?,
            Fault::Stale => {
                let old: Result<Vec<_>> = plain.iter().map(|t| t.affine(0.9, 0.05)).collect();
                again(&old?, grad)?
            }
            // 0 everywhere but the last place, where it is 0/0.
            Fault::Nan => {
                let one = one_hot(right, 1.)?;
                (right + one.div(&one.affine(-1., 1.)?)?.affine(0., 0.)?)?
            }
            Fault::IgnoresGrad => again(plain, &grad.ones_like()?)?,
            Fault::NonContiguous if !arg.is_contiguous() => (right * 1.5)?,
            Fault::UsedTwice if self.used_twice(arg, y) => (right * 2.)?,
            Fault::NonContiguous | Fault::UsedTwice => right.clone(),
            Fault::Negative => {
                let negative = plain[self.target].lt(0.)?.to_dtype(right.dtype())?;
                (right * negative.affine(0.1, 1.)?)?
            }
        }))
    }

    fn used_twice(&self, arg: &Tensor, y: &Tensor) -> bool {
        let mut seen = self.seen.lock().unwrap();
        let outputs = seen.entry(arg.id()).or_default();
        outputs.insert(y.id());
        outputs.len() > 1
    }

    /// Whether the fault leaves this op's gradient as it is, so that there is nothing to catch.
    pub fn equivalent(&self) -> Result<bool> {
        if matches!(self.fault, Fault::Cut | Fault::Nan) {
            return Ok(false);
        }
        if matches!(self.fault, Fault::NonContiguous | Fault::UsedTwice) {
            return Ok(false);
        }
        if self.fault == Fault::WrongInput {
            return self.no_other_input();
        }
        let inputs = (self.op.inputs)()?;
        let y = (self.op.forward)(&inputs)?;
        let weights = Tensor::arange(1., 1. + y.elem_count() as f64, &Device::Cpu)?;
        let grad = (weights / 7.)?.reshape(y.shape())?;
        let args: Vec<&Tensor> = inputs.iter().collect();
        let right = &(self.op.backward)(&inputs, &y, &grad)?[self.target];
        let Some(found) = &self.gradients(&args, &y, &grad)?[self.target] else {
            return Ok(false);
        };
        let apart = (found - right)?
            .abs()?
            .flatten_all()?
            .max(0)?
            .to_scalar::<f64>()?;
        Ok(apart < 1e-12)
    }

    fn no_other_input(&self) -> Result<bool> {
        let inputs = (self.op.inputs)()?;
        let other = (self.target + 1) % inputs.len();
        let same = inputs[other].elem_count() == inputs[self.target].elem_count();
        // The two gradients of a squared error differ in sign only, but they do differ.
        Ok(inputs.len() == 1 || !same)
    }
}

/// Zero but for `value` in the first place where it matters: the last element.
fn one_hot(like: &Tensor, value: f64) -> Result<Tensor> {
    let mut hot = vec![0.; like.elem_count()];
    if let Some(last) = hot.last_mut() {
        *last = value;
    }
    Tensor::from_vec(hot, like.shape(), like.device())?.to_dtype(like.dtype())
}

/// The transpose of a matrix read back in its own shape; a vector back to front.
fn reversed(x: &Tensor) -> Result<Tensor> {
    if x.rank() == 2 {
        return x.t()?.contiguous()?.reshape(x.shape());
    }
    x.flip(&[0])
}

fn dense(storage: &CpuStorage, layout: &Layout) -> Result<Tensor> {
    let shape = layout.shape().clone();
    match storage {
        CpuStorage::F64(v) => Tensor::from_vec(in_order(v, layout), shape, &Device::Cpu),
        CpuStorage::F32(v) => Tensor::from_vec(in_order(v, layout), shape, &Device::Cpu),
        CpuStorage::F16(v) => Tensor::from_vec(in_order(v, layout), shape, &Device::Cpu),
        CpuStorage::BF16(v) => Tensor::from_vec(in_order(v, layout), shape, &Device::Cpu),
        _ => bail!("floats of 16 bits or more only"),
    }
}

/// The elements of any layout in row-major order.
fn in_order<T: Copy>(values: &[T], layout: &Layout) -> Vec<T> {
    let offset = |mut flat: usize| {
        let places = layout.dims().iter().zip(layout.stride()).rev();
        places.fold(layout.start_offset(), |at, (dim, stride)| {
            let at = at + flat % dim * stride;
            flat /= dim;
            at
        })
    };
    (0..layout.shape().elem_count())
        .map(|i| values[offset(i)])
        .collect()
}

impl CustomOp1 for Mutant {
    fn name(&self) -> &'static str {
        self.op.name
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(&[(s, l)])
    }

    fn bwd(&self, a: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(self.gradients(&[a], y, grad)?.swap_remove(0))
    }
}

impl CustomOp2 for Mutant {
    fn name(&self) -> &'static str {
        self.op.name
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(&[(s1, l1), (s2, l2)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut all = self.gradients(&[a, b], y, grad)?.into_iter();
        Ok((all.next().flatten(), all.next().flatten()))
    }
}

impl CustomOp3 for Mutant {
    fn name(&self) -> &'static str {
        self.op.name
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
        self.forward(&[(s1, l1), (s2, l2), (s3, l3)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut all = self.gradients(&[a, b, c], y, grad)?.into_iter();
        Ok((
            all.next().flatten(),
            all.next().flatten(),
            all.next().flatten(),
        ))
    }
}
