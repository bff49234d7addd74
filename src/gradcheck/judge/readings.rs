//! The verdict of several segments on one gradient: a pure function of their [`Reading`]s.
//!
//! A segment contradicts a gradient where f(x+u) - f(x-u) and ∫∇f·u are further apart than the segment's own
//! error, or one jump of f, and `rtol` of what the gradient claims there. The readings of all segments of one
//! variable, short ones first, give:
//!
//! * **wrong**: (1) a long segment contradicts, by twice as much as any of a quarter of its length, and (2) another one
//!   contradicts too; where f may be piecewise constant, two long ones as in (1). A long one does not count where two
//!   shorter ones (one, where the long one shows a jump) agree that would have shown it. Unless a few jumps of f,
//!   as large as the largest on each, would explain all that contradict but one: then the verdict is inconclusive.
//! * **pass**: none contradicts, and one (two, where the derivative at the point has not cleared the gradient) would
//!   have shown a gradient wrong by a quarter as a whole. Of the two only long ones count where f may be piecewise
//!   constant.
//! * **pass, where something else is cut**: as above, and so many agree that an error of a quarter in any direction
//!   stays hidden once in a thousand.
//! * **inconclusive**: else.
//!
//! If a segment contradicts, no other segment takes that back, unless the first one itself shows that f jumps: f
//! stands still on it; or more than a quarter of what f moves by, or of what the two sides are apart by, is one jump;
//! or f scatters by far more than rounding. Then two long ones have to agree, and they have to be sharp enough to see
//! what that one saw.

use super::constants::{CHANCE, FEW, RESOLVED};
use super::segment::Evidence;
use super::verdict::Verdict;

/// One segment, as far as the verdict needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// By how much the two sides differ.
    pub(crate) apart: f64,
    /// By how much rounding and quadrature, or a jump of f, may separate them.
    pub(crate) visible: f64,
    /// By how much they may differ beyond that: `rtol` of what the gradient claims.
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
    /// Whether f stands still on it, or moves by less than four of its jumps.
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
    fn by_jumps(&self) -> bool {
        FEW * self.jump > self.apart
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
    /// No readings yet; `flagged` where the derivative at the point has not cleared the gradient, so that two segments
    /// have to; `strict` where an error in any direction has to show.
    pub(crate) fn new(flagged: bool, strict: bool) -> Self {
        Self {
            all: Vec::with_capacity(8),
            quantised: false,
            flagged,
            strict,
        }
    }

    /// Adds one; true where it contradicts. A jump of f that one shows counts for longer ones too, since nodes that
    /// meet each step of a piecewise constant f alike see no jump. It does not count for shorter ones: a wrong gradient
    /// too sets the two sides apart from node to node, by more the longer the segment.
    pub(crate) fn add(&mut self, mut reading: Reading) -> bool {
        let shorter = self.all.iter().filter(|r| r.step <= reading.step);
        let jump = shorter.fold(0f64, |m, r| m.max(r.jump));
        reading.visible = reading.visible.max(jump);
        self.quantised |= reading.quantised;
        self.all.push(reading);
        reading.contradicts()
    }

    /// The verdict; and of a pass, the relative error of the gradient as a whole that would have shown.
    pub(crate) fn verdict(&self) -> (Verdict, Option<f64>) {
        let (against, with): (Vec<&Reading>, Vec<&Reading>) =
            self.all.iter().partition(|r| r.contradicts());
        let grown = against.iter().filter(|r| r.long && self.grows(r));
        let grown = grown.filter(|r| !farther_out(r, &with)).count();
        if grown > usize::from(self.quantised) && against.len() > 1 {
            // What jumps may explain is not wrong, and it is not right either.
            return match against.iter().filter(|r| !r.by_jumps()).count() {
                0 | 1 => (Verdict::Inconclusive, None),
                _ => (Verdict::Wrong, None),
            };
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

    /// Whether a segment is at least twice as far off as those of a quarter of its length and less. With a wrong
    /// gradient it is, by as much as it is longer; where f is piecewise constant the two sides are apart by some of
    /// f's steps, however long the segment.
    fn grows(&self, long: &Reading) -> bool {
        let shorter = self.all.iter().filter(|r| 4. * r.step <= long.step);
        long.apart >= 2. * shorter.fold(0f64, |m, r| m.max(r.apart))
    }
}

/// Whether two shorter segments (one, where the long one shows a jump of f) agree that would have shown the error
/// that a long one shows: then f jumps, or its gradient is wrong, farther out and not here.
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
        let blunt = Reading {
            visible: 0.3 * 1e-3,
            ..all[0]
        };
        assert_eq!(verdict(&[blunt], false, false), Inconclusive);
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
