//! What can be drawn: anything that is a list of numbers.

use candle_core::{DType, Device, Result, Tensor};

/// A list of numbers, as `f64`.
pub trait Values {
    /// The numbers, in order.
    ///
    /// # Errors
    /// A device that cannot be read.
    fn values(&self) -> Result<Vec<f64>>;
}

/// Of any shape, dtype and device, in the order of its elements.
impl Values for Tensor {
    fn values(&self) -> Result<Vec<f64>> {
        // To the CPU first: Metal has no f64.
        let here = self.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        here.flatten_all()?.to_vec1()
    }
}

impl<T: Copy + Into<f64>> Values for [T] {
    fn values(&self) -> Result<Vec<f64>> {
        Ok(self.iter().map(|&value| value.into()).collect())
    }
}

impl<T: Copy + Into<f64>> Values for Vec<T> {
    fn values(&self) -> Result<Vec<f64>> {
        self.as_slice().values()
    }
}

impl<T: Copy + Into<f64>, const N: usize> Values for [T; N] {
    fn values(&self) -> Result<Vec<f64>> {
        self.as_slice().values()
    }
}
