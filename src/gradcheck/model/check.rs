//! The check of a model, from a plain backward pass to the report.
//!
//! 1. Plain passes: which parameters get no gradient, or zeros; whether f gives the same twice.
//! 2. The elements without a gradient: `severed` where they move the loss and no gradient appears.
//! 3. All other parameters at once, by halves where that is contradicted, and one at a time what that leaves open.
//! 4. Where one is wrong, those that passed only as a whole, one at a time.
//! 5. In the parameter that is contradicted most, an entry that is wrong by itself.
//! 6. The report.

use std::cell::Cell;
use std::collections::BTreeMap;

use candle_core::{Result, Tensor, bail};

use super::context::Context;
use super::localise::{Entry, localise};
use super::marks::{self, Cut};
use super::nondeterminism;
use super::parameters::Parameters;
use super::report::{ModelReport, ParameterReport, Segment};
use super::suspects::{self, Suspect};
use super::together::{Compared, at_once, one_at_a_time};
use super::zeros::{Zeros, flat, zeros};
use crate::gradcheck::compare::alone::{Finding, QUANTISED};
use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::walk::Walker;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Options;
use crate::gradcheck::support::passes::Passes;
use crate::gradcheck::support::rng::SplitMix64;

/// Said of what is severed only where the other parameters are moved too,
const ELSEWHERE: &str =
    "here the loss is flat in it; where the other parameters are moved it is not";

/// and of a parameter with a zero gradient.
const ZERO: &str = "its gradient is zero here, and does not account for the loss nearby";

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
    let walker = Walker {
        vars: &parameters.vars,
        f: &counted,
        weights: &[1.],
        passes: &passes,
    };
    let found = plain(parameters, walker, options)?;
    let (unread, reports) = unread(parameters, found.parameters);
    let (cuts, suspects) = ends(parameters, &reports, !marks.is_empty(), &counted)?;
    let buffers = parameters.buffers.iter().map(|(name, ..)| name.clone());
    Ok(ModelReport {
        parameters: reports,
        buffers: buffers.collect(),
        unread,
        marks,
        cuts,
        suspects,
        loss: found.loss,
        passes: passes.count(),
        forwards: calls.get() - passes.count(),
        notes: found.notes,
    })
}

fn one_number(y: &Tensor) -> Result<()> {
    if y.elem_count() != 1 || !y.dtype().is_float() {
        let (dtype, dims) = (y.dtype(), y.dims());
        bail!("gradcheck: the loss is {dtype:?} {dims:?}; it must be one float, e.g. .mean_all()")
    }
    Ok(())
}

/// What is found of each parameter, None where f does not read it; and of all.
struct Found {
    loss: f64,
    parameters: Vec<Option<ParameterReport>>,
    notes: Vec<String>,
}

/// Step 1; where that does not settle everything, the others.
fn plain(parameters: &Parameters, walker: Walker, options: &Options) -> Result<Found> {
    let all = 0..parameters.vars.len();
    let pass = match walker.pass()? {
        Ok(pass) => pass,
        Err(failure) => {
            let report = |t| ParameterReport {
                notes: vec![format!("backward: {}", failure.message)],
                ..parameters.report(t, failure.verdict)
            };
            return Ok(Found {
                loss: f64::NAN,
                parameters: all.map(report).map(Some).collect(),
                notes: Vec::new(),
            });
        }
    };
    let context = Context::new(parameters, walker, options, pass)?;
    let finite = |t: usize| context.loss.is_finite() && context.plain[t].sum.is_finite();
    let (reports, notes) = if !all.clone().all(finite) {
        let report = |t| match finite(t) {
            true => blank(&context, t, Verdict::Inconclusive),
            false => blank(&context, t, Verdict::NonFinite),
        };
        (all.map(report).map(Some).collect(), Vec::new())
    } else if nondeterminism::varies(&context)? {
        let report = |t| blank(&context, t, Verdict::Nondeterministic);
        let notes = nondeterminism::notes(&context)?;
        (all.map(report).map(Some).collect(), notes)
    } else {
        (compare(&context)?, Vec::new())
    };
    Ok(Found {
        loss: context.loss,
        parameters: reports,
        notes,
    })
}

/// Steps 2 to 6, the reports of all parameters.
fn compare(context: &Context) -> Result<Vec<Option<ParameterReport>>> {
    let rng = &mut SplitMix64::new(context.options.seed, 0);
    let zeros = zeros(context, rng)?;
    let severed = zeros.iter().any(Zeros::is_severed);

    let nonzero = |&t: &usize| !zeros[t].is_severed() && !context.plain[t].all_zero;
    let (flat, moving) = flat(context, (0..zeros.len()).filter(nonzero), rng)?;
    let flat = flat.into_iter().map(Compared::flat);
    let compared = flat.chain(at_once(context, &moving, severed, rng)?);
    let compared: Vec<Compared> = compared.collect();

    // Faults seldom come alone: once one is found, an error in any direction has to show in the others too.
    let wrong = compared.iter().any(|c| c.is(Verdict::Wrong));
    let again = compared.into_iter().map(|c| match wrong && c.by_factor {
        true => one_at_a_time(context, c.t, true, rng),
        false => Ok(c),
    });
    let compared: Vec<Compared> = again.collect::<Result<_>>()?;

    let mut entry = match severed {
        true => None,
        false => localise(context, &compared, rng)?,
    };

    let findings = compared.into_iter().map(|c| (c.t, c.finding));
    let mut findings: BTreeMap<usize, Finding> = findings.collect();
    let reports = zeros.into_iter().enumerate().map(|(t, zeros)| {
        let finding = findings.remove(&t);
        let entry = entry.take_if(|entry| entry.t == t);
        match zeros {
            Zeros::Unread => None,
            Zeros::Severed { segment, elsewhere } => Some(cut(context, t, segment, elsewhere)),
            _ => Some(told(context, t, zeros, finding, entry, severed)),
        }
    });
    Ok(reports.collect())
}

/// The report of a parameter of which nothing but the verdict is known,
fn blank(context: &Context, t: usize, verdict: Verdict) -> ParameterReport {
    ParameterReport {
        missing: context.plain[t].missing,
        ..context.parameters.report(t, verdict)
    }
}

/// of one that moves the loss without a gradient,
fn cut(context: &Context, t: usize, segment: Segment, elsewhere: bool) -> ParameterReport {
    let plain = &context.plain[t];
    ParameterReport {
        worst: Some(segment),
        severed_rows: plain.zero_rows(context.parameters.vars[t].dims()),
        severed_elements: plain.zeros.as_ref().map_or(0, Bits::count),
        notes: elsewhere.then(|| ELSEWHERE.into()).into_iter().collect(),
        ..blank(context, t, Verdict::Severed)
    }
}

/// and of any other; `severed` where another one is.
fn told(
    context: &Context,
    t: usize,
    zeros: Zeros,
    finding: Option<Finding>,
    entry: Option<Entry>,
    severed: bool,
) -> ParameterReport {
    let finding = finding.unwrap_or_else(|| match zeros {
        Zeros::Flat => Compared::flat(t).finding,
        _ => Finding::none(),
    });
    let passes = finding.verdict == Verdict::Pass;
    let unaccounted = (zeros == Zeros::Unaccounted).then_some(ZERO);
    let quantised = (passes && finding.against.is_some()).then_some(QUANTISED);
    let notes = unaccounted.into_iter().chain(quantised);
    let against = finding.against.filter(|_| !passes);
    let whole = against.map(|(evidence, _)| Segment::of(&evidence));
    ParameterReport {
        resolution: finding.resolution,
        worst: entry.as_ref().map(|entry| entry.segment).or(whole),
        worst_entry: entry.map(|entry| entry.index),
        consequence: severed && finding.verdict == Verdict::Wrong,
        notes: notes.map(str::to_string).collect(),
        ..blank(context, t, finding.verdict)
    }
}

/// The parameters that f does not read, and the reports of the others.
fn unread(
    parameters: &Parameters,
    found: Vec<Option<ParameterReport>>,
) -> (Vec<String>, Vec<ParameterReport>) {
    let unread = parameters.names.iter().zip(&found);
    let unread = unread.filter(|(_, report)| report.is_none());
    let names = unread.map(|(name, _)| name.clone()).collect();
    (names, found.into_iter().flatten().collect())
}

/// Where the graph ends, if something is severed or wrong: between which marks, or what could have cut it.
fn ends(
    parameters: &Parameters,
    found: &[ParameterReport],
    marked: bool,
    f: &dyn Fn() -> Result<Tensor>,
) -> Result<(Vec<Cut>, Vec<Suspect>)> {
    let flagged = |p: &ParameterReport| matches!(p.verdict, Verdict::Severed | Verdict::Wrong);
    let cuts = match marked && found.iter().any(flagged) {
        true => marks::cuts(f)?,
        false => Vec::new(),
    };
    let severed = found.iter().filter(|p| p.verdict == Verdict::Severed);
    let severed: Vec<(&str, &[usize])> = severed.map(|p| (&p.name[..], &p.shape[..])).collect();
    let suspects = match cuts.is_empty() {
        true => suspects::of(&parameters.names, &severed),
        false => Vec::new(),
    };
    Ok((cuts, suspects))
}
