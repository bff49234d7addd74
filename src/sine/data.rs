//! `x = torch.linspace(-math.pi, math.pi, 1000)`, `y = torch.sin(x)`.

use super::Weights;
use super::tensors::{Powers, tensors};
use crate::pytorch::linspace;
use candle_core::{DType, Device, Result, Tensor, bail};
use std::f64::consts::PI;

/// The points to fit: `x` and `y`, both of shape `(points,)`, in `f32` or `f64`.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::Data;
///
/// let data = Data::new(1000, DType::F32, &Device::Cpu)?;
/// assert_eq!(data.x.dims(), [1000]);
/// assert_eq!(data.x.get(0)?.to_scalar::<f32>()?, -std::f32::consts::PI);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Data {
    /// Where
    pub x: Tensor,
    /// What
    pub y: Tensor,
}

impl Data {
    /// `points` of sin(x), equally spaced over [-π, π], in `f32` or `f64`.
    ///
    /// # Errors
    /// Fewer than two points, another dtype, or a GPU that is out of memory.
    pub fn new(points: usize, dtype: DType, device: &Device) -> Result<Self> {
        if points < 2 {
            bail!("{points} points do not span [-pi, pi]: at least 2 are needed")
        }
        let x = linspace(-PI, PI, points, dtype, device)?;
        let y = x.sin()?;
        Ok(Self { x, y })
    }

    /// y_pred = a x³ + b x² + c x + d, of shape `(points,)`.
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use candle_sine::sine::Data;
    ///
    /// let x = Tensor::new(&[0., 1., 2.], &Device::Cpu)?;
    /// let data = Data { y: x.clone(), x };
    /// assert_eq!(data.y_pred([1., 2., 3., 4.])?.to_vec1::<f64>()?, [4., 10., 26.]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn y_pred(&self, weights: Weights) -> Result<Tensor> {
        let weights = tensors(weights, self.x.dtype(), self.x.device())?;
        Powers::of(self)?.cubic(&weights)
    }

    /// Some `most` of the points, or all where there are no more: evenly chosen, the first and the last among
    /// them. What a plot needs.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn thinned(&self, most: usize) -> Result<Self> {
        let last = self.x.elem_count() - 1;
        let step = last.div_ceil(most.max(2) - 1).max(1);
        let chosen = (0..last).step_by(step).chain([last]).map(|i| i as i64);
        let chosen = Tensor::from_iter(chosen, self.x.device())?;
        Ok(Self {
            x: self.x.index_select(&chosen, 0)?,
            y: self.y.index_select(&chosen, 0)?,
        })
    }

    /// The points in order, at most `most` of them together.
    pub(super) fn parts(&self, most: usize) -> Result<Vec<Self>> {
        let points = self.x.elem_count();
        let part = |start: usize| {
            let n = most.min(points - start);
            Ok(Self {
                x: self.x.narrow(0, start, n)?,
                y: self.y.narrow(0, start, n)?,
            })
        };
        (0..points).step_by(most).map(part).collect()
    }

    /// The same points, exactly, in `f64` on the CPU: a GPU need not have `f64`.
    pub(super) fn wide(&self) -> Result<Self> {
        let wide = |t: &Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F64);
        Ok(Self {
            x: wide(&self.x)?,
            y: wide(&self.y)?,
        })
    }
}
