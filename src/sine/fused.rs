//! PyTorch's last step, an operation of one's own (`src/tutorial/custom_op.rs`): the loss and its gradient in
//! one pass over x and y, and no tensor of their size.

use super::{Data, Descent, Weights};
use candle_core::{DType, Result, Storage, Tensor, WithDType, bail};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Weights that are four numbers: tensors of one element would cost more than a thousand points do.
pub(super) struct Fused {
    x: Tensor,
    y: Tensor,
    weights: Weights,
    gradient: Weights,
    learning_rate: f64,
}

impl Fused {
    pub fn new(data: &Data, weights: Weights, learning_rate: f64) -> Result<Self> {
        let (x, y) = (data.x.contiguous()?, data.y.contiguous()?);
        Ok(Self {
            weights: weights.map(|w| rounded(w, x.dtype())),
            gradient: Weights::default(),
            learning_rate: rounded(learning_rate, x.dtype()),
            x,
            y,
        })
    }
}

impl Descent for Fused {
    fn epoch(&mut self) -> Result<f64> {
        let dtype = self.x.dtype();
        // e is y_pred - y: the loss Σ e², and its gradient 2 Σ e (x³, x², x, 1).
        let [loss, x3, x2, x, one] = match dtype {
            DType::F32 => sums::<f32>(&self.x, &self.y, self.weights.map(|w| w as f32))?,
            _ => sums::<f64>(&self.x, &self.y, self.weights)?,
        };
        self.gradient = [x3, x2, x, one].map(|sum| rounded(2. * sum, dtype));
        for (w, grad) in self.weights.iter_mut().zip(self.gradient) {
            *w = rounded(*w - rounded(self.learning_rate * grad, dtype), dtype);
        }
        Ok(rounded(loss, dtype))
    }

    fn weights(&self) -> Result<Weights> {
        Ok(self.weights)
    }

    fn gradient(&self) -> Result<Weights> {
        Ok(self.gradient)
    }
}

/// What a tensor of the dtype would hold.
pub(super) fn rounded(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(value as f32),
        _ => value,
    }
}

/// Points that one core adds by itself.
const SHARE: usize = 1 << 16;

/// Σ e², Σ e x³, Σ e x², Σ e x, Σ e. Shares are added in their order, so that the digits do not depend on
/// the number of cores.
fn sums<T: Real>(x: &Tensor, y: &Tensor, weights: [T; 4]) -> Result<[f64; 5]> {
    let ((x, x_layout), (y, y_layout)) = (x.storage_and_layout(), y.storage_and_layout());
    let (Storage::Cpu(x), Storage::Cpu(y)) = (&*x, &*y) else {
        bail!("fused: x and y are not on the CPU")
    };
    let x = &x.as_slice::<T>()?[x_layout.start_offset()..][..x_layout.shape().elem_count()];
    let y = &y.as_slice::<T>()?[y_layout.start_offset()..][..y_layout.shape().elem_count()];
    let arch = Arch::new();
    let of = |(x, y)| arch.dispatch(Pass { x, y, weights });
    if x.len() <= SHARE {
        return Ok(of((x, y)));
    }
    let shares = x.par_chunks(SHARE).zip(y.par_chunks(SHARE));
    let shares: Vec<[f64; 5]> = shares.map(of).collect();
    let total = |k: usize| shares.iter().map(|sums| sums[k]).sum();
    Ok(std::array::from_fn(total))
}

/// f32 and f64.
trait Real: WithDType + Into<f64> {}
impl Real for f32 {}
impl Real for f64 {}

/// Sums at once: the compiler turns them into a vector register, or several.
const LANES: usize = 16;

/// Terms that a lane adds up in `f32` before it goes on in `f64`: each addition is off by at most 2⁻²⁴ of the
/// sum so far.
const RUN: usize = 64;

/// Some points, for one core. pulp compiles what is inlined here once for each set of vector
/// instructions, and chooses among them when the program runs.
struct Pass<'a, T> {
    x: &'a [T],
    y: &'a [T],
    weights: [T; 4],
}

impl<T: Real> WithSimd for Pass<'_, T> {
    type Output = [f64; 5];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; 5] {
        let mut total = [0.; 5];
        let runs = self.x.chunks(RUN * LANES).zip(self.y.chunks(RUN * LANES));
        for (x, y) in runs {
            let mut sums = [[T::zero(); LANES]; 5];
            for (x, y) in x.chunks_exact(LANES).zip(y.chunks_exact(LANES)) {
                for lane in 0..LANES {
                    add(&mut sums, lane, x[lane], y[lane], self.weights);
                }
            }
            let rest = x.len() - x.len() % LANES;
            for (lane, (x, y)) in x[rest..].iter().zip(&y[rest..]).enumerate() {
                add(&mut sums, lane, *x, *y, self.weights);
            }
            for k in 0..5 {
                for sum in sums[k] {
                    total[k] += sum.into();
                }
            }
        }
        total
    }
}

#[inline(always)]
fn add<T: Real>(sums: &mut [[T; LANES]; 5], lane: usize, x: T, y: T, [a, b, c, d]: [T; 4]) {
    let x2 = x * x;
    let x3 = x2 * x;
    let e = a * x3 + b * x2 + c * x + (d - y);
    let terms = [e * e, e * x3, e * x2, e * x, e];
    for k in 0..5 {
        sums[k][lane] += terms[k];
    }
}
