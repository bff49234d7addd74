//! A gradient written by hand, as a source of vector-Jacobian products.

use candle_core::{DType, Result, Tensor, bail};

use super::graph::{Backward, Failure, Products, Source};
use crate::gradcheck::support::values::{first_line, tensor, to_f64};

/// The gradient of every input, from the inputs and the output's gradient.
pub(crate) type Manual<'a> = Box<dyn Fn(&[Tensor], &Tensor) -> Result<Vec<Option<Tensor>>> + 'a>;

/// A hand-written gradient of f at some inputs.
pub(crate) struct ByHand<'a> {
    pub(crate) manual: &'a Manual<'a>,
    pub(crate) inputs: &'a [Tensor],
    pub(crate) checked: &'a [usize],
    /// f's value at the inputs.
    pub(crate) y: &'a Tensor,
}

impl Source for ByHand<'_> {
    fn vjp(&self, v: &[f64]) -> Backward<Products> {
        let failed = |error| Failure::unsupported(first_line(&error));
        self.products(v).map_err(failed)
    }
}

impl ByHand<'_> {
    fn products(&self, v: &[f64]) -> Result<Products> {
        // Where the output is a scalar, a gradient written by hand may assume that the output's gradient is 1.
        let (v, factor) = match v {
            [factor] => (&[1.][..], *factor),
            _ => (v, 1.),
        };
        let v = tensor(v, self.y.dims(), self.y.dtype(), self.y.device())?;
        let plain: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        let gradients = (self.manual)(&plain, &v)?;
        let (given, inputs) = (gradients.len(), plain.len());
        if given != inputs {
            bail!("gradcheck: {given} gradients by hand for {inputs} inputs")
        }
        let of = |&k: &usize| {
            let gradient = gradients[k].as_ref();
            gradient.map(|g| self.values(k, g, factor)).transpose()
        };
        self.checked.iter().map(of).collect()
    }

    fn values(&self, k: usize, gradient: &Tensor, factor: f64) -> Result<Vec<f64>> {
        let (dims, shape) = (gradient.dims(), self.inputs[k].dims());
        if dims != shape {
            bail!(
                "gradcheck: the gradient by hand of input {k} has shape {dims:?}, the input {shape:?}"
            )
        }
        to_f64(&(gradient.to_dtype(DType::F64)? * factor)?)
    }
}
