//! The same call another way: by its twins, and in a narrow type beside f64.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::case::{Call, Case};
use crate::gradcheck::{InputReport, Report, Verdict};

/// Values that should be equal and are not.
pub struct Difference {
    /// The twin's name.
    pub twin: &'static str,
    /// An element of the call's value.
    pub found: f64,
    /// The same element of the twin's.
    pub expected: f64,
}

/// The largest difference between a call and its twins beyond the type's rounding.
pub fn values(case: &Case, dtype: DType, device: &Device) -> Option<Difference> {
    case.twins.iter().find_map(|twin| {
        let tensors = case.tensors(dtype, device).ok()?;
        let found = flat(&(case.call)(&tensors).ok()?).ok()?;
        let expected = flat(&(twin.call)(&tensors).ok()?).ok()?;
        let scale = expected.iter().fold(1., |m: f64, x| m.max(x.abs()));
        let (found, expected) = found
            .into_iter()
            .zip(expected)
            .find(|(f, e)| f.is_nan() != e.is_nan() || (f - e).abs() > 16. * unit(dtype) * scale)?;
        Some(Difference {
            twin: twin.name,
            found,
            expected,
        })
    })
}

/// Half the distance from 1 to the next number.
fn unit(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON / 2.,
        DType::F32 => f64::from(f32::EPSILON) / 2.,
        DType::F16 => 0.5f64.powi(11),
        _ => 0.5f64.powi(8),
    }
}

/// See [`rounding`].
pub enum Rounded {
    /// To within the type's rounding.
    Right,
    /// Infinite or NaN in the type, finite in f64.
    NonFinite {
        /// The element in the type.
        narrow: f64,
        /// In f64.
        exact: f64,
    },
}

/// What a doubtful verdict in a narrow type amounts to, given f64's report.
///
/// With g the gradient of a sum of the outputs with signs, computed by candle in the type and in
/// f64 from the same inputs: a deviation of up to 16 units of the largest |g| is rounding, which a
/// chain of operations in that type cannot help. `None` where f64 itself is not right to the
/// type's precision, or where the deviation is larger.
pub fn rounding(
    case: &Case,
    dtype: DType,
    device: &Device,
    input: &InputReport,
    wide: &Report,
) -> Option<Rounded> {
    let unit = unit(dtype);
    let wide = wide.inputs.iter().find(|i| i.input == input.input)?;
    if wide.verdict.is_defect() && !wide.max_rel_err.le(&unit) {
        return None;
    }
    let narrow = gradient(&case.call, &case.tensors(dtype, device).ok()?, input.input).ok()??;
    let exact = {
        let inputs = widened(&case.tensors(dtype, device).ok()?).ok()?;
        gradient(&case.call, &inputs, input.input).ok()??
    };
    let lost = narrow
        .iter()
        .zip(&exact)
        .find(|(n, e)| !n.is_finite() && e.is_finite());
    if let Some((&narrow, &exact)) = lost {
        return Some(Rounded::NonFinite { narrow, exact });
    }
    let scale = exact.iter().fold(0., |m: f64, x| m.max(x.abs()));
    let off = narrow
        .iter()
        .zip(&exact)
        .fold(0., |m: f64, (n, e)| m.max((n - e).abs()));
    (off <= 16. * unit * scale).then_some(Rounded::Right)
}

/// What a call that rounds its input amounts to, beside the call it stands for: `severed` where it
/// has no gradient and the other has, `wrong` where they differ by more than the rounding.
pub fn stand_in(
    case: &Case,
    dtype: DType,
    device: &Device,
    input: usize,
) -> Option<(Verdict, f64, f64)> {
    let tensors = case.tensors(dtype, device).ok()?;
    let smooth = gradient(case.smooth.as_ref()?, &tensors, input).ok()??;
    let none = vec![0.; smooth.len()];
    let own = gradient(&case.call, &tensors, input).ok()?;
    let severed = own.is_none();
    let own = own.unwrap_or(none);
    let off = |(a, b): &(&f64, &f64)| (*a - *b).abs();
    let worst = own
        .iter()
        .zip(&smooth)
        .max_by(|a, b| off(a).total_cmp(&off(b)))?;
    let scale = smooth.iter().fold(0., |m: f64, x| m.max(x.abs()));
    let verdict = match off(&worst) <= 16. * unit(dtype) * scale {
        true => Verdict::Pass,
        false if severed => Verdict::Severed,
        false => Verdict::Wrong,
    };
    Some((verdict, *worst.0, *worst.1))
}

fn widened(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let widen = |t: &Tensor| {
        if t.dtype().is_float() {
            t.to_dtype(DType::F64)
        } else {
            Ok(t.clone())
        }
    };
    inputs.iter().map(widen).collect()
}

/// The gradient of the sum of the outputs, every other one negated, with respect to one input.
fn gradient(call: &Call, inputs: &[Tensor], input: usize) -> Result<Option<Vec<f64>>> {
    let var = Var::from_tensor(&inputs[input])?;
    let mut inputs = inputs.to_vec();
    inputs[input] = var.as_tensor().clone();
    let y = call(&inputs)?.flatten_all()?;
    let n = y.elem_count();
    let signs: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 1. } else { -1. }).collect();
    let signs = Tensor::from_vec(signs, n, y.device())?.to_dtype(y.dtype())?;
    let grads = (y * signs)?.sum_all()?.backward()?;
    grads.get(&var).map(flat).transpose()
}

/// The elements in row-major order, as f64.
pub fn flat(t: &Tensor) -> Result<Vec<f64>> {
    t.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}
