//! candle's values and gradients at samples side by side, at three upstream scales.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::format::Format;
use super::line::{Line, Sample};
use crate::audit::variants::flat;

/// What the gradient that arrives from above is, as a loss scale makes it.
pub const SCALES: [f64; 3] = [1., 1. / 1024., 1024.];

/// As candle has them, widened.
pub struct Measured {
    /// The inputs as they are in the type.
    pub inputs: Vec<Vec<f64>>,
    /// The outputs.
    pub value: Vec<f64>,
    /// For each scale and input: the gradient, `None` where there is none or backward fails.
    pub gradients: Vec<Vec<Option<Vec<f64>>>>,
}

/// Calls the function and, at those of [`SCALES`] that are `wanted`, its backward; `None` where the
/// call fails, which the plain check says.
pub fn measure(
    line: &Line,
    samples: &[Sample],
    format: &Format,
    device: &Device,
    wanted: impl Fn(usize) -> bool,
) -> Option<Measured> {
    let inputs = line.inputs(samples, format);
    let tensors: Result<Vec<Tensor>> = inputs
        .iter()
        .map(|v| v.tensor(format.dtype, device))
        .collect();
    let mut tensors = tensors.ok()?;
    let mut variables = Vec::new();
    for (t, values) in tensors.iter_mut().zip(&inputs) {
        let variable = if values.is_float() {
            Var::from_tensor(t).ok()
        } else {
            None
        };
        if let Some(v) = &variable {
            *t = v.as_tensor().clone();
        }
        variables.push(variable);
    }
    let y = (line.case.call)(&tensors).ok()?;
    let value = flat(&y).ok()?;
    let weights = line.weights();
    let none = || vec![None; variables.len()];
    let gradients = std::array::from_fn::<_, 3, _>(|i| {
        if !wanted(i) {
            return none();
        }
        let seed = weights
            .iter()
            .map(|w| w * SCALES[i])
            .cycle()
            .take(value.len())
            .collect();
        backward(&y, seed, &variables).unwrap_or_else(|_| none())
    });
    Some(Measured {
        inputs: tensors.iter().map(flat).collect::<Result<_>>().ok()?,
        value,
        gradients: gradients.into(),
    })
}

fn backward(y: &Tensor, seed: Vec<f64>, inputs: &[Option<Var>]) -> Result<Vec<Option<Vec<f64>>>> {
    let dtype: DType = y.dtype();
    let seed = Tensor::from_vec(seed, y.dims(), &Device::Cpu)?;
    let seed = seed.to_dtype(dtype)?.to_device(y.device())?;
    let store = (y * seed)?.sum_all()?.backward()?;
    let of = |v: &Option<Var>| {
        let grad = v.as_ref().and_then(|v| store.get(v));
        grad.map(flat).transpose()
    };
    inputs.iter().map(of).collect()
}
