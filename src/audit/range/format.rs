//! What a float type can hold: its positive values, counted from zero.

use candle_core::{DType, Device, Result, Tensor};

/// A float type, its positive values in order.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The type.
    pub dtype: DType,
    /// The bits of the fraction.
    fraction: i32,
    /// The exponent of the smallest normal value.
    least: i32,
    /// The largest finite value.
    pub largest: f64,
    /// The smallest positive value that arithmetic keeps: see [`Self::on`].
    pub kept: f64,
}

impl Format {
    /// Of a float type; the 8-bit ones are taken for bf16.
    pub fn of(dtype: DType) -> Self {
        let (fraction, least) = match dtype {
            DType::F64 => (52, -1022),
            DType::F32 => (23, -126),
            DType::F16 => (10, -14),
            _ => (7, -126),
        };
        let top = 1 - least;
        Self {
            dtype,
            fraction,
            least,
            largest: (2. - power(-fraction)) * power(top),
            kept: power(least - fraction),
        }
    }

    /// The same where subnormals are kept on this device, and without them where they are not: on an
    /// x86 processor with AVX512_BF16 candle's sums and products in bf16 give 0 for them (candle-core
    /// 0.11.1, `src/cpu/avx.rs`, `vec_store`: VCVTNEPS2BF16, which does so by its definition).
    pub fn on(self, device: &Device) -> Self {
        let sum = || -> Result<Vec<f64>> {
            let smallest = Tensor::full(self.smallest(), 64, &Device::Cpu)?;
            let smallest = smallest.to_dtype(self.dtype)?.to_device(device)?;
            (&smallest + &smallest)?.to_dtype(DType::F64)?.to_vec1()
        };
        let kept = match sum() {
            Ok(sum) if sum.contains(&0.) => power(self.least),
            _ => self.smallest(),
        };
        Self { kept, ..self }
    }

    /// The smallest positive value, a subnormal.
    pub fn smallest(&self) -> f64 {
        power(self.least - self.fraction)
    }

    /// Half the distance from 1 to the next value.
    pub fn unit(&self) -> f64 {
        power(-self.fraction - 1)
    }

    /// The nearest value, infinite beyond the largest.
    pub fn round(&self, x: f64) -> f64 {
        if self.dtype == DType::F64 || x == 0. || !x.is_finite() {
            return x;
        }
        let quantum = power(exponent(x).max(self.least) - self.fraction);
        let rounded = (x / quantum).round_ties_even() * quantum;
        if rounded.abs() > self.largest {
            return f64::INFINITY.copysign(x);
        }
        rounded
    }

    /// How many positive values lie at or below a positive value of the type.
    pub fn index(&self, x: f64) -> u64 {
        let e = exponent(x).max(self.least);
        let steps = (x / power(e - self.fraction)) as u64;
        steps + (((e - self.least) as u64) << self.fraction)
    }

    /// The value with this index; the inverse of [`Self::index`].
    pub fn value(&self, index: u64) -> f64 {
        let binade = (index >> self.fraction).saturating_sub(1);
        let steps = index - (binade << self.fraction);
        steps as f64 * power(self.least + binade as i32 - self.fraction)
    }

    /// Every positive finite value.
    pub fn every(&self) -> Vec<f64> {
        (1..=self.index(self.largest))
            .map(|i| self.value(i))
            .collect()
    }

    /// Every power of two of the type times 1 + each of the fractions, rounded, and the largest
    /// value: in rising order.
    pub fn grid(&self, fractions: &[f64], every: usize) -> Vec<f64> {
        let exponents = (self.least - self.fraction..=1 - self.least).step_by(every);
        let mut values: Vec<f64> = exponents
            .flat_map(|e| fractions.iter().map(move |f| power(e) * (1. + f)))
            .map(|x| self.round(x))
            .filter(|x| x.is_finite())
            .chain([self.largest])
            .collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    }

    /// Up to `n` values strictly between two positive values, evenly spaced in their order: the one
    /// in the middle, where `n` is 1.
    pub fn between(&self, a: f64, b: f64, n: u64) -> Vec<f64> {
        let (a, b) = (self.index(a.min(b)), self.index(a.max(b)));
        let inside = b.saturating_sub(a + 1);
        let n = n.min(inside);
        let step = |k: u64| (u128::from(inside) * u128::from(2 * k + 1) / u128::from(2 * n)) as u64;
        (0..n).map(|k| self.value(a + 1 + step(k))).collect()
    }
}

/// 2^e, subnormal where f64 needs it.
fn power(e: i32) -> f64 {
    if e < -1022 {
        f64::from_bits(1u64 << (e + 1074).max(0))
    } else {
        f64::from_bits(((e.min(1023) + 1023) as u64) << 52)
    }
}

/// The exponent of a finite number that is not zero: 2^e ≤ |x| < 2^(e+1).
fn exponent(x: f64) -> i32 {
    let bits = x.abs().to_bits();
    match (bits >> 52) as i32 {
        0 => -1011 - bits.leading_zeros() as i32,
        biased => biased - 1023,
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, exponent, power};
    use candle_core::{DType, Device, Tensor};

    #[test]
    fn the_values_are_the_types_own() {
        for dtype in [DType::F16, DType::BF16, DType::F32] {
            let format = Format::of(dtype);
            for i in (1..=format.index(format.largest)).step_by(997) {
                let x = format.value(i);
                assert_eq!(format.index(x), i, "{dtype:?}");
                assert_eq!(format.round(x), x);
                let t = Tensor::new(x, &Device::Cpu).and_then(|t| t.to_dtype(dtype));
                let back = t.and_then(|t| t.to_dtype(DType::F64)?.to_scalar::<f64>());
                assert_eq!(back.ok(), Some(x));
            }
        }
        assert_eq!(Format::of(DType::F16).largest, 65504.);
        assert_eq!(Format::of(DType::F32).largest, f64::from(f32::MAX));
        assert_eq!(Format::of(DType::F64).largest, f64::MAX);
        assert_eq!(Format::of(DType::F64).smallest(), 5e-324);
        assert_eq!(Format::of(DType::F16).every().len(), 31743);
    }

    #[test]
    fn numbers_round_as_candle_rounds() {
        for dtype in [DType::F16, DType::BF16, DType::F32] {
            let format = Format::of(dtype);
            for k in 0..4000 {
                let x = (1. + f64::from(k % 97) / 97.) * power(k % 300 - 160);
                let t = Tensor::new(x, &Device::Cpu).and_then(|t| t.to_dtype(dtype));
                let candle = t.and_then(|t| t.to_dtype(DType::F64)?.to_scalar::<f64>());
                let (ours, candle) = (format.round(x), candle.unwrap_or(f64::NAN));
                // candle rounds f64 to f16 by way of f32.
                let close = (ours - candle).abs() <= format.unit() * x;
                assert!(
                    ours == candle || dtype == DType::F16 && close,
                    "{x} {dtype:?}"
                );
            }
        }
    }

    #[test]
    fn exponents_of_subnormals_too() {
        assert_eq!(
            [exponent(1.), exponent(-0.75), exponent(5e-324)],
            [0, -1, -1074]
        );
        assert_eq!(power(-1074), 5e-324);
    }
}
