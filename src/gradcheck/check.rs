//! What does not change during a check: f, its graphs, and f as numbers.

use candle_core::Tensor;

use super::autograd::graph::Graph;
use super::compare::full::Target;
use super::compare::summary::Worst;
use super::judge::constants::{FULL_ENTRIES, FULL_EVALUATIONS};
use super::judge::law::Judge;
use super::judge::verdict::Verdict;
use super::numeric::function::Reference;
use super::options::{Mode, Options};
use super::report::{Entry, InputReport, Report};
use super::support::exec::Exec;
use super::support::values::unravel;

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

impl<E: Exec> Check<'_, E> {
    pub(crate) fn blank(&self) -> Report {
        let floats = self.checked.iter().map(|&k| self.reference.values(k).len());
        let (inputs, outputs) = (floats.sum::<usize>(), self.y.len());
        let small = 4 * inputs + outputs <= FULL_EVALUATIONS
            && inputs.saturating_mul(outputs) <= FULL_ENTRIES;
        Report {
            inputs: (0..self.checked.len())
                .map(|slot| self.blank_input(slot))
                .collect(),
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

    pub(crate) fn blank_input(&self, slot: usize) -> InputReport {
        let input = self.checked[slot];
        let x = &self.inputs[input];
        InputReport {
            input,
            shape: x.dims().to_vec(),
            dtype: x.dtype(),
            verdict: Verdict::Pass,
            worst: None,
            certified: 0,
            entries: x.elem_count() * self.y.len(),
            counts: Vec::new(),
            max_abs_err: 0.,
            evaluations: 0,
            smallest_visible: None,
            resolution: None,
            manual: None,
            notes: Vec::new(),
        }
    }

    pub(crate) fn noise(&self, slots: &[usize]) -> Vec<f64> {
        let inputs: Vec<usize> = slots.iter().map(|&slot| self.checked[slot]).collect();
        self.reference.noise(self.exec, &inputs, self.options.seed)
    }

    pub(crate) fn judge(&self, slot: usize) -> Judge {
        let dtype = self.inputs[self.checked[slot]].dtype();
        Judge {
            tolerance: self.options.tolerance(dtype),
            unit: self.reference.unit,
        }
    }

    pub(crate) fn target<'t>(
        &'t self,
        slot: usize,
        noise: &'t [f64],
        constant: &'t [bool],
    ) -> Target<'t> {
        let input = self.checked[slot];
        Target {
            input,
            slot,
            judge: self.judge(slot),
            noise,
            single: self.reference.is_single(noise),
            constant,
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
