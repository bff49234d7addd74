//! A count of the verdicts on entries, and the worst entry.

use crate::gradcheck::judge::law::{Judge, Pair};
use crate::gradcheck::judge::verdict::Verdict;

/// How many entries have each verdict, and the worst entry.
#[derive(Clone, Default)]
pub(crate) struct Summary {
    pub(crate) counts: [usize; 10],
    pub(crate) certified: usize,
    pub(crate) max_abs_err: f64,
    pub(crate) worst: Option<Worst>,
    /// Entries whose numeric derivative is surely not zero.
    pub(crate) moving: usize,
    /// Entries whose gradient is not zero.
    pub(crate) nonzero: usize,
}

/// A judged entry, by the flat indices of its output and input elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worst {
    pub(crate) verdict: Verdict,
    pub(crate) excess: f64,
    pub(crate) output: usize,
    pub(crate) input: usize,
    pub(crate) pair: Pair,
}

impl Summary {
    pub(crate) fn add(&mut self, judge: &Judge, worst: Worst) {
        let pair = &worst.pair;
        self.counts[worst.verdict as usize] += 1;
        self.certified += usize::from(worst.verdict == Verdict::Pass);
        self.moving += usize::from(judge.surely_moves(pair));
        self.nonzero += usize::from(pair.analytic != 0.);
        let apart = (pair.analytic - pair.numeric).abs();
        if apart.is_finite() {
            self.max_abs_err = self.max_abs_err.max(apart);
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
        self.max_abs_err = self.max_abs_err.max(other.max_abs_err);
        if let Some(worst) = other.worst {
            self.keep(worst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Judge, Pair, Summary, Verdict, Worst};
    use crate::gradcheck::judge::tolerance::Tolerance;
    use candle_core::DType;

    /// An entry of every kind, at outputs 0, 1, 2, ...
    fn entries() -> Vec<Worst> {
        let kinds = [
            (Verdict::Pass, 1., 1., 1e-9),
            (Verdict::Pass, 0., 0., 1e-9),
            (Verdict::Wrong, -7., 2., 1e-9),
            (Verdict::Wrong, 3., 2.5, 1e-9),
            (Verdict::NonFinite, f64::NAN, 2., 1e-9),
            (Verdict::Inconclusive, 1e-7, 2e-7, 1e-6),
            (Verdict::Severed, 0., 4., 1e-9),
        ];
        let of = |(output, kind): (usize, (Verdict, f64, f64, f64))| {
            let (verdict, analytic, numeric, bound) = kind;
            Worst {
                verdict,
                excess: (analytic - numeric).abs(),
                output,
                input: 0,
                pair: Pair {
                    analytic,
                    numeric,
                    bound,
                    ..Pair::default()
                },
            }
        };
        kinds.into_iter().enumerate().map(of).collect()
    }

    fn summary(entries: &[Worst]) -> Summary {
        let tolerance = Tolerance::of(DType::F64);
        let unit = 2f64.powi(-53);
        let mut summary = Summary::default();
        for entry in entries {
            summary.add(&Judge { tolerance, unit }, *entry);
        }
        summary
    }

    #[test]
    fn every_entry_counts() {
        let summary = summary(&entries());
        let counts = [
            (Verdict::Pass, 2),
            (Verdict::Inconclusive, 1),
            (Verdict::NonFinite, 1),
            (Verdict::Severed, 1),
            (Verdict::Wrong, 2),
        ];
        assert_eq!(summary.verdicts(), counts);
        assert_eq!(
            (summary.certified, summary.moving, summary.nonzero),
            (2, 5, 5)
        );
        assert_eq!(summary.max_abs_err, 9.);
        assert_eq!(summary.worst.map(|w| w.output), Some(2));
    }

    #[test]
    fn parts_are_merged_into_the_whole() {
        let entries = entries();
        let whole = summary(&entries);
        for at in 0..=entries.len() {
            let (first, second) = entries.split_at(at);
            let mut merged = summary(first);
            merged.merge(&summary(second));
            let numbers = |s: &Summary| {
                let counts = (s.counts, s.certified, s.moving, s.nonzero);
                (counts, s.max_abs_err, s.worst.map(|w| w.output))
            };
            assert_eq!(numbers(&merged), numbers(&whole), "{at}");
        }
    }
}
