//! What one plain backward pass says of a parameter.

use candle_core::{Result, Tensor};

use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::walk::chunks;

/// One parameter's gradient where it is, as far as the walks need it: signs and zeros.
pub(crate) struct Plain {
    /// Σ|g|
    pub(crate) sum: f64,
    /// √Σg²
    pub(crate) norm: f64,
    /// Where it is negative.
    pub(crate) negative: Bits,
    /// The elements whose gradient is zero, where there are any.
    pub(crate) zeros: Option<Bits>,
    /// The others, where some are zero.
    pub(crate) nonzero: Option<Bits>,
    pub(crate) all_zero: bool,
    /// There is no gradient at all.
    pub(crate) missing: bool,
}

impl Plain {
    pub(crate) fn new(gradient: Option<&Tensor>, n: usize) -> Result<Self> {
        let (mut sum, mut squares, mut negative) = (0., 0f64, Bits::new(n));
        let (mut zeros, mut nonzero) = (Bits::new(n), Bits::new(n));
        match gradient {
            None => (0..n).for_each(|i| zeros.set(i)),
            Some(gradient) => chunks(gradient, |from, g| {
                for (i, g) in (from..).zip(g) {
                    sum += g.abs();
                    squares += g * g;
                    match g == 0. {
                        true => zeros.set(i),
                        false => nonzero.set(i),
                    }
                    if g < 0. {
                        negative.set(i);
                    }
                }
                Ok(())
            })?,
        }
        let count = zeros.count();
        let some = count > 0;
        Ok(Self {
            sum,
            norm: squares.sqrt(),
            negative,
            zeros: some.then_some(zeros),
            nonzero: some.then_some(nonzero),
            all_zero: count == n,
            missing: gradient.is_none(),
        })
    }
}
