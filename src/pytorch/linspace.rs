//! `torch.linspace(start, end, steps)`.

use candle_core::{DType, Device, Result, Tensor, bail};

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
/// use candle_sine::pytorch::linspace;
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
