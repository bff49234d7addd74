//! What does not change during a check: f, its graphs, and f as numbers.

use candle_core::{DType, Error, Result, Tensor, Var, bail};

use super::autograd::graph::Graph;
use super::compare::found::Worst;
use super::compare::target::Target;
use super::judge::constants::{FULL_ENTRIES, FULL_EVALUATIONS};
use super::judge::law::Judge;
use super::numeric::function::Reference;
use super::options::{Mode, Options};
use super::report::{Entry, InputReport, Report};
use super::support::exec::Exec;
use super::support::rng::SplitMix64;
use super::support::values::{to_f64, unravel};

/// Everything that does not change during a check.
pub(crate) struct Check<'a, E> {
    pub(crate) exec: &'a E,
    pub(crate) inputs: &'a [Tensor],
    pub(crate) options: &'a Options,
    pub(crate) checked: Vec<usize>,
    pub(crate) graph: Graph,
    /// f at the same inputs in f64, where they are narrower and f runs in it.
    pub(crate) wide: Option<Graph>,
    pub(crate) y: Vec<f64>,
    pub(crate) reference: Reference,
    /// Fixed random weights of the outputs.
    pub(crate) weights: Vec<f64>,
}

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
        let reference = Reference::new(exec, inputs, &graph.y, options.widen)?;
        if ignores(exec, &graph, &reference) {
            bail!(
                "gradcheck: f ignores its inputs: its value is the same to the last bit when they move, \
                 and its graph does not lead to them, so nothing was checked. Does f call a model that it \
                 captures? Then build the model inside f from the tensors that f is given \
                 (VarBuilder::from_tensors), or check it with gradcheck::model or gradcheck::vars"
            )
        }
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

    /// A report in which nothing has been compared yet.
    pub(crate) fn blank(&self) -> Report {
        let floats = self.checked.iter().map(|&k| self.reference.values(k).len());
        let (inputs, outputs) = (floats.sum::<usize>(), self.y.len());
        let small = 4 * inputs + outputs <= FULL_EVALUATIONS
            && inputs.saturating_mul(outputs) <= FULL_ENTRIES;
        let blank = |&k: &usize| {
            let x = &self.inputs[k];
            InputReport::new(k, x.dims(), x.dtype(), outputs)
        };
        Report {
            inputs: self.checked.iter().map(blank).collect(),
            probes: Vec::new(),
            mode: match self.options.mode {
                Mode::Auto if small => Mode::Full,
                Mode::Auto => Mode::Fast,
                mode => mode,
            },
            numeric_dtype: self.reference.dtype,
            evaluations: 0,
            backwards: 0,
            notes: Vec::new(),
        }
    }

    /// How far each output scatters when the inputs of these slots move.
    pub(crate) fn noise(&self, slots: &[usize]) -> Vec<f64> {
        let inputs: Vec<usize> = slots.iter().map(|&slot| self.checked[slot]).collect();
        self.reference.noise(self.exec, &inputs, self.options.seed)
    }

    /// The input of one slot. Where its gradient is `zero`, f is asked whether it moves with it at all.
    pub(crate) fn target<'t>(&'t self, slot: usize, noise: &'t [f64], zero: bool) -> Target<'t> {
        let (input, reference) = (self.checked[slot], &self.reference);
        let tolerance = self.options.tolerance(self.inputs[input].dtype());
        Target {
            reference,
            input,
            slot,
            judge: Judge {
                tolerance,
                unit: reference.unit,
            },
            noise,
            constant: match zero {
                true => reference.constant(self.exec, input),
                false => Vec::new(),
            },
            single: reference.is_single(noise),
            size: reference.size(input),
        }
    }

    pub(crate) fn entry(&self, slot: usize, worst: &Worst) -> Entry {
        Entry {
            output: unravel(worst.output, self.graph.y.dims()),
            input: unravel(worst.input, self.inputs[self.checked[slot]].dims()),
            analytic: worst.pair.analytic,
            numeric: worst.pair.numeric,
            bound: worst.pair.bound,
            verdict: worst.verdict,
        }
    }
}

/// The inputs to check: the float ones, or those asked for.
fn chosen(inputs: &[Tensor], options: &Options) -> Result<Vec<usize>> {
    let Some(first) = inputs.first() else {
        bail!("gradcheck: no inputs")
    };
    let elsewhere = |t: &&Tensor| !t.device().same_device(first.device());
    if let Some(other) = inputs.iter().find(elsewhere) {
        return Err(Error::DeviceMismatchBinaryOp {
            lhs: first.device().location(),
            rhs: other.device().location(),
            op: "gradcheck",
        });
    }
    let is_float = |k: usize| inputs.get(k).is_some_and(|t| t.dtype().is_float());
    let asked = options.inputs.iter().flatten();
    if let Some(k) = asked.clone().find(|&&k| !is_float(k)) {
        bail!("gradcheck: input {k} was asked for, but is not a float input")
    }
    let wanted =
        |k: &usize| is_float(*k) && (options.inputs.is_none() || asked.clone().any(|a| a == k));
    let checked: Vec<usize> = (0..inputs.len()).filter(wanted).collect();
    if checked.is_empty() {
        bail!("gradcheck: no float input to differentiate by")
    }
    Ok(checked)
}

/// Whether f has nothing to do with its inputs: its graph leads to variables, and to none that is checked, and its
/// value stays as it is when any of them moves.
fn ignores(exec: &impl Exec, graph: &Graph, reference: &Reference) -> bool {
    let nodes = graph.y.sorted_nodes();
    let reads = |var: &Var| nodes.iter().any(|node| node.id() == var.id());
    // Without variables it is a constant, or cut: the derivative tells.
    let elsewhere = nodes.iter().any(|node| node.is_variable()) && !graph.vars.iter().any(reads);
    let constant = |k: usize| reference.constant(exec, k).iter().all(|constant| *constant);
    let mut moving = (0..reference.inputs().len()).filter(|&k| !reference.values(k).is_empty());
    elsewhere && moving.all(constant)
}
