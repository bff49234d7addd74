//! One input of f, and what its derivatives are measured by.

use crate::gradcheck::judge::law::Judge;
use crate::gradcheck::numeric::function::{Reference, Size};

/// One input, its place among those checked, and its tolerances.
pub(crate) struct Target<'a> {
    pub(crate) reference: &'a Reference,
    pub(crate) input: usize,
    pub(crate) slot: usize,
    pub(crate) judge: Judge,
    /// How far each output of f scatters.
    pub(crate) noise: &'a [f64],
    /// The outputs that stay as they are, to the last bit, when the whole input moves far; empty where nobody asked,
    /// since the gradient is not zero.
    pub(crate) constant: Vec<bool>,
    /// f's values are single-precision numbers, and scatter like them.
    pub(crate) single: bool,
    pub(crate) size: Size,
}

impl Target<'_> {
    pub(crate) fn values(&self) -> &[f64] {
        self.reference.values(self.input)
    }

    /// max(|f|, ε/u) of output i: the size of f, or of the terms that cancel in it.
    pub(crate) fn made_of(&self, i: usize, noise: &[f64]) -> f64 {
        let terms = noise[i] / self.reference.unit;
        self.reference.f0[i].abs().max(terms)
    }

    /// Whether no output moves with the input.
    pub(crate) fn is_constant(&self) -> bool {
        !self.constant.is_empty() && self.constant.iter().all(|constant| *constant)
    }
}
