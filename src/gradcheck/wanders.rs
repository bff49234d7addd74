//! Whether f, or its backward pass, gives another result when it is called again.

use candle_core::{Result, Tensor};

use super::autograd::graph::Source;
use super::check::Check;
use super::judge::constants::{RARE, ROUNDING};
use super::support::exec::Exec;
use super::support::values::{largest, same_shape, to_f64, unit_roundoff};

impl<E: Exec> Check<'_, E> {
    /// Whether f, or its backward pass, gives another result when called again.
    pub(crate) fn wanders(&self) -> Result<bool> {
        Ok(self.value_wanders()? || self.gradient_wanders())
    }

    /// Whether f gives another value in one of many calls. Asked before anything is flagged, for noise that is rare.
    pub(crate) fn wanders_rarely(&self) -> bool {
        (0..RARE).any(|_| self.value_wanders().unwrap_or(false))
    }

    fn value_wanders(&self) -> Result<bool> {
        // Contiguous, as variables are: in another layout sums may be taken in another order.
        let plain = self.inputs.iter().map(|t| t.detach().contiguous());
        let again = self.exec.call(&plain.collect::<Result<Vec<Tensor>>>()?)?;
        same_shape(self.graph.y.dims(), &again)?;
        Ok(self.differ(&self.y, &to_f64(&again)?, ROUNDING))
    }

    /// Whether the same backward pass gives another gradient when run again.
    fn gradient_wanders(&self) -> bool {
        let first = self.graph.baseline(&self.weights);
        let (Some(first), Ok(again)) = (first, self.graph.vjp(&self.weights)) else {
            return false;
        };
        (first.products.iter().zip(&again)).any(|pair| match pair {
            (Some(a), Some(b)) => self.differ(a, b, 64. * ROUNDING),
            (a, b) => a.is_some() != b.is_some(),
        })
    }

    /// Whether two results are further apart than so many units of round-off of the largest.
    fn differ(&self, a: &[f64], b: &[f64], units: f64) -> bool {
        let rounding = units * unit_roundoff(self.graph.y.dtype()) * largest(a);
        (a.iter().zip(b)).any(|(a, b)| {
            let same = a == b || (a.is_nan() && b.is_nan());
            !(same || (a - b).abs() <= rounding)
        })
    }
}
