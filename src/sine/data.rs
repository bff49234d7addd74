//! `x = torch.linspace(-math.pi, math.pi, 1000)`, `y = torch.sin(x)`.

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

/// `steps` equally spaced values from `start` to `end`, both included: shape `(steps,)`.
///
/// candle has no `linspace`. This one has PyTorch's bits: it steps from the start in the first
/// half and back from the end in the second, each by one fused multiply-add, so that an even
/// number of points around 0 comes out symmetric
/// ([`torch.linspace`](https://pytorch.org/docs/stable/generated/torch.linspace.html),
/// `RangeFactories.cpp`).
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::data::linspace;
///
/// let x = linspace(-1., 1., 5, DType::F64, &Device::Cpu)?;
/// assert_eq!(x.to_vec1::<f64>()?, [-1., -0.5, 0., 0.5, 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// A dtype other than `f32` and `f64`.
pub fn linspace(
    start: f64,
    end: f64,
    steps: usize,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let from_end = |i| steps - 1 - i;
    match dtype {
        DType::F32 => {
            let (start, end) = (start as f32, end as f32);
            let step = (end - start) / (steps.max(2) - 1) as f32;
            let at = |i| match i < steps / 2 {
                true => step.mul_add(i as f32, start),
                false => (-step).mul_add(from_end(i) as f32, end),
            };
            Tensor::from_iter((0..steps).map(at), device)
        }
        DType::F64 => {
            let step = (end - start) / (steps.max(2) - 1) as f64;
            let at = |i| match i < steps / 2 {
                true => step.mul_add(i as f64, start),
                false => (-step).mul_add(from_end(i) as f64, end),
            };
            Tensor::from_iter((0..steps).map(at), device)
        }
        other => bail!(
            "linspace is written for f32 and f64, not for {}",
            other.as_str()
        ),
    }
}
