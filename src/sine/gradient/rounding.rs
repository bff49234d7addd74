//! How far rounding alone may move a gradient of this loss.

use crate::sine::cubic::Powers;
use crate::sine::{Data, Weights};
use candle_core::{DType, Result, Tensor};

/// A bound on the rounding error of each of `grad_a`, `grad_b`, `grad_c`, `grad_d`, in whatever order
/// it is summed, to first order in the unit round-off u (2⁻²⁴ in `f32`, 2⁻⁵³ in `f64`).
///
/// A term is t = 2 (y_pred - y) xᵏ. No number on the way to `y_pred - y` is larger than
/// Y = |a x³| + |b x²| + |c x| + |d| + |y|, and none takes part in more than seven roundings: of the
/// power (2), the product, three sums and the difference; times 2 |x|ᵏ that is 14 u Y |x|ᵏ. Power,
/// product and factor of the term itself add 3 u |t|. Adding up n terms adds n - 1 roundings of
/// partial sums, which behave like 8 √n in all but 1 of 10¹³ cases (Higham and Mary, "A new approach
/// to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019):
///
/// |error| ≤ u (14 Σ Y |x|ᵏ + (min(n, 8 √n) + 3) Σ |t|)
///
/// Far from the optimum this is nothing beside the gradient; near it, where the terms cancel, a
/// computed gradient may be all rounding, and no comparison of digits is fair.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::gradient::{Method, rounding_bound};
/// use candle_sine::sine::{Data, Weights, post};
///
/// let gradient = |dtype| {
///     let data = Data::new(1000, dtype, &Device::Cpu)?;
///     let w = Weights::new(post::WEIGHTS.map(f64::from), dtype, &Device::Cpu)?;
///     let grad = Method::Manual.over(&data)?.loss_and_grad(&w)?.grad.values()?;
///     Ok::<_, candle_core::Error>((grad, rounding_bound(&data, &w)?))
/// };
/// let ((single, bound), (double, _)) = (gradient(DType::F32)?, gradient(DType::F64)?);
/// assert!((0..4).all(|i| (single[i] - double[i]).abs() <= bound[i]));
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Weights on another device than the data.
pub fn rounding_bound(data: &Data, weights: &Weights) -> Result<[f64; 4]> {
    let unit = match data.x.dtype() {
        DType::F32 => 2f64.powi(-24),
        _ => 2f64.powi(-53),
    };
    let x = Powers::new(&data.x.to_dtype(DType::F64)?)?;
    let y = data.y.to_dtype(DType::F64)?;
    let features = [x.x3.clone(), x.x2.clone(), x.x.clone(), x.x.ones_like()?];
    let (mut sizes, mut error) = (y.abs()?, y.neg()?);
    for (weight, feature) in weights.values()?.into_iter().zip(&features) {
        let part = (feature * weight)?;
        error = (error + &part)?;
        sizes = (sizes + part.abs()?)?;
    }
    let n = data.x.elem_count() as f64;
    let total = |t: Tensor| t.sum_all()?.to_scalar::<f64>();
    let mut bounds = [0.; 4];
    for (bound, feature) in bounds.iter_mut().zip(&features) {
        let size = feature.abs()?;
        let terms = (2. * (error.abs()? * &size)?)?;
        *bound =
            unit * (14. * total((&sizes * &size)?)? + (n.min(8. * n.sqrt()) + 3.) * total(terms)?);
    }
    Ok(bounds)
}
