//! What the machine allows: `cargo run --release --example floor -- POINTS` prints, as JSON, the
//! seconds that reading two f32 vectors of POINTS once takes with the plainest loop there is, and
//! the fused multiply-adds of one core.
//!
//! A pass over x and y can be no faster than this read; that it does more than read must not show.

use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sums in flight: enough to hide the latency of an addition.
const AT_ONCE: usize = 8;
const LEAF: usize = 1 << 16;

/// The sum of all elements, in whatever order is fastest.
struct Read<'a>(&'a [f32]);

impl WithSimd for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (vectors, rest) = S::as_simd_f32s(self.0);
        let (rows, vectors) = vectors.as_chunks::<AT_ONCE>();
        let mut sums = [simd.splat_f32s(0.); AT_ONCE];
        for row in rows {
            for i in 0..AT_ONCE {
                sums[i] = simd.add_f32s(sums[i], row[i]);
            }
        }
        let mut total = rest.iter().sum::<f32>();
        for vector in vectors.iter().chain(&sums) {
            total += simd.reduce_sum_f32s(*vector);
        }
        total
    }
}

fn read(arch: Arch, x: &[f32], y: &[f32]) -> f32 {
    if x.len() <= LEAF {
        return arch.dispatch(Read(x)) + arch.dispatch(Read(y));
    }
    let middle = x.len().div_ceil(LEAF) / 2 * LEAF;
    let ((x, x_rest), (y, y_rest)) = (x.split_at(middle), y.split_at(middle));
    let (left, right) = rayon::join(|| read(arch, x, y), || read(arch, x_rest, y_rest));
    left + right
}

/// `self.0` rounds of independent multiply-adds, as many at once as there are registers for.
struct MultiplyAdd(usize);

impl MultiplyAdd {
    const AT_ONCE: usize = 12;
}

impl WithSimd for MultiplyAdd {
    type Output = (f64, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f64, usize) {
        let (factor, term) = (
            simd.splat_f64s(black_box(0.999)),
            simd.splat_f64s(black_box(1.)),
        );
        let mut values = [simd.splat_f64s(black_box(1.)); Self::AT_ONCE];
        for _ in 0..self.0 {
            for value in &mut values {
                *value = simd.mul_add_e_f64s(*value, factor, term);
            }
        }
        let mut total = 0.;
        for value in values {
            total += simd.reduce_sum_f64s(value);
        }
        (total, self.0 * Self::AT_ONCE * S::F64_LANES)
    }
}

/// The median over some 0.3 s of runs.
fn median_seconds(mut run: impl FnMut()) -> f64 {
    run();
    let (began, mut times) = (Instant::now(), vec![]);
    while times.len() < 5 || began.elapsed().as_secs_f64() < 0.3 {
        let one = Instant::now();
        run();
        times.push(one.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let points = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let points: usize = points.unwrap_or(1000);
    let (x, y) = (vec![1f32; points], vec![2f32; points]);
    let arch = Arch::new();
    // Short reads by the thousand, so that the clock does not show.
    let times = (1_000_000 / points).max(1);
    let seconds = rayon::scope(|_| {
        median_seconds(|| {
            for _ in 0..times {
                black_box(read(arch, black_box(&x), black_box(&y)));
            }
        })
    }) / times as f64;
    let mut count = 0;
    let arithmetic = median_seconds(|| count = black_box(arch.dispatch(MultiplyAdd(100_000))).1);
    println!(
        "{{\"points\": {points}, \"read_seconds\": {seconds:e}, \"gb_per_second\": {:.2}, \"multiply_adds_per_second\": {:.4e}}}",
        8e-9 * points as f64 / seconds,
        count as f64 / arithmetic,
    );
}
