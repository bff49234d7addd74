//! `y_pred = a * x**3 + b * x**2 + c * x + d`.

use super::Weights;
use candle_core::{Result, Tensor};

/// x, x² and x³, each of shape `(points,)`: computed once, since x never changes.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_sine::sine::cubic::Powers;
///
/// let powers = Powers::new(&Tensor::new(&[-2., 3.], &Device::Cpu)?)?;
/// assert_eq!(powers.x3.to_vec1::<f64>()?, [-8., 27.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Powers {
    /// x
    pub x: Tensor,
    /// x² = x x
    pub x2: Tensor,
    /// x³, rounded once
    pub x3: Tensor,
}

impl Powers {
    /// The powers of `x`.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn new(x: &Tensor) -> Result<Self> {
        Ok(Self {
            x: x.clone(),
            x2: x.powf(2.)?,
            x3: x.powf(3.)?,
        })
    }
}

/// The cubic at every x: shape `(points,)`.
///
/// A weight has rank 0 and x rank 1, so candle asks for `broadcast_mul` where PyTorch lets `*`
/// broadcast.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_sine::sine::cubic::{Powers, cubic};
/// use candle_sine::sine::Weights;
///
/// let powers = Powers::new(&Tensor::new(&[0., 1., 2.], &Device::Cpu)?)?;
/// let w = Weights::new([1., 2., 3., 4.], DType::F64, &Device::Cpu)?;
/// assert_eq!(cubic(&powers, &w)?.to_vec1::<f64>()?, [4., 10., 26.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Weights of another dtype or on another device than x.
pub fn cubic(powers: &Powers, w: &Weights) -> Result<Tensor> {
    let y = powers.x3.broadcast_mul(&w.a)?;
    let y = (y + powers.x2.broadcast_mul(&w.b)?)?;
    let y = (y + powers.x.broadcast_mul(&w.c)?)?;
    y.broadcast_add(&w.d)
}
