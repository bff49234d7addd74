//! The tolerances of each dtype.

use candle_core::DType;

use crate::gradcheck::support::values::unit_roundoff;

/// The tolerances of one dtype, with its unit round-off u = 2^-p, p the bits of its significand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    pub(crate) rtol: f64,
    pub(crate) atol: f64,
    pub(crate) kappa: f64,
    pub(crate) unit: f64,
    pub(crate) double: bool,
}

impl Tolerance {
    /// rtol is about 8u for the 16-bit floats; wide dtypes can afford to be far from u.
    pub(crate) fn of(dtype: DType) -> Self {
        let (rtol, atol) = match dtype {
            DType::F64 => (1e-8, 1e-10),
            DType::F32 => (1e-4, 1e-6),
            DType::F16 => (4e-3, 1e-4),
            DType::BF16 => (3e-2, 1e-3),
            _ => (0.25, 1e-2),
        };
        Self {
            rtol,
            atol,
            kappa: 4.,
            unit: unit_roundoff(dtype),
            double: dtype == DType::F64,
        }
    }

    /// The relative error that a segment of a right gradient may show: ten times rtol, at most 5%.
    pub(crate) fn segment(&self) -> f64 {
        (10. * self.rtol).min(0.05)
    }
}
