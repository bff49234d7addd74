//! What one plain backward pass says of a parameter.

use std::ops::Range;

use candle_core::{Result, Tensor};

use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::scalar::chunks;

/// One parameter's gradient where it is, as far as segments need it: signs and zeros.
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

    /// How many elements have no gradient; and if some have one, the rows (of the first dimension) that have none,
    /// as ranges.
    pub(crate) fn zero_rows(&self, dims: &[usize]) -> (usize, Vec<Range<usize>>) {
        let (Some(zeros), [rows, width @ ..]) = (&self.zeros, dims) else {
            return (self.zeros.as_ref().map_or(0, Bits::count), Vec::new());
        };
        let width: usize = width.iter().product();
        let whole = |r: &usize| (r * width..(r + 1) * width).all(|i| zeros.get(i));
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for r in (0..*rows).filter(|r| !self.all_zero && whole(r)) {
            match ranges.last_mut() {
                Some(last) if last.end == r => last.end += 1,
                _ => ranges.push(r..r + 1),
            }
        }
        (zeros.count(), ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::Plain;
    use candle_core::{Device, Result, Tensor};

    #[test]
    fn only_whole_rows_count_and_neighbours_are_one_range() -> Result<()> {
        let gradient = [[0f32, 0.], [0., 0.], [0., 1.], [0., 0.]];
        let plain = Plain::new(Some(&Tensor::new(&gradient, &Device::Cpu)?), 8)?;
        assert_eq!(plain.zero_rows(&[4, 2]), (7, vec![0..2, 3..4]));
        Ok(())
    }
}
