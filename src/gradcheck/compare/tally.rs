//! Verdicts counted, and the worst entry kept.

use crate::gradcheck::judge::law::{Judge, Pair};
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::values::rel_err;

/// Verdicts counted, and the worst entry.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub(crate) counts: [usize; 10],
    pub(crate) certified: usize,
    pub(crate) max_rel_err: f64,
    pub(crate) max_abs_err: f64,
    pub(crate) worst: Option<Worst>,
    /// Entries whose numeric derivative is surely not zero.
    pub(crate) moving: usize,
    /// Entries whose gradient is not zero.
    pub(crate) nonzero: usize,
    /// The largest finite gradient.
    pub(crate) largest: f64,
}

/// An entry by the flat indices of its output and input elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worst {
    pub(crate) verdict: Verdict,
    pub(crate) excess: f64,
    pub(crate) output: usize,
    pub(crate) input: usize,
    pub(crate) pair: Pair,
}

impl Tally {
    pub(crate) fn add(&mut self, judge: &Judge, worst: Worst) {
        let pair = &worst.pair;
        self.counts[worst.verdict as usize] += 1;
        self.certified += usize::from(worst.verdict == Verdict::Pass);
        self.moving += usize::from(judge.surely_moves(pair));
        self.nonzero += usize::from(pair.analytic != 0.);
        if pair.analytic.is_finite() {
            self.largest = self.largest.max(pair.analytic.abs());
        }
        let apart = (pair.analytic - pair.numeric).abs();
        if apart.is_finite() {
            self.max_abs_err = self.max_abs_err.max(apart);
        }
        if pair.numeric.abs() > 1e3 * pair.bound || pair.analytic.abs() > 1e3 * pair.bound {
            let rel_err = rel_err(pair.analytic, pair.numeric);
            self.max_rel_err = self.max_rel_err.max(rel_err);
        }
        self.keep(worst);
    }

    /// The verdicts that were given, mildest first.
    pub(crate) fn verdicts(&self) -> Vec<(Verdict, usize)> {
        let all = Verdict::ALL.iter().map(|&v| (v, self.counts[v as usize]));
        all.filter(|(_, count)| *count > 0).collect()
    }

    fn keep(&mut self, worst: Worst) {
        let rank = |w: &Worst| (w.verdict, w.excess);
        if self.worst.is_none_or(|held| rank(&worst) > rank(&held)) {
            self.worst = Some(worst);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.certified += other.certified;
        self.moving += other.moving;
        self.nonzero += other.nonzero;
        self.largest = self.largest.max(other.largest);
        self.max_rel_err = self.max_rel_err.max(other.max_rel_err);
        self.max_abs_err = self.max_abs_err.max(other.max_abs_err);
        if let Some(worst) = other.worst {
            self.keep(worst);
        }
    }
}
