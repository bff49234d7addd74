//! `.sum()` in the order in which PyTorch adds, so that its digits come out.
//!
//! Floating-point addition is not associative: candle's own `sum_all` is as right as PyTorch's,
//! but 6 or 7 of the post's ten losses then differ in their last digits. PyTorch keeps many
//! running sums at once, a vector register wide and four registers deep (`SumKernel.cpp`,
//! `cascade_sum`). That is also what SIMD wants, so this order costs nothing.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, WithDType};
use std::ops::AddAssign;

/// The sum of all elements, of rank 0.
///
/// On the CPU, for `f32` and `f64`, in PyTorch's order (a tensor that is not contiguous is first
/// copied); elsewhere by candle's own sums. The gradient is the output's, broadcast to the input.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_sine::pytorch::sum;
///
/// let x = Tensor::arange(0f32, 1000., &Device::Cpu)?;
/// assert_eq!(sum(&x)?.to_scalar::<f32>()?, 499500.);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// A device that cannot add.
pub fn sum(x: &Tensor) -> Result<Tensor> {
    match (x.device().is_cpu(), x.dtype()) {
        (true, DType::F32 | DType::F64) => x.contiguous()?.apply_op1(Sum),
        _ => by_rows(x),
    }
}

/// Rows, at most: enough to keep every part of a GPU at work.
const ROWS: usize = 1024;

/// Elements that are not worth a second sum.
const FEW: usize = 1 << 16;

/// The sum of the sums of rows. A sum to one element is the work of one block of threads in candle's
/// CUDA kernels (candle-core 0.11.1, `FastReduce`): of one multiprocessor, where an H100 has 132.
fn by_rows(x: &Tensor) -> Result<Tensor> {
    let n = x.elem_count();
    match (1..=ROWS).rev().find(|rows| n.is_multiple_of(*rows)) {
        Some(rows) if n > FEW => x.reshape((rows, n / rows))?.sum(1)?.sum_all(),
        _ => x.sum_all(),
    }
}

struct Sum;

impl CustomOp1 for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("sum needs a contiguous tensor")
        };
        let total = match storage {
            // PyTorch adds registers of 256 bits, also where the processor has wider ones.
            CpuStorage::F32(x) => f32::to_cpu_storage(&[total::<f32, 8>(&x[start..end])]),
            CpuStorage::F64(x) => f64::to_cpu_storage(&[total::<f64, 4>(&x[start..end])]),
            other => candle_core::bail!("sum is written for f32 and f64, not {:?}", other.dtype()),
        };
        Ok((total, Shape::from(())))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        grad_res.broadcast_as(arg.shape()).map(Some)
    }
}

/// Fewer elements than a register holds are added as registers of one.
fn total<T: WithDType + AddAssign, const LANES: usize>(x: &[T]) -> T {
    match x.len() < LANES {
        true => cascade_sum::<T, 1>(x),
        false => cascade_sum::<T, LANES>(x),
    }
}

/// Registers that PyTorch fills in turn.
const ILP: usize = 4;

/// A row is `ILP` registers of `LANES` elements. Rows are added into one running row; every
/// `block` rows that is added to a second and cleared, and so on through four levels, so that the
/// error grows with log n rather than n.
fn cascade_sum<T: WithDType + AddAssign, const LANES: usize>(x: &[T]) -> T {
    let vectors = x.len() / LANES;
    let level_power = (vectors / ILP).max(1).next_power_of_two().trailing_zeros() as usize / 4;
    let level_power = level_power.max(4);
    let mut levels = [[[T::zero(); LANES]; ILP]; 4];
    let rows = x.chunks_exact(ILP * LANES);
    let rest = rows.remainder();
    for (i, row) in rows.enumerate() {
        add_row(&mut levels[0], row);
        carry(&mut levels, i + 1, level_power);
    }
    let [mut total, upper @ ..] = levels;
    for level in upper {
        for (t, l) in total
            .as_flattened_mut()
            .iter_mut()
            .zip(level.as_flattened())
        {
            *t += *l;
        }
    }
    finish(total, rest)
}

fn add_row<T: WithDType + AddAssign, const LANES: usize>(sums: &mut [[T; LANES]; ILP], row: &[T]) {
    for (s, v) in sums.as_flattened_mut().iter_mut().zip(row) {
        *s += *v;
    }
}

/// After every 2^p rows level 0 goes into level 1, after every 2^2p level 1 into level 2, ...
fn carry<T: WithDType + AddAssign, const LANES: usize>(
    levels: &mut [[[T; LANES]; ILP]; 4],
    rows: usize,
    level_power: usize,
) {
    for level in 1..4 {
        if !rows.is_multiple_of(1 << (level * level_power)) {
            return;
        }
        let lower = std::mem::replace(&mut levels[level - 1], [[T::zero(); LANES]; ILP]);
        add_row(&mut levels[level], lower.as_flattened());
    }
}

/// Leftover registers go into the first; the four are added in order; then the leftover elements
/// are summed and the lanes added to them one by one.
fn finish<T: WithDType + AddAssign, const LANES: usize>(
    mut sums: [[T; LANES]; ILP],
    rest: &[T],
) -> T {
    let vectors = rest.chunks_exact(LANES);
    let scalars = vectors.remainder();
    for vector in vectors {
        for (s, v) in sums[0].iter_mut().zip(vector) {
            *s += *v;
        }
    }
    let [mut lanes, others @ ..] = sums;
    for other in others {
        for (s, v) in lanes.iter_mut().zip(other) {
            *s += v;
        }
    }
    let mut total = T::zero();
    for v in scalars.iter().chain(&lanes) {
        total += *v;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::{FEW, by_rows};
    use candle_core::{Device, Result, Tensor, Var};

    #[test]
    fn rows_add_up_whatever_the_length() -> Result<()> {
        // None, few, a prime number, and as many as make 1024, 1000 and 3 rows.
        for n in [0, 1000, 65_537, FEW + 1024, 100_000, 3 * 65_537] {
            let x = Var::from_tensor(&Tensor::arange(0f64, n as f64, &Device::Cpu)?)?;
            let total = by_rows(&x)?;
            let exact = n as f64 * (n as f64 - 1.) / 2.;
            assert_eq!(total.to_scalar::<f64>()?.abs(), exact.abs(), "{n}");
            let grads = (total * 3.)?.backward()?;
            let grad = grads.get(&x).map(|grad| grad.to_vec1::<f64>());
            assert_eq!(grad.transpose()?, Some(vec![3.; n]));
        }
        Ok(())
    }
}
