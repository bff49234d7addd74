//! The check of a model, from a plain backward pass to the report.
//!
//! 1. Plain passes: which parameters get no gradient, or zeros; whether f gives the same twice.
//! 2. The elements without a gradient: `severed` where they move the loss and no gradient appears.
//! 3. All other parameters at once, by halves where that is contradicted, and one at a time what that leaves open.
//! 4. Where one is wrong, one at a time those that passed only as a whole.
//! 5. In the parameter that is contradicted most, an entry that is wrong by itself.
//! 6. The report.

use std::cell::Cell;

use candle_core::{Result, Tensor, bail};

use super::at_once::{Compared, at_once, one_at_a_time};
use super::context::{Model, Rng};
use super::localise::localise;
use super::marks::{self, Cut, Mark};
use super::nondeterminism;
use super::parameters::{Parameters, names};
use super::plain::Plain;
use super::report::{ModelReport, ParameterReport, Segment};
use super::suspects::{self, Suspect};
use super::zeros::{ZERO, Zeros, zeros};
use crate::gradcheck::compare::scalar::Scalar;
use crate::gradcheck::compare::single::QUANTISED;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Options;
use crate::gradcheck::support::passes::Passes;

/// Compares each parameter's gradient with changes of the loss.
pub(crate) fn check(
    parameters: &Parameters,
    f: &dyn Fn() -> Result<Tensor>,
    options: &Options,
) -> Result<ModelReport> {
    let (calls, passes) = (Cell::new(0), Passes::default());
    let counted = || {
        calls.set(calls.get() + 1);
        f()
    };
    let (y, marks) = marks::passed(&counted)?;
    one_number(&y)?;
    drop(y);
    let scalar = Scalar {
        vars: &parameters.vars,
        origin: &parameters.origin,
        f: &counted,
        weights: &[1.],
        passes: &passes,
    };
    let model = Model::new(parameters, scalar, options)?;
    let found = find(&model)?;
    let unread = parameters.names.iter().zip(&found);
    let unread = unread.filter(|(_, report)| report.is_none());
    let unread = unread.map(|(name, _)| name.clone()).collect();
    let found: Vec<ParameterReport> = found.into_iter().flatten().collect();
    let (cuts, suspects) = ends(&model, &found, &marks)?;
    let notes = nondeterminism::notes(&model, &found)?;
    Ok(ModelReport {
        parameters: found,
        buffers: names(&parameters.buffers),
        unread,
        marks,
        cuts,
        suspects,
        loss: model.loss,
        passes: passes.count(),
        forwards: calls.get() - passes.count(),
        notes,
    })
}

fn one_number(y: &Tensor) -> Result<()> {
    if y.elem_count() != 1 || !y.dtype().is_float() {
        let (dtype, dims) = (y.dtype(), y.dims());
        bail!("gradcheck: the loss is {dtype:?} {dims:?}; it must be one float, e.g. .mean_all()")
    }
    Ok(())
}

/// The report of each parameter; None where f does not read it.
fn find(model: &Model) -> Result<Vec<Option<ParameterReport>>> {
    // 1.
    if let Some(verdicts) = plain(model)? {
        let report = |(t, verdict)| Some(model.report(t, verdict));
        return Ok(verdicts.into_iter().enumerate().map(report).collect());
    }
    // 2.
    let rng = &mut Rng::new(model.options.seed, 0);
    let zeros = zeros(model, rng)?;
    let severed = zeros.iter().any(|z| matches!(z, Zeros::Severed(..)));
    // 3.
    let open = |&t: &usize| zeros[t].leaves_open() && !model.plain[t].all_zero;
    let open: Vec<usize> = (0..zeros.len()).filter(open).collect();
    let compared = at_once(model, &open, severed, rng)?;
    // 4. Faults seldom come alone: once one is found, an error in any direction has to show in the others too.
    let wrong = compared.iter().any(|c| c.is(Verdict::Wrong));
    let again = compared.into_iter().map(|c| match wrong && c.by_factor {
        true => one_at_a_time(model, c.t, true, rng),
        false => Ok(c),
    });
    let compared = again.collect::<Result<Vec<Compared>>>()?;
    // 5.
    let compared = match severed {
        true => compared,
        false => localise(model, compared, rng)?,
    };
    // 6.
    let compared = |t: usize| compared.iter().find(|c| c.t == t);
    let report = |(t, zeros)| match zeros {
        Zeros::Unread => None,
        zeros => Some(report(model, t, zeros, compared(t), severed)),
    };
    Ok(zeros.into_iter().enumerate().map(report).collect())
}

/// Step 1: the verdicts of all parameters, where nothing can be compared.
fn plain(model: &Model) -> Result<Option<Vec<Verdict>>> {
    let all = |verdict| vec![verdict; model.parameters.vars.len()];
    if let Some(failure) = &model.failure {
        return Ok(Some(all(failure.verdict)));
    }
    let finite = |plain: &Plain| plain.sum.is_finite() && model.loss.is_finite();
    let verdict = |plain| match finite(plain) {
        true => Verdict::Inconclusive,
        false => Verdict::NonFinite,
    };
    if !model.plain.iter().all(finite) {
        return Ok(Some(model.plain.iter().map(verdict).collect()));
    }
    let varies = nondeterminism::varies(model)?;
    Ok(varies.then(|| all(Verdict::Nondeterministic)))
}

/// Step 6, of one parameter: from what is known of its elements without a gradient and of the others. `severed`
/// where some parameter is.
fn report(
    model: &Model,
    t: usize,
    zeros: Zeros,
    compared: Option<&Compared>,
    severed: bool,
) -> ParameterReport {
    let finding = compared.map(|c| &c.finding);
    let against = finding.and_then(|finding| finding.against.as_ref());
    let against = against.map(|(evidence, _)| Segment::of(evidence));
    let verdict = finding.map_or(Verdict::Inconclusive, |finding| finding.verdict);
    let (verdict, worst, note) = match (zeros, verdict) {
        (Zeros::Severed(segment, note), _) => (Verdict::Severed, Some(segment), note),
        (Zeros::Flat, _) => (Verdict::Pass, None, None),
        (_, Verdict::Pass) => (Verdict::Pass, None, against.map(|_| QUANTISED)),
        (_, verdict) => (verdict, against, None),
    };
    let (severed_elements, severed_rows) = match verdict {
        Verdict::Severed => model.plain[t].zero_rows(model.parameters.vars[t].dims()),
        _ => (0, Vec::new()),
    };
    let zero = (zeros == Zeros::Unaccounted).then_some(ZERO);
    ParameterReport {
        resolution: finding.and_then(|finding| finding.resolution),
        worst,
        worst_entry: compared.and_then(|c| c.entry.clone()),
        severed_rows,
        severed_elements,
        consequence: severed && verdict == Verdict::Wrong,
        notes: zero.into_iter().chain(note).map(str::to_string).collect(),
        ..model.report(t, verdict)
    }
}

/// Where the graph ends, if something is severed or wrong: between which marks, or what could have cut it.
fn ends(
    model: &Model,
    found: &[ParameterReport],
    marks: &[Mark],
) -> Result<(Vec<Cut>, Vec<Suspect>)> {
    let flagged = |p: &ParameterReport| matches!(p.verdict, Verdict::Severed | Verdict::Wrong);
    if !marks.is_empty() && found.iter().any(flagged) {
        let cuts = marks::cuts(model.scalar.f)?;
        if !cuts.is_empty() {
            return Ok((cuts, Vec::new()));
        }
    }
    let severed = found.iter().filter(|p| p.verdict == Verdict::Severed);
    let severed: Vec<(&str, &[usize])> = severed.map(|p| (&p.name[..], &p.shape[..])).collect();
    let suspects = suspects::of(&model.parameters.names, &severed);
    Ok((Vec::new(), suspects))
}
