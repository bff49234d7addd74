//! From a wrong parameter to an entry of it that is wrong by itself.
//!
//! In goes the segment that contradicted; half of its elements move, then half of those, always the half
//! with which the loss and autograd's gradient are further apart. One segment a halving, log2 n in all; only
//! for the parameter that is contradicted most, and only in a model where something is wrong.

use std::ops::Range;

use candle_core::Result;

use super::at_once::Compared;
use super::context::{Model, Rng};
use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::displace::Move;
use crate::gradcheck::compare::single::One;
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::values::{to_f64, unravel};

/// Looks for such an entry in the parameter that is contradicted most.
pub(crate) fn localise(
    model: &Model,
    mut compared: Vec<Compared>,
    rng: &mut Rng,
) -> Result<Vec<Compared>> {
    let wrong = compared.iter().filter(|c| c.is(Verdict::Wrong));
    let against = wrong.filter_map(|c| c.finding.against.as_ref());
    let off = |evidence: &Evidence| evidence.apart.abs() / evidence.error;
    let Some((evidence, whole)) = against.max_by(|a, b| off(&a.0).total_cmp(&off(&b.0))) else {
        return Ok(compared);
    };
    let (t, var) = (whole.var, &model.parameters.vars[whole.var]);
    let at = halve(model, evidence, whole)?;
    let only = within(None, at..at + 1, var.elem_count());
    let one = One {
        sum: gradient_at(model, t, at)?.abs(),
        only: Some(&only),
        ..model.one(t)
    };
    let finding = model.segments(false).settle(&one, model.rtol(t), rng)?;
    if finding.verdict == Verdict::Wrong {
        for c in compared.iter_mut().filter(|c| c.t == t) {
            c.finding.against = finding.against.clone();
            c.entry = Some(unravel(at, var.dims()));
        }
    }
    Ok(compared)
}

/// One element of the move along which the two sides are apart.
fn halve(model: &Model, evidence: &Evidence, whole: &Move) -> Result<usize> {
    let n = model.parameters.vars[whole.var].elem_count();
    let (mut part, mut block) = (whole.clone(), 0..n);
    // The two sides are apart by so much a unit of step, to first order; so are two halves at once.
    let mut rate = evidence.apart / whole.step;
    while block.len() > 1 {
        let half = block.start..block.start + block.len() / 2;
        part.only = Some(within(whole.only.as_ref(), half.clone(), n));
        part.step = (2. * part.step).min(model.farthest(whole.var));
        let first = match model.scalar.along(std::slice::from_ref(&part))? {
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
fn gradient_at(model: &Model, t: usize, element: usize) -> Result<f64> {
    let pass = model.scalar.pass()?.ok();
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
