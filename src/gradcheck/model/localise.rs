//! From a wrong parameter to an entry of it that is wrong by itself.
//!
//! In goes the segment that contradicted; half of its elements move, then half of those, always the half
//! with which the loss and autograd's gradient are further apart. One walk a halving, log2 n in all; only
//! for the parameter that is contradicted most, and only in a model where something is wrong.

use std::ops::Range;

use candle_core::Result;

use super::run::{Against, Run, segment};
use crate::gradcheck::compare::alone::One;
use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::walk::chunks;
use crate::gradcheck::judge::constants::FARTHEST;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::values::unravel;

impl Run<'_> {
    /// Looks for the entry, and says so in the report where it is wrong by itself.
    pub(crate) fn localise(&mut self) -> Result<()> {
        let off = |a: &Against| a.evidence.apart.abs() / a.evidence.error;
        let against = std::mem::take(&mut self.against);
        let Some(most) = against.into_iter().max_by(|a, b| off(a).total_cmp(&off(b))) else {
            return Ok(());
        };
        let t = most.t;
        let entry = self.halve(most)?;
        let n = self.parameters.vars[t].elem_count();
        let sum = self.gradient_at(t, entry)?.abs();
        let only = within(None, entry..entry + 1, n);
        let one = One {
            var: t,
            negative: &self.plain[t].negative,
            sum,
            size: self.parameters.sizes[t],
            only: Some(&only),
        };
        let mut rng = self.rng.clone();
        let finding = self.walks(false).settle(&one, self.rtol(t), &mut rng)?;
        if let (Verdict::Wrong, Some((evidence, _))) = (finding.verdict, finding.against) {
            let index = unravel(entry, self.parameters.vars[t].dims());
            self.report.parameters[t].worst = Some(segment(&evidence));
            self.report.parameters[t].worst_entry = Some(index);
        }
        Ok(())
    }

    /// One element of the move that contradicted.
    fn halve(&mut self, Against { t, evidence, way }: Against) -> Result<usize> {
        let n = self.parameters.vars[t].elem_count();
        let all = way.only.clone();
        let farthest = FARTHEST * self.parameters.sizes[t].max(self.parameters.typical);
        let (mut m, mut block) = (way, 0..n);
        // The two sides are apart by so much a unit of step, to first order; so are two halves together.
        let mut rate = evidence.apart / m.step;
        while block.len() > 1 {
            let half = block.start..block.start + block.len() / 2;
            m.only = Some(within(all.as_ref(), half.clone(), n));
            m.step = (2. * m.step).min(farthest);
            let first = match self.walk(std::slice::from_ref(&m))? {
                Ok(Some(evidence)) => evidence.apart / m.step,
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

    fn gradient_at(&mut self, t: usize, entry: usize) -> Result<f64> {
        let mut at = 0.;
        if let Ok(pass) = self.walker.pass()?
            && let Some(gradient) = &pass.gradients[t]
        {
            chunks(gradient, |from, g| {
                if let Some(g) = entry.checked_sub(from).and_then(|k| g.get(k)) {
                    at = *g;
                }
                Ok(())
            })?;
        }
        Ok(at)
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
