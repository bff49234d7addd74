//! Is the gradient that the post writes by hand right? Beside candle's, and beside differences of the loss.

use super::tensors::{number, tensors};
use super::{Data, Method, Weights};
use candle_core::{DType, Device, Result};

/// The gradient at some weights, found three times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Check {
    /// By the chain rule, in the dtype of the data.
    pub manual: Weights,
    /// By candle's `backward`, in the dtype of the data.
    pub autograd: Weights,
    /// By differences of the loss, in `f64`.
    pub numeric: Weights,
    /// For each weight Σ 2 (|a x³| + |b x²| + |c x| + |d| + |y|) |xᵏ|: how large its derivative would be if
    /// nothing cancelled in the sum. Rounding moves a computed gradient by parts of this, however small the
    /// gradient is.
    pub uncancelled: Weights,
}

/// The gradient at `weights`, found three times.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::{Data, check, post};
///
/// let data = Data::new(1000, DType::F32, &Device::Cpu)?;
/// let found = check(&data, post::WEIGHTS)?;
/// for i in 0..4 {
///     assert!((found.manual[i] / found.numeric[i] - 1.).abs() < 1e-6);
///     assert!((found.autograd[i] / found.numeric[i] - 1.).abs() < 1e-6);
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// A device that is out of memory.
pub fn check(data: &Data, weights: Weights) -> Result<Check> {
    let by = |method: Method| {
        let mut descent = method.begin(data, weights, 0.)?;
        descent.epoch()?;
        descent.gradient()
    };
    // The weights as the data's dtype has them.
    let weights = Method::Manual.begin(data, weights, 0.)?.weights()?;
    let wide = data.wide()?;
    Ok(Check {
        manual: by(Method::Manual)?,
        autograd: by(Method::Autograd)?,
        numeric: numeric(&wide, weights)?,
        uncancelled: uncancelled(&wide, weights)?,
    })
}

/// [L(w + h) - L(w - h)] / 2 h for each weight. The loss is quadratic in a weight, so that this is its
/// derivative but for rounding, whatever the step is: h is as large as the weights, or as y.
fn numeric(data: &Data, weights: Weights) -> Result<Weights> {
    let largest = number(&data.y.abs()?.max(0)?)?;
    let h = weights.into_iter().map(f64::abs).fold(largest, f64::max);
    let loss = |i: usize, step: f64| {
        let mut weights = weights;
        weights[i] += step;
        let error = (data.y_pred(weights)? - &data.y)?;
        number(&error.sqr()?.sum_all()?)
    };
    let slope = |i: usize| -> Result<f64> { Ok((loss(i, h)? - loss(i, -h)?) / (2. * h)) };
    Ok([slope(0)?, slope(1)?, slope(2)?, slope(3)?])
}

fn uncancelled(data: &Data, weights: Weights) -> Result<Weights> {
    let [a, b, c, d] = tensors(weights.map(f64::abs), DType::F64, &Device::Cpu)?;
    let x = data.x.abs()?;
    // Horner's rule, with every sign the same.
    let size = x.broadcast_mul(&a)?.broadcast_add(&b)?;
    let size = (size * &x)?.broadcast_add(&c)?;
    let size = (size * &x)?.broadcast_add(&d)?;
    let mut terms = (2. * (size + data.y.abs()?)?)?;
    let mut sums = Weights::default();
    for sum in sums.iter_mut().rev() {
        *sum = number(&terms.sum_all()?)?;
        terms = (terms * &x)?;
    }
    Ok(sums)
}
