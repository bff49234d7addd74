//! From a wrong parameter to an entry of it that is wrong by itself.
//!
//! In goes the segment that contradicted; half of its elements move, then half of those, always the half
//! with which the loss and autograd's gradient are further apart. One segment a halving, log2 n in all; only
//! for the parameter that is contradicted most, and only in a model where something is wrong.

use std::ops::Range;

use candle_core::Result;

use super::context::Context;
use super::together::Compared;
use crate::gradcheck::compare::alone::One;
use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::displace::Move;
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::{to_f64, unravel};

/// Looks for such an entry in the parameter that is contradicted most.
pub(crate) fn localise(
    context: &Context,
    mut compared: Vec<Compared>,
    rng: &mut SplitMix64,
) -> Result<Vec<Compared>> {
    let wrong = compared.iter().filter(|c| c.is(Verdict::Wrong));
    let against = wrong.filter_map(|c| c.finding.against.as_ref());
    let off = |evidence: &Evidence| evidence.apart.abs() / evidence.error;
    let Some((evidence, way)) = against.max_by(|a, b| off(&a.0).total_cmp(&off(&b.0))) else {
        return Ok(compared);
    };
    let (t, var) = (way.var, &context.parameters.vars[way.var]);
    let at = halve(context, evidence, way)?;
    let only = within(None, at..at + 1, var.elem_count());
    let one = One {
        sum: gradient_at(context, t, at)?.abs(),
        only: Some(&only),
        ..context.one(t)
    };
    let finding = (context.one_at_a_time(false)).settle(&one, context.rtol(t), rng)?;
    if finding.verdict == Verdict::Wrong {
        for c in compared.iter_mut().filter(|c| c.t == t) {
            c.finding.against = finding.against.clone();
            c.entry = Some(unravel(at, var.dims()));
        }
    }
    Ok(compared)
}

/// One element of the move along which the two sides are apart.
fn halve(context: &Context, evidence: &Evidence, whole: &Move) -> Result<usize> {
    let n = context.parameters.vars[whole.var].elem_count();
    let (mut part, mut block) = (whole.clone(), 0..n);
    // The two sides are apart by so much a unit of step, to first order; so are two halves together.
    let mut rate = evidence.apart / whole.step;
    while block.len() > 1 {
        let half = block.start..block.start + block.len() / 2;
        part.only = Some(within(whole.only.as_ref(), half.clone(), n));
        part.step = (2. * part.step).min(context.farthest(whole.var));
        let first = match context.segment(std::slice::from_ref(&part))? {
            Ok(Some(evidence)) => evidence.apart / part.step,
            _ => 0.,
        };
        let second = rate - first;
        (block, rate) = match first.abs() >= second.abs() {
            true => (half, first),
            false => (half.end..block.end, second),
        };
    }
    Ok(block.start)
}

/// Autograd's gradient of one element; 0 where there is none.
fn gradient_at(context: &Context, t: usize, element: usize) -> Result<f64> {
    let pass = context.walker.pass()?.ok();
    match pass.as_ref().and_then(|pass| pass.gradients[t].as_ref()) {
        Some(gradient) => Ok(to_f64(&gradient.flatten_all()?.narrow(0, element, 1)?)?[0]),
        None => Ok(0.),
    }
}

/// The elements of `all` (of every element, if None) in a range.
fn within(all: Option<&Bits>, range: Range<usize>, n: usize) -> Bits {
    let mut bits = Bits::new(n);
    for i in range.filter(|&i| all.is_none_or(|all| all.get(i))) {
        bits.set(i);
    }
    bits
}
