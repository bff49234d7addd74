//! The verdict of segments: one pure function of what they read.
//!
//! A segment contradicts a gradient where f(x+u) - f(x-u) and ∫∇f·u are further apart than the segment's own
//! error and one jump of f, and than `rtol` of what the gradient claims there. With the readings of all
//! segments of one variable, short ones first:
//!
//! | verdict | when |
//! |---|---|
//! | wrong | a long segment contradicts, by twice as much as any of a quarter of its length, and another one contradicts too; where f may be piecewise constant, two long ones. Not where a few jumps of f as large as the largest on it would explain it, nor where two shorter ones that would have shown it agree |
//! | pass | none contradicts, and one (two, where a step or a shorter one has) would have shown a gradient wrong by a quarter as a whole |
//! | pass, where something else is cut | and so many agree that an error of a quarter in any direction stays hidden once in a thousand |
//! | inconclusive | else |
//!
//! What a segment contradicts, no other takes back, but where the segment itself shows that f jumps: f stands
//! still on it, or most of what it moves by, or of what the two sides are apart by, is one jump. Then long ones
//! have to agree, and to see what that one saw.

use super::constants::CHANCE;
use super::constants::RESOLVED;
use super::segment::Evidence;
use super::verdict::Verdict;

/// One segment, as far as the verdict needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// By how much the two sides differ.
    pub(crate) apart: f64,
    /// By how much rounding, quadrature and a jump of f may separate them.
    pub(crate) visible: f64,
    /// By how much `rtol` of the gradient may.
    pub(crate) allowed: f64,
    /// The largest jump of f on it.
    pub(crate) jump: f64,
    /// |∫∇f·u|
    pub(crate) claim: f64,
    /// ∫Σ|∇f·u|
    pub(crate) size: f64,
    /// The chance that an error of [`RESOLVED`] in a random direction stays hidden.
    pub(crate) chance: f64,
    pub(crate) step: f64,
    pub(crate) long: bool,
    /// Whether f stands still on it, or moves by little more than a jump.
    pub(crate) quantised: bool,
    /// Whether jumps of f may be what sets the two sides apart.
    pub(crate) jumps: bool,
}

impl Reading {
    pub(crate) fn new(evidence: &Evidence, step: f64, long: bool, kappa: f64, rtol: f64) -> Self {
        Self {
            apart: evidence.apart.abs(),
            visible: evidence.visible(kappa),
            allowed: rtol * evidence.claim(),
            jump: evidence.jump,
            claim: evidence.shares.iter().sum::<f64>().abs(),
            size: evidence.size,
            chance: evidence.chance(0, kappa),
            step,
            long,
            quantised: evidence.is_quantised(),
            jumps: evidence.jumps(),
        }
    }

    fn contradicts(&self) -> bool {
        self.apart > self.visible + self.allowed
    }

    /// Whether a few jumps of f, as large as the largest on it, may be what sets the two sides apart.
    fn by_a_jump(&self) -> bool {
        4. * self.jump > self.apart
    }

    fn resolution(&self) -> f64 {
        match self.claim > 0. {
            true => (self.apart + self.visible) / self.claim,
            false => f64::INFINITY,
        }
    }
}

/// The readings of one variable so far.
pub(crate) struct Readings {
    all: Vec<Reading>,
    /// Whether any of them shows a piecewise constant f.
    pub(crate) quantised: bool,
    flagged: bool,
    strict: bool,
}

impl Readings {
    /// None yet; `flagged` where a step has contradicted the gradient, `strict` where an error in any
    /// direction has to show.
    pub(crate) fn new(flagged: bool, strict: bool) -> Self {
        Self {
            all: Vec::with_capacity(8),
            quantised: false,
            flagged,
            strict,
        }
    }

    /// Adds one; true where it contradicts. What one shows of f's jumps counts for longer ones too, since
    /// nodes that meet each step of a piecewise constant f alike see none of them; not for shorter ones, since what a
    /// wrong gradient is apart by from node to node grows with the length.
    pub(crate) fn add(&mut self, mut reading: Reading) -> bool {
        let shorter = self.all.iter().filter(|r| r.step <= reading.step);
        let jump = shorter.fold(0f64, |m, r| m.max(r.jump));
        reading.visible = reading.visible.max(jump);
        self.quantised |= reading.quantised;
        self.all.push(reading);
        reading.contradicts()
    }

    /// And the relative error, as a whole, that would have shown.
    pub(crate) fn verdict(&self) -> (Verdict, Option<f64>) {
        let (against, with): (Vec<&Reading>, Vec<&Reading>) =
            self.all.iter().partition(|r| r.contradicts());
        let grown = against
            .iter()
            .filter(|r| r.long && !r.by_a_jump() && self.grows(r));
        let grown = grown.filter(|r| !farther_out(r, &with)).count();
        if grown > usize::from(self.quantised) && against.len() > 1 {
            return (Verdict::Wrong, None);
        }
        let jumps = against.iter().all(|r| r.jumps);
        let doubtful = !against.is_empty() || (self.quantised && self.flagged);
        let off = against.iter().map(|r| r.apart / r.size);
        let least = off.fold(RESOLVED, f64::min);
        let clear: Vec<f64> = (with.iter().filter(|r| r.long || !doubtful))
            .map(|r| r.resolution())
            .filter(|resolution| *resolution <= least)
            .collect();
        let enough = clear.len() > usize::from(self.flagged || doubtful);
        let hidden: f64 = with.iter().map(|r| r.chance).product();
        match jumps && enough && (!self.strict || hidden <= CHANCE) {
            true => (Verdict::Pass, clear.into_iter().reduce(f64::max)),
            false => (Verdict::Inconclusive, None),
        }
    }

    /// Whether a segment is further off than those of a quarter of its length and less. A wrong gradient
    /// is, by as much as the segment is longer; where f is piecewise constant the two sides are apart by some of its steps,
    /// however long the segment.
    fn grows(&self, long: &Reading) -> bool {
        let shorter = self.all.iter().filter(|r| 4. * r.step <= long.step);
        long.apart >= 2. * shorter.fold(0f64, |m, r| m.max(r.apart))
    }
}

/// Whether two shorter segments agree that would have shown what a long one contradicts, or one where the long
/// one shows a jump of f: then f jumps, or its gradient is wrong, farther out and not here.
fn farther_out(long: &Reading, with: &[&Reading]) -> bool {
    let sharp =
        |r: &&&Reading| 4. * r.step <= long.step && 2. * r.resolution() * long.claim < long.apart;
    with.iter().filter(sharp).count() > usize::from(!long.jumps)
}

#[cfg(test)]
mod tests {
    use super::{Reading, Readings};
    use crate::gradcheck::judge::verdict::Verdict::{self, Inconclusive, Pass, Wrong};

    /// A segment of this length, whose two sides are apart by this share of it, seen to a hundredth.
    fn reading(step: f64, off: f64) -> Reading {
        Reading {
            apart: off * step,
            visible: 0.01 * step,
            allowed: 0.001 * step,
            jump: 0.,
            claim: step,
            size: 4. * step,
            chance: 0.08,
            step,
            long: step >= 0.05,
            quantised: false,
            jumps: false,
        }
    }

    fn verdict(all: &[Reading], flagged: bool, strict: bool) -> Verdict {
        let mut readings = Readings::new(flagged, strict);
        for reading in all {
            readings.add(*reading);
        }
        readings.verdict().0
    }

    #[test]
    fn one_that_resolves_a_quarter_is_a_pass_and_a_flagged_one_needs_two() {
        let all = [reading(1e-3, 0.), reading(0.1, 0.)];
        assert_eq!(verdict(&all[..1], false, false), Pass);
        assert_eq!(verdict(&all[..1], true, false), Inconclusive);
        assert_eq!(verdict(&all, true, false), Pass);
        let unclear = Reading {
            visible: 0.3 * 1e-3,
            ..all[0]
        };
        assert_eq!(verdict(&[unclear], false, false), Inconclusive);
    }

    #[test]
    fn wrong_needs_a_long_one_that_grows_and_another() {
        let (short, long) = (reading(1e-3, 0.5), reading(0.1, 0.5));
        assert_eq!(verdict(&[long], false, false), Inconclusive);
        assert_eq!(verdict(&[short], false, false), Inconclusive);
        assert_eq!(verdict(&[short, long], false, false), Wrong);
        // as far apart on the long one as on the short one: some steps of a piecewise constant f
        let stays = reading(0.1, 0.5 * 0.015);
        assert_ne!(verdict(&[short, stays], false, false), Wrong);
    }

    #[test]
    fn no_agreement_takes_a_sharp_contradiction_back() {
        let (short, long) = (reading(1e-3, 0.5), reading(0.1, 0.));
        let longer = reading(0.3, 0.);
        assert_eq!(verdict(&[short, long, longer], false, false), Inconclusive);
        // where the segment itself shows a jump, two long ones may
        let jump = Reading {
            quantised: true,
            jumps: true,
            ..short
        };
        assert_eq!(verdict(&[jump, long], false, false), Inconclusive);
        assert_eq!(verdict(&[jump, long, longer], false, false), Pass);
    }

    #[test]
    fn what_two_shorter_ones_refute_is_farther_out() {
        let (short, middle) = (reading(1e-3, 0.), reading(6e-3, 0.));
        let (long, longer) = (reading(0.1, 0.5), reading(0.3, 0.5));
        assert_eq!(verdict(&[short, long, longer], true, false), Wrong);
        assert_eq!(
            verdict(&[short, middle, long, longer], false, true),
            Inconclusive
        );
    }

    #[test]
    fn a_piecewise_constant_f_is_wrong_by_two_long_ones() {
        let jump = Reading {
            quantised: true,
            jumps: true,
            ..reading(1e-3, 0.5)
        };
        let (long, longer) = (reading(0.1, 0.5), reading(0.3, 0.5));
        assert_eq!(verdict(&[jump, long], false, false), Inconclusive);
        assert_eq!(verdict(&[jump, long, longer], false, false), Wrong);
    }

    #[test]
    fn what_a_few_jumps_explain_is_not_wrong() {
        let short = reading(1e-3, 0.);
        let off = |jump: f64| {
            [0.1, 0.3].map(|step| Reading {
                jump: jump * step,
                ..reading(step, 0.5)
            })
        };
        let [long, longer] = off(0.12);
        assert_eq!(verdict(&[short, long, longer], true, false), Wrong);
        let [long, longer] = off(0.13);
        assert_eq!(verdict(&[short, long, longer], true, false), Inconclusive);
    }

    #[test]
    fn where_something_is_cut_every_direction_has_to_show() {
        let all = [reading(1e-3, 0.), reading(6e-3, 0.), reading(0.1, 0.)];
        assert_eq!(verdict(&all[..2], false, true), Inconclusive);
        assert_eq!(verdict(&all, false, true), Pass); // 0.08³ < 1e-3
    }
}
