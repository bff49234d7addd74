//! What a float type can hold: its positive values, counted from zero.

use candle_core::{DType, Device, Result, Tensor};

#[derive(Clone, Copy)]
pub struct Float {
    pub dtype: DType,
    /// The bits of the fraction.
    fraction: i32,
    /// The exponent of the smallest normal value.
    least: i32,
    pub largest: f64,
    pub smallest: f64,
    /// The smallest positive value that arithmetic keeps: on an x86 processor with AVX512_BF16 candle's sums and
    /// products in bf16 give 0 for subnormals (candle-core 0.11.1, `src/cpu/avx.rs`, `vec_store`).
    pub kept: f64,
}

impl Float {
    pub fn of(dtype: DType) -> Self {
        let (fraction, least) = match dtype {
            DType::F32 => (23, -126),
            DType::F16 => (10, -14),
            _ => (7, -126),
        };
        let smallest = power(least - fraction);
        let sum = || -> Result<Vec<f64>> {
            let x = Tensor::full(smallest, 64, &Device::Cpu)?.to_dtype(dtype)?;
            (&x + &x)?.to_dtype(DType::F64)?.to_vec1()
        };
        let flushes = sum().is_ok_and(|sum| sum.contains(&0.));
        Self {
            dtype,
            fraction,
            least,
            largest: (2. - power(-fraction)) * power(1 - least),
            smallest,
            kept: if flushes { power(least) } else { smallest },
        }
    }

    pub fn is_short(&self) -> bool {
        self.largest < 1e6
    }

    /// Half the distance from 1 to the next value.
    pub fn unit(&self) -> f64 {
        power(-self.fraction - 1)
    }

    /// The nearest value, infinite beyond the largest.
    pub fn round(&self, x: f64) -> f64 {
        if x == 0. || !x.is_finite() {
            return x;
        }
        let quantum = power(exponent(x).max(self.least) - self.fraction);
        let rounded = (x / quantum).round_ties_even() * quantum;
        if rounded.abs() > self.largest {
            f64::INFINITY.copysign(x)
        } else {
            rounded
        }
    }

    /// How many positive values lie at or below a positive value of the type.
    fn index(&self, x: f64) -> u64 {
        let e = exponent(x).max(self.least);
        let steps = (x / power(e - self.fraction)) as u64;
        steps + (((e - self.least) as u64) << self.fraction)
    }

    /// The inverse.
    fn value(&self, index: u64) -> f64 {
        let binade = (index >> self.fraction).saturating_sub(1);
        let steps = index - (binade << self.fraction);
        steps as f64 * power(self.least + binade as i32 - self.fraction)
    }

    /// The magnitudes for functions of one tensor: every value of the 16-bit types; of f32 several to a power of
    /// two, and many where exponentials end.
    pub fn magnitudes(&self) -> Vec<f64> {
        if self.fraction < 23 {
            return (1..=self.index(self.largest))
                .map(|i| self.value(i))
                .collect();
        }
        let mut values = self.grid(&[0., 0.1357, 0.25, 0.3861, 0.5, 0.6359, 0.75, 0.99999], 1);
        values.extend(self.between(1., 256., 1024));
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    }

    /// Every so many powers of two times 1 + each of the fractions, and the largest value, in rising order.
    pub fn grid(&self, fractions: &[f64], every: usize) -> Vec<f64> {
        let exponents = (self.least - self.fraction..=1 - self.least).step_by(every);
        let values = exponents.flat_map(|e| fractions.iter().map(move |f| power(e) * (1. + f)));
        let values = values.map(|x| self.round(x)).filter(|x| x.is_finite());
        let mut values: Vec<f64> = values.chain([self.largest]).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    }

    /// Up to `n` values strictly between two positive values, evenly spaced in their order.
    pub fn between(&self, a: f64, b: f64, n: u64) -> Vec<f64> {
        let (a, b) = (self.index(a.min(b)), self.index(a.max(b)));
        let inside = b.saturating_sub(a + 1);
        let n = n.min(inside);
        (0..n)
            .map(|k| self.value(a + 1 + inside * (2 * k + 1) / (2 * n)))
            .collect()
    }
}

fn power(e: i32) -> f64 {
    2f64.powi(e)
}

/// The exponent of a number that is not zero: 2^e ≤ |x| < 2^(e+1).
fn exponent(x: f64) -> i32 {
    (x.abs().to_bits() >> 52) as i32 - 1023
}
