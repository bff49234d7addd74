//! Values that depend on a seed alone, where candle's own come from the system.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarMap;

pub const CPU: &Device = &Device::Cpu;

/// Uniform numbers, the same on every machine (Knuth's MMIX generator).
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        let mut numbers = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1);
        (0..8).for_each(|_| {
            numbers.next();
        });
        numbers
    }

    /// From -1 to 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.
    }

    /// Of standard deviation `scale`, nearly normal.
    pub fn tensor(&mut self, dims: &[usize], scale: f64, dtype: DType) -> Result<Tensor> {
        let n = dims.iter().product();
        let values: Vec<f64> = (0..n)
            .map(|_| scale * (self.next() + self.next() + self.next()))
            .collect();
        Tensor::from_vec(values, dims, CPU)?.to_dtype(dtype)
    }
}

/// Gives every variable of a model new values, of the size that its kind usually has.
pub fn fill(varmap: &VarMap, seed: u64) -> Result<()> {
    let mut numbers = Numbers::new(seed);
    let data = varmap.data().lock().unwrap();
    let mut named: Vec<_> = data.iter().collect();
    named.sort_by_key(|(name, _)| name.as_str());
    for (name, var) in named {
        let dims = var.dims();
        let fan_in: usize = dims[1..].iter().product();
        let (mean, scale) = match name.rsplit('.').next().unwrap() {
            "running_var" => (1.5, 0.1),
            "running_mean" => (0., 0.2),
            "weight" if ["bn", "ln"].iter().any(|norm| name.contains(norm)) => (1., 0.1),
            _ if dims.len() == 1 => (0., 0.1),
            _ => (0., 1. / (fan_in as f64).sqrt()),
        };
        let values = (numbers.tensor(dims, scale, DType::F64)? + mean)?;
        var.set(&values.to_dtype(var.dtype())?.to_device(var.device())?)?;
    }
    Ok(())
}
