//! One pass over x and y: sums of terms that depend on a point alone, in `f64`.
//!
//! A pass reads each x and y once, whatever their dtype and stride, and holds nothing of their
//! size. `f32` values widen on the way into the registers, so that every sum is the `f64` one; where
//! [`Terms::IN_F32`] allows it, the terms of `f32` points are `f32` too, of which a register holds
//! twice as many, and at most [`RUN`] of them are added up before they go into an `f64`.
//! Eight running sums a term (`f32`: sixteen) keep the vector units busy; pulp finds at run time
//! which of those the processor has. Large data is split over all cores.
//!
//! Points are added in the same order whatever the stride and the number of cores: the lanes over a
//! tile, tiles in order over a leaf, leaves in a binary tree.

use super::Data;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Device, Layout, Result, Storage, Tensor, WithDType, bail};
use pulp::{Arch, Scalar, Simd, WithSimd};

/// Running sums a term: a multiple of the lanes of every vector of `f64` there is.
const LANES: usize = 8;

/// The same of `f32`.
const LANES_F32: usize = 16;

/// Terms that a lane of `f32` adds up before it is emptied into an `f64`: each addition is off by at
/// most 2⁻²⁴ of the sum so far.
const RUN: usize = 64;

/// Points that are added lane by lane; where x or y is not contiguous, they are first gathered.
const TILE: usize = 4096;

/// Points that one core adds by itself: some 10 µs, against 1 µs to hand work to another core.
const LEAF: usize = 1 << 16;

/// `K` terms of a point, each to be summed over all points.
pub(super) trait Terms<const K: usize>: Copy + Send + Sync {
    /// Whether the terms of `f32` points may be rounded to `f32`.
    const IN_F32: bool = false;

    /// `sums` and the terms of (x, y) added, one point a lane.
    fn add<S: Simd>(self, simd: S, sums: [S::f64s; K], x: S::f64s, y: S::f64s) -> [S::f64s; K];

    /// The same in `f32`; called only where [`IN_F32`](Self::IN_F32) says so.
    fn add_f32s<S: Simd>(
        self,
        _simd: S,
        sums: [S::f32s; K],
        _x: S::f32s,
        _y: S::f32s,
    ) -> [S::f32s; K] {
        sums
    }
}

/// Points that are fetched from another device at a time.
const FETCH: usize = 1 << 20;

/// Whether a pass over `x` is shared among cores.
pub(super) fn is_shared(x: &Tensor) -> bool {
    x.elem_count() > LEAF
}

/// The sums of `terms` over `data`, on any device.
///
/// # Errors
/// A device that cannot be read.
pub(super) fn sums_on_any_device<const K: usize>(
    terms: impl Terms<K>,
    data: &Data,
) -> Result<[f64; K]> {
    let Data { x, y } = data;
    if x.device().is_cpu() {
        return sums(terms, x, y);
    }
    let points = x.elem_count();
    let mut total = [0.; K];
    for start in (0..points).step_by(FETCH) {
        let part = |t: &Tensor| {
            // A view is fetched with all of its storage, so it is copied there first.
            t.narrow(0, start, FETCH.min(points - start))?
                .force_contiguous()?
                .to_device(&Device::Cpu)
        };
        total = plus(total, sums(terms, &part(x)?, &part(y)?)?);
    }
    Ok(total)
}

/// The sums of `terms` over the points of two CPU tensors of shape `(points,)`, `f32` or `f64`,
/// with any stride and offset.
///
/// # Errors
/// Other shapes, dtypes or devices.
pub(super) fn sums<const K: usize>(
    terms: impl Terms<K>,
    x: &Tensor,
    y: &Tensor,
) -> Result<[f64; K]> {
    let ((x, x_layout), (y, y_layout)) = (x.storage_and_layout(), y.storage_and_layout());
    match (&*x, &*y) {
        (Storage::Cpu(x), Storage::Cpu(y)) => storage_sums(terms, (x, x_layout), (y, y_layout)),
        _ => bail!("a pass in registers needs x and y on the CPU"),
    }
}

/// As [`sums`], of what a custom op is given.
pub(super) fn storage_sums<const K: usize>(
    terms: impl Terms<K>,
    (x, x_layout): (&CpuStorage, &Layout),
    (y, y_layout): (&CpuStorage, &Layout),
) -> Result<[f64; K]> {
    if x_layout.dims().len() != 1 || x_layout.dims() != y_layout.dims() {
        let (x, y) = (x_layout.shape(), y_layout.shape());
        bail!("x and y must both have the shape (points,), not {x:?} and {y:?}")
    }
    match (x.dtype(), y.dtype()) {
        (DType::F32, DType::F32) => Points::<f32>::new((x, x_layout), (y, y_layout))?.sums(terms),
        (DType::F64, DType::F64) => Points::<f64>::new((x, x_layout), (y, y_layout))?.sums(terms),
        (x, y) => bail!(
            "x and y must both be f32 or both f64, not {} and {}",
            x.as_str(),
            y.as_str()
        ),
    }
}

/// An element of x or y.
trait Real: WithDType {
    fn widen(self) -> f64;

    /// The values, where they are `f32`.
    fn f32s(values: &[Self]) -> Option<&[f32]>;
}

impl Real for f32 {
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn f32s(values: &[Self]) -> Option<&[f32]> {
        Some(values)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }

    #[inline(always)]
    fn f32s(_values: &[Self]) -> Option<&[f32]> {
        None
    }
}

/// Every `stride`-th element, from the first of `data`.
#[derive(Clone, Copy)]
struct Strided<'a, T> {
    data: &'a [T],
    stride: usize,
}

impl<'a, T: Real> Strided<'a, T> {
    fn new(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        Ok(Self {
            data: &storage.as_slice::<T>()?[layout.start_offset()..],
            stride: layout.stride()[0],
        })
    }

    /// The elements from `start` on.
    #[inline(always)]
    fn gather(self, start: usize, into: &mut [T]) {
        for (i, into) in into.iter_mut().enumerate() {
            *into = self.data[(start + i) * self.stride];
        }
    }
}

/// x and y, `len` of each.
#[derive(Clone, Copy)]
struct Points<'a, T> {
    x: Strided<'a, T>,
    y: Strided<'a, T>,
    len: usize,
}

impl<'a, T: Real> Points<'a, T> {
    fn new(
        (x, x_layout): (&'a CpuStorage, &Layout),
        (y, y_layout): (&'a CpuStorage, &Layout),
    ) -> Result<Self> {
        Ok(Self {
            x: Strided::new(x, x_layout)?,
            y: Strided::new(y, y_layout)?,
            len: x_layout.dims()[0],
        })
    }

    fn sums<const K: usize>(self, terms: impl Terms<K>) -> Result<[f64; K]> {
        Ok(self.tree(terms, Arch::new(), 0, self.len))
    }

    /// The sums from `start` to `end`, which halves at whole leaves.
    fn tree<const K: usize>(
        self,
        terms: impl Terms<K>,
        arch: Arch,
        start: usize,
        end: usize,
    ) -> [f64; K] {
        if end - start <= LEAF {
            let points = self;
            return arch.dispatch(Leaf::<_, _, K> {
                points,
                terms,
                start,
                end,
            });
        }
        let middle = start + (end - start).div_ceil(LEAF) / 2 * LEAF;
        let (left, right) = rayon::join(
            || self.tree(terms, arch, start, middle),
            || self.tree(terms, arch, middle, end),
        );
        plus(left, right)
    }
}

/// The points from `start` to `end`, on one core.
struct Leaf<'a, T, P, const K: usize> {
    points: Points<'a, T>,
    terms: P,
    start: usize,
    end: usize,
}

impl<const K: usize, T: Real, P: Terms<K>> WithSimd for Leaf<'_, T, P, K> {
    type Output = [f64; K];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; K] {
        self.sums(simd)
    }
}

// All that runs within `with_simd` is `inline(always)`, and no closure: only what is inlined there
// is compiled for its instructions.
impl<const K: usize, T: Real, P: Terms<K>> Leaf<'_, T, P, K> {
    #[inline(always)]
    fn sums<S: Simd>(self, simd: S) -> [f64; K] {
        let Points { x, y, .. } = self.points;
        if x.stride == 1 && y.stride == 1 {
            let (x, y) = (&x.data[self.start..self.end], &y.data[self.start..self.end]);
            return contiguous(simd, self.terms, x, y);
        }
        let (mut gathered_x, mut gathered_y) = ([T::zero(); TILE], [T::zero(); TILE]);
        let mut total = [0.; K];
        let mut start = self.start;
        while start < self.end {
            let len = TILE.min(self.end - start);
            x.gather(start, &mut gathered_x[..len]);
            y.gather(start, &mut gathered_y[..len]);
            let tile = tile(simd, self.terms, &gathered_x[..len], &gathered_y[..len]);
            total = plus(total, tile);
            start += len;
        }
        total
    }
}

#[inline(always)]
fn contiguous<const K: usize, T: Real, S: Simd>(
    simd: S,
    terms: impl Terms<K>,
    x: &[T],
    y: &[T],
) -> [f64; K] {
    let mut total = [0.; K];
    for (x, y) in x.chunks(TILE).zip(y.chunks(TILE)) {
        total = plus(total, tile(simd, terms, x, y));
    }
    total
}

/// At most `TILE` points: the lanes side by side, then these together, then what is left.
#[inline(always)]
fn tile<const K: usize, T: Real, S: Simd, P: Terms<K>>(
    simd: S,
    terms: P,
    x: &[T],
    y: &[T],
) -> [f64; K] {
    if P::IN_F32
        && let (Some(x), Some(y)) = (T::f32s(x), T::f32s(y))
    {
        return tile_of_f32s(simd, terms, x, y);
    }
    let vectors = LANES / S::F64_LANES;
    let mut sums = [[simd.splat_f64s(0.); K]; LANES];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (widen(x), widen(y));
        let ((x, _), (y, _)) = (S::as_simd_f64s(&x), S::as_simd_f64s(&y));
        for v in 0..vectors {
            sums[v] = terms.add(simd, sums[v], x[v], y[v]);
        }
    }
    let mut total = [0.; K];
    for sums in &sums[..vectors] {
        for k in 0..K {
            total[k] += simd.reduce_sum_f64s(sums[k]);
        }
    }
    for (x, y) in x_rest.iter().zip(y_rest) {
        total = terms.add(Scalar, total, x.widen(), y.widen());
    }
    total
}

/// [`tile`] with terms in `f32`, a run at a time.
#[inline(always)]
fn tile_of_f32s<const K: usize, S: Simd>(
    simd: S,
    terms: impl Terms<K>,
    x: &[f32],
    y: &[f32],
) -> [f64; K] {
    let vectors = LANES_F32 / S::F32_LANES;
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES_F32>(), y.as_chunks::<LANES_F32>());
    let mut total = [0.; K];
    for (x, y) in x.chunks(RUN).zip(y.chunks(RUN)) {
        let mut sums = [[simd.splat_f32s(0.); K]; LANES_F32];
        for (x, y) in x.iter().zip(y) {
            let ((x, _), (y, _)) = (S::as_simd_f32s(x), S::as_simd_f32s(y));
            for v in 0..vectors {
                sums[v] = terms.add_f32s(simd, sums[v], x[v], y[v]);
            }
        }
        for sums in &sums[..vectors] {
            for k in 0..K {
                total[k] += f64::from(simd.reduce_sum_f32s(sums[k]));
            }
        }
    }
    for (x, y) in x_rest.iter().zip(y_rest) {
        total = terms.add(Scalar, total, x.widen(), y.widen());
    }
    total
}

#[inline(always)]
fn widen<T: Real>(values: &[T; LANES]) -> [f64; LANES] {
    let mut wide = [0.; LANES];
    for lane in 0..LANES {
        wide[lane] = values[lane].widen();
    }
    wide
}

#[inline(always)]
fn plus<const K: usize>(mut left: [f64; K], right: [f64; K]) -> [f64; K] {
    for k in 0..K {
        left[k] += right[k];
    }
    left
}
