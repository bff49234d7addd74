//! What one plain backward pass says of a parameter.

use std::ops::Range;

use candle_core::{Result, Tensor};

use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::walk::chunks;

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

    /// Of one that has some gradient, the rows (of the first dimension) that have none, as ranges.
    pub(crate) fn zero_rows(&self, dims: &[usize]) -> Vec<Range<usize>> {
        match (&self.zeros, dims) {
            (Some(zeros), [rows, width @ ..]) if !self.all_zero => {
                whole_rows(zeros, *rows, width.iter().product())
            }
            _ => Vec::new(),
        }
    }
}

/// The rows all of whose elements are set.
fn whole_rows(bits: &Bits, rows: usize, width: usize) -> Vec<Range<usize>> {
    let whole = |r: &usize| (r * width..(r + 1) * width).all(|i| bits.get(i));
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for r in (0..rows).filter(whole) {
        match ranges.last_mut() {
            Some(last) if last.end == r => last.end += 1,
            _ => ranges.push(r..r + 1),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::{Bits, whole_rows};

    #[test]
    fn only_whole_rows_count_and_neighbours_are_one_range() {
        let mut bits = Bits::new(15);
        for i in [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11] {
            bits.set(i);
        }
        assert_eq!(whole_rows(&bits, 5, 3), [0..2, 3..4]);
    }
}
