//! What a check does before it compares anything: it chooses the inputs to check, builds f's graph and f's
//! [`Reference`], and asks whether f gives the same value and the same gradient each time, and whether f has anything
//! to do with its inputs.

use candle_core::{DType, Error, Result, Tensor, Var, bail};

use super::autograd::graph::Graph;
use super::check::Check;
use super::judge::constants::{RARE, ROUNDING};
use super::numeric::function::Reference;
use super::numeric::grid::UNEVEN;
use super::options::Options;
use super::support::exec::Exec;
use super::support::panics::catch;
use super::support::rng::SplitMix64;
use super::support::values::{same_shape, to_f64, unit_roundoff};

impl<'a, E: Exec> Check<'a, E> {
    /// Calls f, and refuses what cannot be checked.
    pub(crate) fn new(exec: &'a E, inputs: &'a [Tensor], options: &'a Options) -> Result<Self> {
        let checked = chosen(inputs, options)?;
        let graph = Graph::new(exec, inputs, &checked)?;
        let dtype = graph.y.dtype();
        if !dtype.is_float() {
            bail!("gradcheck: f returns {dtype:?}, which has no derivative")
        }
        let y = to_f64(&graph.y)?;
        if ignores(exec, &graph, &y, inputs)? {
            bail!(
                "gradcheck: f ignores its inputs: its value is the same to the last bit when they move, \
                 and its graph does not lead to them, so nothing was checked. Does f call a model that it \
                 captures? Then build the model inside f from the tensors that f is given \
                 (VarBuilder::from_tensors), or check it with gradcheck::model or gradcheck::vars"
            )
        }
        let reference = Reference::new(exec, inputs, &graph.y, options.widen)?;
        let narrow = checked.iter().any(|&k| inputs[k].dtype() != DType::F64);
        let wide = match narrow && reference.dtype == DType::F64 {
            true => Graph::new(exec, reference.inputs(), &checked).ok(),
            false => None,
        };
        Ok(Self {
            exec,
            inputs,
            options,
            checked,
            graph,
            wide,
            weights: SplitMix64::new(options.seed, 0).weights(y.len()),
            y,
            reference,
        })
    }

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
        let plain: Result<Vec<Tensor>> = self
            .inputs
            .iter()
            .map(|t| t.detach().contiguous())
            .collect();
        let again = self.exec.call(&plain?)?;
        same_shape(self.graph.y.dims(), &again)?;
        let again = to_f64(&again)?;
        let unit = unit_roundoff(self.graph.y.dtype());
        let largest = self
            .y
            .iter()
            .filter(|y| y.is_finite())
            .fold(0f64, |m, y| m.max(y.abs()));
        Ok(self.y.iter().zip(&again).any(|(a, b)| {
            let same = a == b || (a.is_nan() && b.is_nan());
            let near = (a - b).abs() <= ROUNDING * unit * largest;
            !(same || near)
        }))
    }

    /// Whether the same backward pass gives another gradient when run again.
    fn gradient_wanders(&self) -> bool {
        let first = self.graph.baseline(&self.weights);
        let (Some(first), Ok(again)) = (first, self.graph.vjp(&self.weights)) else {
            return false;
        };
        let unit = unit_roundoff(self.graph.y.dtype());
        (first.products.iter().zip(&again)).any(|(a, b)| {
            let (Some(a), Some(b)) = (a, b) else {
                return a.is_some() != b.is_some();
            };
            let largest = a
                .iter()
                .filter(|g| g.is_finite())
                .fold(0f64, |m, g| m.max(g.abs()));
            let differs = |(a, b): (&f64, &f64)| (a - b).abs() > 64. * ROUNDING * unit * largest;
            a.iter().zip(b).any(differs)
        })
    }
}

/// The inputs to check: the float ones, or those asked for.
fn chosen(inputs: &[Tensor], options: &Options) -> Result<Vec<usize>> {
    let Some(first) = inputs.first() else {
        bail!("gradcheck: no inputs")
    };
    if let Some(other) = inputs
        .iter()
        .find(|t| !t.device().same_device(first.device()))
    {
        return Err(Error::DeviceMismatchBinaryOp {
            lhs: first.device().location(),
            rhs: other.device().location(),
            op: "gradcheck",
        });
    }
    let is_float = |k: usize| inputs[k].dtype().is_float();
    let checked: Vec<usize> = match &options.inputs {
        None => (0..inputs.len()).filter(|&k| is_float(k)).collect(),
        Some(asked) => {
            if let Some(k) = asked.iter().find(|&&k| k >= inputs.len() || !is_float(k)) {
                bail!("gradcheck: input {k} was asked for, but is not a float input")
            }
            let mut asked = asked.clone();
            asked.sort_unstable();
            asked.dedup();
            asked
        }
    };
    if checked.is_empty() {
        bail!("gradcheck: no float input to differentiate by")
    }
    Ok(checked)
}

/// Whether f has nothing to do with any input that is checked: its graph leads to variables, and to
/// none of these, and its value stays as it is when all of them move.
fn ignores<E: Exec>(exec: &E, graph: &Graph, y: &[f64], inputs: &[Tensor]) -> Result<bool> {
    let nodes = graph.y.sorted_nodes();
    let reads = |var: &Var| nodes.iter().any(|node| node.id() == var.id());
    if graph.vars.iter().any(reads) || !nodes.iter().any(|node| node.is_variable()) {
        return Ok(false); // without variables it is a constant, or cut: the derivative tells
    }
    // Factors that are no fractions: sin(2πkx) is the same a whole number away.
    for factor in [1.5 * UNEVEN, -0.75 * UNEVEN] {
        let moved = inputs.iter().map(|t| match t.dtype().is_float() {
            true => t.detach().contiguous()?.affine(factor, factor / 3.),
            false => Ok(t.detach()),
        });
        let moved = moved.collect::<Result<Vec<_>>>()?;
        let Ok(Ok(again)) = catch(|| exec.call(&moved)) else {
            return Ok(false);
        };
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
        if again.dims() != graph.y.dims() || !y.iter().zip(&to_f64(&again)?).all(same) {
            return Ok(false);
        }
    }
    Ok(true)
}
