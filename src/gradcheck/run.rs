//! One check from start to report.

use candle_core::{DType, Error, Result, Tensor, Var, bail};

use super::autograd::graph::{Failure, Graph, Products, products};
use super::check::Check;
use super::compare::by_hand::{self, Manual};
use super::compare::fast::{Fast, Projected};
use super::compare::full::{self, Rows};
use super::compare::projection::{Part, Projection, Round, rounds};
use super::compare::tally::{Tally, Worst};
use super::judge::constants::{RARE, ROUNDING};
use super::judge::verdict::Verdict;
use super::numeric::function::Oracle;
use super::numeric::grid::UNEVEN;
use super::options::{Mode, Options};
use super::report::{Entry, InputReport, Report};
use super::settle::{Settled, settle};
use super::support::exec::Exec;
use super::support::panics::catch;
use super::support::rng::SplitMix64;
use super::support::values::{same_shape, to_f64, unit_roundoff};

/// Checks f, and a hand-written gradient if there is one.
pub(crate) fn run<E: Exec>(
    exec: &E,
    manual: Option<Manual>,
    inputs: &[Tensor],
    options: &Options,
) -> Result<Report> {
    options.validate()?;
    // An f that writes to its arguments must not write to the caller's.
    let inputs: Vec<Tensor> = inputs.iter().map(Tensor::copy).collect::<Result<_>>()?;
    let inputs = &inputs[..];
    let checked = chosen(inputs, options)?;
    let graph = Graph::new(exec, inputs, &checked)?;
    if !graph.y.dtype().is_float() {
        bail!(
            "gradcheck: f returns {:?}, which has no derivative",
            graph.y.dtype()
        )
    }
    let y = to_f64(&graph.y)?;
    let wandering = options.determinism && wanders(exec, &graph, &y, inputs)?;
    if ignores(exec, &graph, &y, inputs)? {
        bail!(
            "gradcheck: f ignores its inputs: its value is the same to the last bit when they move, \
             and its graph does not lead to them, so nothing was checked. Does f call a model that it \
             captures? Then build the model inside f from the tensors that f is given \
             (VarBuilder::from_tensors), or check it with gradcheck::model or gradcheck::vars"
        )
    }
    let oracle = Oracle::new(exec, inputs, &graph.y, options.widen)?;
    let weights = SplitMix64::new(options.seed, 0).weights(y.len());
    let narrow = checked.iter().any(|&k| inputs[k].dtype() != DType::F64);
    let wide = if narrow && oracle.dtype == DType::F64 {
        Graph::new(exec, oracle.inputs(), &checked).ok()
    } else {
        None
    };
    let check = Check {
        exec,
        inputs,
        options,
        checked,
        graph,
        wide,
        y,
        oracle,
        weights,
    };
    let mut report = check.blank();
    let wandering = wandering || (options.determinism && check.gradient_wanders());
    if wandering {
        check.nondeterministic(&mut report);
    } else {
        check.compare(manual, &mut report)?;
        // Before anything is accused, for noise that is rare.
        let rare = options.determinism && report.verdict().is_defect();
        if rare && (0..RARE).any(|_| wanders(exec, &check.graph, &check.y, inputs).unwrap_or(false))
        {
            check.nondeterministic(&mut report);
        }
    }
    check.notes(&mut report)?;
    report.evaluations = exec.calls();
    report.backwards = exec.passes().count();
    Ok(report)
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

/// Whether f gives another value when called again.
fn wanders<E: Exec>(exec: &E, graph: &Graph, y: &[f64], inputs: &[Tensor]) -> Result<bool> {
    // Contiguous, as variables are: in another layout sums may be taken in another order.
    let plain: Result<Vec<Tensor>> = inputs.iter().map(|t| t.detach().contiguous()).collect();
    let again = exec.call(&plain?)?;
    same_shape(graph.y.dims(), &again)?;
    let again = to_f64(&again)?;
    let unit = unit_roundoff(graph.y.dtype());
    let largest = y
        .iter()
        .filter(|y| y.is_finite())
        .fold(0f64, |m, y| m.max(y.abs()));
    Ok(y.iter().zip(&again).any(|(a, b)| {
        let same = a == b || (a.is_nan() && b.is_nan());
        let near = (a - b).abs() <= ROUNDING * unit * largest;
        !(same || near)
    }))
}

/// Whether f has nothing to do with any input that is checked: its graph leads to variables, and to
/// none of these, and its value stays as it is when all of them move.
fn ignores<E: Exec>(exec: &E, graph: &Graph, y: &[f64], inputs: &[Tensor]) -> Result<bool> {
    let nodes = graph.y.sorted_nodes();
    let reads = |var: &Var| nodes.iter().any(|node| node.id() == var.id());
    if graph.vars.iter().any(reads) || !nodes.iter().any(|node| node.is_variable()) {
        return Ok(false); // without variables it is a constant, or cut: the derivative tells
    }
    // No fractions: sin(2πkx) is the same a whole number away.
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

impl<E: Exec> Check<'_, E> {
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

    fn nondeterministic(&self, report: &mut Report) {
        for input in &mut report.inputs {
            input.verdict = Verdict::Nondeterministic;
        }
        report.probes.clear();
        let note = "f gave two values, or two gradients, for the same inputs, so nothing else is said of them";
        report.notes.push(note.to_string());
    }

    /// What f said where it could not be called.
    fn notes(&self, report: &mut Report) -> Result<()> {
        if let Some(reason) = &self.oracle.not_wide {
            report.notes.push(format!(
                "the numeric derivative is in {}, since f does not run in f64: {reason}. Where f holds \
                 data of its own, x.to_dtype(t[0].dtype())? lets it, and the check is then sharper",
                self.oracle.dtype.as_str()
            ));
        }
        let Some(reason) = self.oracle.refused() else {
            return Ok(());
        };
        // A gradient that is not finite is a finding; no value of f beside its inputs is none.
        let unknown = |w: &Entry| w.analytic.is_finite() && !w.numeric.is_finite();
        let worst = report.inputs.iter().filter_map(|i| i.worst.as_ref());
        if worst.into_iter().any(unknown) {
            bail!("gradcheck: f gives an error beside its inputs: {reason}")
        }
        let note = format!("f gives an error at some points beside its inputs: {reason}");
        report.notes.push(note);
        Ok(())
    }

    fn compare(&self, manual: Option<Manual>, report: &mut Report) -> Result<()> {
        let slots: Vec<usize> = (0..self.checked.len()).collect();
        let (slots, empty): (Vec<usize>, Vec<usize>) = slots
            .into_iter()
            .partition(|&slot| report.inputs[slot].entries > 0);
        for slot in empty {
            let note = "no elements, so nothing to differentiate";
            report.inputs[slot].notes.push(note.to_string());
        }
        self.empty(manual, report)?;
        if slots.is_empty() {
            return Ok(());
        }
        match report.mode {
            Mode::Fast => self.fast(&slots, manual, report),
            _ => self.full(&slots, manual, report),
        }
    }

    /// Of an input without elements, the gradient's shape can be checked, and by hand how many there are.
    fn empty(&self, manual: Option<Manual>, report: &mut Report) -> Result<()> {
        if report.inputs.iter().all(|input| input.entries > 0) {
            return Ok(());
        }
        if let Some(manual) = &manual {
            by_hand::product(
                manual,
                self.inputs,
                &self.checked,
                &self.graph.y,
                &self.weights,
            )?;
        }
        // candle gives the first factor back for a product without elements, so y is not multiplied.
        let plain = || self.graph.y.sum_all();
        if let Err(failure) = products(self.exec.passes(), &self.graph.vars, plain) {
            for input in report.inputs.iter_mut().filter(|input| input.entries == 0) {
                input.verdict = failure.verdict;
                input.notes.push(format!("backward: {}", failure.message));
            }
        }
        Ok(())
    }

    fn full(&self, slots: &[usize], manual: Option<Manual>, report: &mut Report) -> Result<()> {
        let rows = match self.graph.rows() {
            Ok(rows) => rows,
            Err(failure) => return self.no_gradient(&failure, report),
        };
        let wide = self.wide.as_ref().and_then(|graph| graph.rows().ok());
        let by_hand = match &manual {
            Some(manual) => Some(by_hand::rows(
                manual,
                self.inputs,
                &self.checked,
                &self.graph.y,
            )?),
            None => None,
        };
        for &slot in slots {
            let mut gradients = vec![Rows {
                rows: &rows,
                wide: wide.as_deref(),
            }];
            gradients.extend(by_hand.as_deref().map(|rows| Rows { rows, wide: None }));
            let before = self.exec.calls();
            let noise = self.noise(&[slot]);
            let zero = |row: &Products| row[slot].iter().flatten().all(|g| *g == 0.);
            let constant = match rows.iter().any(zero) {
                true => self.oracle.constant(self.exec, self.checked[slot]),
                false => Vec::new(),
            };
            let target = self.target(slot, &noise, &constant);
            let compared = full::compare(self.exec, &self.oracle, &target, &gradients)?;
            let tally = &compared.tallies[0];
            let missing = rows.iter().all(|products| products[slot].is_none());
            self.fill(slot, tally, missing, &mut report.inputs[slot])?;
            report.inputs[slot].evaluations = self.exec.calls() - before;
            if let Some(by_hand) = &by_hand {
                let entry = |worst: &Worst| self.entry(slot, worst);
                by_hand::fill(
                    slot,
                    &compared,
                    [&rows, by_hand],
                    entry,
                    &mut report.inputs[slot],
                );
            }
            self.probe(slot, &noise, report)?;
        }
        Ok(())
    }

    fn fill(
        &self,
        slot: usize,
        tally: &Tally,
        missing: bool,
        report: &mut InputReport,
    ) -> Result<()> {
        let point = tally.worst.map_or(Verdict::Pass, |w| w.verdict);
        let cut = tally.moving > 0 && tally.nonzero == 0;
        let settled = settle(self, slot, point, tally.worst.as_ref(), cut)?;
        self.conclude(slot, (point, tally.worst), settled, missing, report);
        report.certified = tally.certified;
        report.max_abs_err = tally.max_abs_err;
        report.counts = tally.verdicts();
        Ok(())
    }

    /// Writes one input's verdict, its worst entry, and why.
    fn conclude(
        &self,
        slot: usize,
        (point, worst): (Verdict, Option<Worst>),
        settled: Settled,
        missing: bool,
        report: &mut InputReport,
    ) {
        report.verdict = settled.verdict;
        report.resolution = settled.resolution;
        report.worst = worst.map(|worst| Entry {
            verdict: match worst.verdict {
                verdict if verdict == point => settled.verdict,
                verdict => verdict,
            },
            ..self.entry(slot, &worst)
        });
        let why = match (settled.verdict, missing) {
            (Verdict::Severed, true) => Some("autograd gave no gradient at all"),
            (Verdict::Severed, false) => Some("the gradient is all zeros"),
            (Verdict::Pass, true) if point == Verdict::Pass => {
                Some("no gradient, and the derivative is zero: f ignores this input here")
            }
            _ => None,
        };
        let notes = why.map(str::to_string).into_iter().chain(settled.note);
        report.notes.extend(notes);
    }

    /// The backward pass failed: the same for every input.
    fn no_gradient(&self, failure: &Failure, report: &mut Report) -> Result<()> {
        for input in &mut report.inputs {
            input.verdict = failure.verdict;
            input.notes.push(format!("backward: {}", failure.message));
        }
        Ok(())
    }

    fn fast(&self, slots: &[usize], manual: Option<Manual>, report: &mut Report) -> Result<()> {
        let rounds = match rounds(&self.graph, self.options.rounds, self.options.seed) {
            Ok(rounds) => rounds,
            Err(failure) => return self.no_gradient(&failure, report),
        };
        let by_hand = match (&manual, rounds.first()) {
            (Some(manual), Some(round)) => {
                let (checked, y) = (&self.checked, &self.graph.y);
                Some(by_hand::product(manual, self.inputs, checked, y, &round.v)?)
            }
            _ => None,
        };
        let parts: Vec<Part> = slots.iter().map(|&slot| self.part(slot, &rounds)).collect();
        let together = self.together(&parts, &rounds)?;
        for (n, &slot) in slots.iter().enumerate() {
            let before = self.exec.calls();
            let noise = match &together {
                Some((noise, _)) => noise.clone(),
                None => self.noise(&[slot]),
            };
            let zero = |round: &Round| round.products[slot].iter().flatten().all(|g| *g == 0.);
            let constant = match rounds.iter().all(zero) {
                true => self.oracle.constant(self.exec, self.checked[slot]),
                false => vec![false],
            };
            let target = self.target(slot, &noise, &constant);
            let fast = Fast {
                oracle: &self.oracle,
                graph: &self.graph,
                wide: self.wide.as_ref(),
                target: &target,
                seed: self.options.seed,
                part: parts[n],
            };
            let projected = match &together {
                Some((_, smallest)) => Projected::pass(smallest[n]),
                None => fast.check(self.exec, &rounds)?,
            };
            let missing = rounds.iter().all(|r| r.products[slot].is_none());
            self.fill_fast(slot, projected, missing, &mut report.inputs[slot])?;
            report.inputs[slot].evaluations = self.exec.calls() - before;
            if let (Some(by_hand), Some(round)) = (&by_hand, rounds.first()) {
                let input = &mut report.inputs[slot];
                by_hand::projected(self.exec, &fast, round, by_hand, input)?;
            }
            self.probe(slot, &noise, report)?;
        }
        Ok(())
    }

    fn part(&self, slot: usize, rounds: &[Round]) -> Part {
        let input = self.checked[slot];
        Part::new(&self.oracle, (slot, input), self.judge(slot), rounds)
    }

    /// The noise of every output, and the smallest visible error of every part, where one projection of all
    /// inputs settles them all; else nothing is said, and each is projected by itself.
    fn together(&self, parts: &[Part], rounds: &[Round]) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
        if parts.len() < 2 || !parts.iter().all(|part| part.has_gradient(rounds)) {
            return Ok(None);
        }
        let slots: Vec<usize> = parts.iter().map(|part| part.slot).collect();
        let noise = self.noise(&slots);
        let projection = Projection {
            oracle: &self.oracle,
            noise: &noise,
        };
        let smallest = projection.together(self.exec, parts, rounds, self.options.seed)?;
        Ok(smallest.map(|smallest| (noise, smallest)))
    }

    fn fill_fast(
        &self,
        slot: usize,
        projected: Projected,
        missing: bool,
        report: &mut InputReport,
    ) -> Result<()> {
        report.smallest_visible = Some(projected.smallest_visible);
        report.notes.extend(projected.note);
        let (point, worst) = (projected.verdict, projected.worst);
        let settled = settle(self, slot, point, worst.as_ref(), missing)?;
        self.conclude(slot, (point, worst), settled, missing, report);
        Ok(())
    }
}
