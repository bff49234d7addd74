//! `x = torch.linspace(-math.pi, math.pi, 1000)`, `y = torch.sin(x)`.

use crate::pytorch::linspace;
use candle_core::{DType, Device, Result, Tensor, bail};
use std::f64::consts::PI;

/// The points to fit: `x` and `y = sin(x)`, both of shape `(points,)`.
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
    /// Where: `points` equally spaced values over [-π, π].
    pub x: Tensor,
    /// What: sin(x).
    pub y: Tensor,
}

impl Data {
    /// `points` of sin over [-π, π], in `f32` or `f64`.
    ///
    /// # Errors
    /// Fewer than two points, a dtype other than `f32` and `f64`, or a GPU that is out of memory.
    pub fn new(points: usize, dtype: DType, device: &Device) -> Result<Self> {
        if points < 2 {
            bail!("{points} points do not span [-pi, pi]: at least 2 are needed")
        }
        let x = linspace(-PI, PI, points, dtype, device)?;
        let y = x.sin()?;
        Ok(Self { x, y })
    }

    /// At most `most` of the points (at least two), evenly chosen, the first and the last among
    /// them: what a plot needs.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn thinned(&self, most: usize) -> Result<Self> {
        let points = self.x.elem_count();
        if points <= most {
            return Ok(self.clone());
        }
        let step = (points - 1).div_ceil(most.max(2) - 1);
        let last = (points - 1) as i64;
        let chosen = (0..last).step_by(step).chain([last]);
        let chosen = Tensor::from_iter(chosen, self.x.device())?;
        Ok(Self {
            x: self.x.index_select(&chosen, 0)?,
            y: self.y.index_select(&chosen, 0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Data;
    use candle_core::{DType, Device, Result};

    #[test]
    fn thinned_keeps_the_ends_and_every_third_between() -> Result<()> {
        let data = Data::new(10, DType::F64, &Device::Cpu)?;
        let (all, thinned) = (data.x.to_vec1::<f64>()?, data.thinned(4)?);
        assert_eq!(
            thinned.x.to_vec1::<f64>()?,
            [all[0], all[3], all[6], all[9]]
        );
        assert_eq!(
            data.thinned(3)?.x.to_vec1::<f64>()?,
            [all[0], all[5], all[9]]
        );
        assert_eq!(data.thinned(10)?.x.elem_count(), 10);
        Ok(())
    }
}
