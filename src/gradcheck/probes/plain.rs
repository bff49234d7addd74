//! The plain call that every probe starts from, and one input under probes.

use candle_core::{Result, Tensor, Var};

use crate::gradcheck::autograd::graph::Graph;
use crate::gradcheck::judge::tolerance::Tolerance;
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::values::same_shape;

/// The plain call, and what it implies.
pub(crate) struct Plain<'a, E> {
    pub(crate) exec: &'a E,
    pub(crate) inputs: &'a [Tensor],
    pub(crate) graph: &'a Graph,
    pub(crate) y: &'a [f64],
    /// v, one weight an output element.
    pub(crate) weights: &'a [f64],
}

/// One input under probes.
pub(crate) struct Subject<'a> {
    pub(crate) input: usize,
    pub(crate) slot: usize,
    pub(crate) tolerance: Tolerance,
    /// vᵀJ as it should be, with a bound: by autograd, or by numbers where the graph is cut.
    pub(crate) expected: &'a [(f64, f64)],
    /// vᵀJ by autograd in the plain call.
    pub(crate) plain: &'a [(f64, f64)],
    /// The largest entry of the Jacobian: what its rounding is measured against where a product of
    /// it cancels.
    pub(crate) scale: f64,
    /// The same, and what cancels inside the backward pass: two ways of adding it up differ by u of it.
    pub(crate) inside: f64,
    /// The largest value that f is made of: an output, or ε/u where larger terms cancel in it.
    pub(crate) made_of: f64,
    /// Whether autograd gave a gradient.
    pub(crate) has_gradient: bool,
}

impl Subject<'_> {
    /// Whether the gradient as it should be is known where autograd gives none.
    pub(super) fn is_known(&self) -> bool {
        self.expected.iter().any(|(g, _)| *g != 0.)
    }
}

impl<E: Exec> Plain<'_, E> {
    /// f, with its shape checked.
    pub(super) fn call(&self, arguments: &[Tensor]) -> Result<Tensor> {
        let y = self.exec.call(arguments)?;
        same_shape(self.graph.y.dims(), &y)?;
        Ok(y)
    }

    /// The arguments with input k a variable.
    pub(super) fn with_var(&self, k: usize) -> Result<(Vec<Tensor>, Var)> {
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        let var = Var::from_tensor(&arguments[k])?;
        arguments[k] = var.as_tensor().clone();
        Ok((arguments, var))
    }
}

/// Weights for x's own branch: ±1 and ±2 in turn, none of them zero.
pub(super) fn spread(n: usize) -> Vec<f64> {
    (0..n).map(|j| [1., -2., 2., -1.][j % 4]).collect()
}
