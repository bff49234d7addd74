//! One graph of f, and vector-Jacobian products through it.

use std::sync::OnceLock;

use candle_core::{Result, Tensor, Var};
use rayon::prelude::*;

use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::panics::catch;
use crate::gradcheck::support::passes::Passes;
use crate::gradcheck::support::values::{first_line, tensor, to_f64};

/// Why there is no gradient to compare.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) verdict: Verdict,
    pub(crate) message: String,
}

impl Failure {
    /// The backward pass gave an error.
    pub(crate) fn unsupported(message: String) -> Self {
        let verdict = Verdict::Unsupported;
        Self { verdict, message }
    }

    /// The backward pass panicked.
    pub(crate) fn panicked(message: String) -> Self {
        let verdict = Verdict::Panicked;
        Self { verdict, message }
    }
}

/// What a backward pass gives.
pub(crate) type Backward<T> = std::result::Result<T, Failure>;

/// vᵀJ for each checked input; None where no gradient flowed.
pub(crate) type Products = Vec<Option<Vec<f64>>>;

/// Whether the gradient of one input is zero, or missing.
pub(crate) fn is_zero(products: &Products, slot: usize) -> bool {
    products[slot].iter().flatten().all(|g| *g == 0.)
}

/// Where gradients come from: candle's backward pass, or a function written by hand.
pub(crate) trait Source {
    /// vᵀJ.
    fn vjp(&self, v: &[f64]) -> Backward<Products>;

    /// vᵀJ for v(0), ..., v(n - 1).
    fn each(&self, n: usize, v: &(dyn Fn(usize) -> Vec<f64> + Sync)) -> Backward<Vec<Products>> {
        (0..n).map(|k| self.vjp(&v(k))).collect()
    }
}

/// f at variables, ready for backward passes.
pub(crate) struct Graph {
    pub(crate) vars: Vec<Var>,
    pub(crate) y: Tensor,
    passes: Passes,
    baseline: OnceLock<Option<Baseline>>,
}

/// vᵀJ for the probes' weights v, and what tells how far rounding moves it.
pub(crate) struct Baseline {
    pub(crate) products: Products,
    /// Found with other roundings: [`Graph::again`].
    pub(crate) again: Vec<Products>,
}

impl Graph {
    /// Makes variables of the `checked` inputs and calls f.
    pub(crate) fn new(exec: &impl Exec, inputs: &[Tensor], checked: &[usize]) -> Result<Self> {
        let mut arguments: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
        let mut vars = Vec::with_capacity(checked.len());
        for &k in checked {
            let var = Var::from_tensor(&arguments[k])?;
            arguments[k] = var.as_tensor().clone();
            vars.push(var);
        }
        let y = exec.call(&arguments)?;
        Ok(Self {
            vars,
            y,
            passes: exec.passes().clone(),
            baseline: OnceLock::new(),
        })
    }

    /// What every probe starts from, found once; None where the backward pass fails.
    pub(crate) fn baseline(&self, weights: &[f64]) -> Option<&Baseline> {
        let find = || {
            let products = self.vjp(weights).ok()?;
            let again = self.again(weights);
            Some(Baseline { products, again })
        };
        self.baseline.get_or_init(find).as_ref()
    }

    /// (kv)ᵀJ / k for small odd k, which is vᵀJ but for its rounding.
    pub(crate) fn again(&self, weights: &[f64]) -> Vec<Products> {
        let multiple = |k: f64| {
            let weights: Vec<f64> = weights.iter().map(|w| k * w).collect();
            let mut products = self.vjp(&weights).ok()?;
            let values = products.iter_mut().flatten().flatten();
            values.for_each(|g| *g /= k);
            Some(products)
        };
        [3., 5., 7., 11., 13.]
            .into_iter()
            .filter_map(multiple)
            .collect()
    }
}

impl Source for Graph {
    /// candle's backward seeds ones, so the gradient of (v * y).sum_all() is taken
    /// (candle-core 0.11.1, `backprop.rs`, `Tensor::backward`).
    fn vjp(&self, v: &[f64]) -> Backward<Products> {
        products(&self.passes, &self.vars, || seeded(&self.y, v))
    }

    /// On all cores; on a GPU, whose work is ordered on one thread alone, on this.
    fn each(&self, n: usize, v: &(dyn Fn(usize) -> Vec<f64> + Sync)) -> Backward<Vec<Products>> {
        match self.y.device().is_cpu() {
            true => (0..n).into_par_iter().map(|k| self.vjp(&v(k))).collect(),
            false => (0..n).map(|k| self.vjp(&v(k))).collect(),
        }
    }
}

/// (v * y).sum_all()
pub(crate) fn seeded(y: &Tensor, v: &[f64]) -> Result<Tensor> {
    if v.is_empty() {
        return y.sum_all(); // of two factors without elements candle returns the first
    }
    let v = tensor(v, y.dims(), y.dtype(), y.device())?;
    (v * y)?.sum_all()
}

/// The gradients of a scalar; what goes wrong on the way is a finding, not an error.
pub(crate) fn products(
    passes: &Passes,
    vars: &[Var],
    scalar: impl FnOnce() -> Result<Tensor>,
) -> Backward<Products> {
    let gradients = catch(|| {
        let grads = passes.backward(&scalar()?)?;
        vars.iter()
            .map(|var| grads.get(var).map(|grad| values(var, grad)).transpose())
            .collect::<Result<Products>>()
    });
    match gradients {
        Ok(Ok(products)) => Ok(products),
        Ok(Err(error)) => Err(Failure::unsupported(first_line(&error))),
        Err(message) => Err(Failure::panicked(message)),
    }
}

fn values(var: &Var, grad: &Tensor) -> Result<Vec<f64>> {
    if grad.dims() != var.dims() {
        candle_core::bail!(
            "the gradient has shape {:?}, its variable {:?}",
            grad.dims(),
            var.dims()
        )
    }
    to_f64(grad)
}
