//! The elements of one variable along a segment: where each is put, and autograd's gradient times the way
//! that it really took there.
//!
//! A displaced element is rounded to the variable's dtype, so the way from one node to the next is the
//! difference of two rounded numbers, not s·u. Chunks are worked on by every core, and their sums added
//! in order: the same bits on any number of threads.

use candle_core::{
    CpuStorage, Device, InplaceOp2, Layout, Result, Storage, Tensor, Var, WithDType, bail,
};
use rayon::prelude::*;

use super::bits::Bits;

/// Elements worked on together.
const CHUNK: usize = 1 << 14;

/// How a variable moves: every element, or those of `only`, by about ±`step`.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) var: usize,
    pub(crate) step: f64,
    /// Where the sign is -1.
    pub(crate) minus: Bits,
    pub(crate) only: Option<Bits>,
}

/// From 1/2 to 3/2, by the index: with equal steps, signs that happen to agree leave a softmax and a
/// BatchNorm where they are.
fn uneven(i: usize) -> f64 {
    let hash = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
    ((hash ^ 8) as f64 + 8.5) / 16. // the first: about 1
}

impl Move {
    /// u of element i.
    fn of(&self, i: usize) -> f64 {
        if self.only.as_ref().is_some_and(|only| !only.get(i)) {
            return 0.;
        }
        let step = self.step * uneven(i);
        if self.minus.get(i) { -step } else { step }
    }
}

/// Sets a variable to x + s·u.
pub(crate) fn place(var: &Var, origin: &Tensor, m: &Move, s: f64) -> Result<()> {
    let op = Place { m, s };
    if var.device().is_cpu() {
        return var.as_tensor().inplace_op2(origin, &op);
    }
    let origin = origin.to_device(&Device::Cpu)?;
    let moved = origin.zeros_like()?;
    moved.inplace_op2(&origin, &op)?;
    var.set(&moved.to_device(var.device())?)
}

struct Place<'a> {
    m: &'a Move,
    s: f64,
}

impl Place<'_> {
    fn fill<T: WithDType>(
        &self,
        (to, to_layout): (&mut [T], &Layout),
        (from, from_layout): (&[T], &Layout),
    ) -> Result<()> {
        let (Some(to_range), Some(from)) = (
            to_layout.contiguous_offsets(),
            contiguous(from, from_layout),
        ) else {
            bail!("gradcheck: a variable is not contiguous")
        };
        let to = to[to_range.0..to_range.1].par_chunks_mut(CHUNK);
        let chunks = to.zip(from.par_chunks(CHUNK)).enumerate();
        chunks.for_each(|(c, (to, from))| {
            for (i, (to, x)) in to.iter_mut().zip(from).enumerate() {
                *to = T::from_f64(x.to_f64() + self.s * self.m.of(c * CHUNK + i));
            }
        });
        Ok(())
    }
}

fn contiguous<'a, T>(values: &'a [T], layout: &Layout) -> Option<&'a [T]> {
    let (from, to) = layout.contiguous_offsets()?;
    values.get(from..to)
}

impl InplaceOp2 for Place<'_> {
    fn name(&self) -> &'static str {
        "place"
    }

    fn cpu_fwd(
        &self,
        to: &mut CpuStorage,
        to_layout: &Layout,
        from: &CpuStorage,
        from_layout: &Layout,
    ) -> Result<()> {
        use CpuStorage::{BF16, F8E4M3, F16, F32, F64};
        match (to, from) {
            (F64(to), F64(from)) => self.fill((to, to_layout), (from, from_layout)),
            (F32(to), F32(from)) => self.fill((to, to_layout), (from, from_layout)),
            (F16(to), F16(from)) => self.fill((to, to_layout), (from, from_layout)),
            (BF16(to), BF16(from)) => self.fill((to, to_layout), (from, from_layout)),
            (F8E4M3(to), F8E4M3(from)) => self.fill((to, to_layout), (from, from_layout)),
            (to, _) => bail!("gradcheck: cannot move a variable of {:?}", dtype(to)),
        }
    }
}

fn dtype(storage: &CpuStorage) -> candle_core::DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}

/// What one node adds to a variable's part of the integral.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    /// Σ g·(xₖ - xₖ₋₁)
    pub(crate) before: f64,
    /// Σ g·(xₖ₊₁ - xₖ)
    pub(crate) after: f64,
    /// Σ |g·(xₖ - xₖ₋₁)|
    pub(crate) size: f64,
    /// Σ(g·(xₖ - xₖ₋₁))²
    pub(crate) squares: f64,
    /// Whether an element that moves has a gradient other than zero.
    pub(crate) alive: bool,
}

impl std::ops::Add for Part {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            before: self.before + other.before,
            after: self.after + other.after,
            size: self.size + other.size,
            squares: self.squares + other.squares,
            alive: self.alive || other.alive,
        }
    }
}

/// The part of the node at s, between those at `behind` and `ahead` (at the ends, s itself).
pub(crate) fn part(
    gradient: &Tensor,
    origin: &Tensor,
    m: &Move,
    [behind, s, ahead]: [f64; 3],
) -> Result<Part> {
    let gradient = gradient.to_device(&Device::Cpu)?.contiguous()?;
    let origin = origin.to_device(&Device::Cpu)?.contiguous()?;
    let ((g, g_layout), (x, x_layout)) =
        (gradient.storage_and_layout(), origin.storage_and_layout());
    let nodes = [behind, s, ahead];
    use CpuStorage::{BF16, F8E4M3, F16, F32, F64};
    let part = match (&*g, &*x) {
        (Storage::Cpu(F64(g)), Storage::Cpu(F64(x))) => sum(g, g_layout, x, x_layout, m, nodes),
        (Storage::Cpu(F32(g)), Storage::Cpu(F32(x))) => sum(g, g_layout, x, x_layout, m, nodes),
        (Storage::Cpu(F16(g)), Storage::Cpu(F16(x))) => sum(g, g_layout, x, x_layout, m, nodes),
        (Storage::Cpu(BF16(g)), Storage::Cpu(BF16(x))) => sum(g, g_layout, x, x_layout, m, nodes),
        (Storage::Cpu(F8E4M3(g)), Storage::Cpu(F8E4M3(x))) => {
            sum(g, g_layout, x, x_layout, m, nodes)
        }
        _ => None,
    };
    let Some(part) = part else {
        bail!(
            "gradcheck: a gradient is {:?} {:?} where its variable is {:?} {:?}",
            gradient.dtype(),
            gradient.dims(),
            origin.dtype(),
            origin.dims()
        )
    };
    Ok(part)
}

fn sum<T: WithDType>(
    g: &[T],
    g_layout: &Layout,
    x: &[T],
    x_layout: &Layout,
    m: &Move,
    [behind, s, ahead]: [f64; 3],
) -> Option<Part> {
    let (g, x) = (contiguous(g, g_layout)?, contiguous(x, x_layout)?);
    let chunks = g.par_chunks(CHUNK).zip(x.par_chunks(CHUNK)).enumerate();
    let part = |(c, (g, x)): (usize, (&[T], &[T]))| {
        let mut part = Part::default();
        for (i, (g, x)) in g.iter().zip(x).enumerate() {
            let (g, x, u) = (g.to_f64(), x.to_f64(), m.of(c * CHUNK + i));
            let at = |s: f64| T::from_f64(x + s * u).to_f64();
            let here = at(s);
            let back = g * (here - at(behind));
            part.before += back;
            part.after += g * (at(ahead) - here);
            part.size += back.abs();
            part.squares += back * back;
            part.alive |= g != 0. && u != 0.;
        }
        part
    };
    let parts: Vec<Part> = chunks.map(part).collect();
    (g.len() == x.len()).then(|| parts.into_iter().fold(Part::default(), |a, b| a + b))
}
