//! A count of the verdicts on entries, and the worst entry.

use crate::gradcheck::judge::law::Pair;
use crate::gradcheck::judge::verdict::Verdict;

/// How many entries have each verdict, and the worst entry.
#[derive(Clone, Default)]
pub(crate) struct Summary {
    counts: [usize; 10],
    pub(crate) max_abs_err: f64,
    pub(crate) worst: Option<Worst>,
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
    pub(crate) fn add(&mut self, entry: Worst) {
        self.counts[entry.verdict as usize] += 1;
        let apart = (entry.pair.analytic - entry.pair.numeric).abs();
        if apart.is_finite() {
            self.max_abs_err = self.max_abs_err.max(apart);
        }
        self.keep(entry);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.max_abs_err = self.max_abs_err.max(other.max_abs_err);
        other.worst.into_iter().for_each(|entry| self.keep(entry));
    }

    fn keep(&mut self, entry: Worst) {
        let rank = |worst: &Worst| (worst.verdict, worst.excess);
        if self.worst.is_none_or(|held| rank(&entry) > rank(&held)) {
            self.worst = Some(entry);
        }
    }

    /// The worst verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        self.worst.map_or(Verdict::Pass, |worst| worst.verdict)
    }

    /// The verdicts that were given, mildest first.
    pub(crate) fn verdicts(&self) -> Vec<(Verdict, usize)> {
        let all = Verdict::ALL.iter().map(|&v| (v, self.count(v)));
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// How many entries have this verdict.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.counts[verdict as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::{Pair, Summary, Verdict, Worst};

    #[test]
    fn every_entry_counts_in_whatever_parts() {
        let kinds = [
            (Verdict::Pass, 1., 1.),
            (Verdict::Pass, 0., 0.),
            (Verdict::Wrong, -7., 2.),
            (Verdict::Wrong, 3., 2.5),
            (Verdict::NonFinite, f64::NAN, 2.),
            (Verdict::Inconclusive, 1e-7, 2e-7),
            (Verdict::Severed, 0., 4.),
        ];
        let summary = |range: std::ops::Range<usize>| {
            let mut summary = Summary::default();
            for output in range {
                let (verdict, analytic, numeric): (Verdict, f64, f64) = kinds[output];
                summary.add(Worst {
                    verdict,
                    excess: (analytic - numeric).abs(),
                    output,
                    input: 0,
                    pair: Pair {
                        analytic,
                        numeric,
                        ..Pair::default()
                    },
                });
            }
            summary
        };
        for at in 0..=kinds.len() {
            let mut merged = summary(0..at);
            merged.merge(&summary(at..kinds.len()));
            let counts = [
                (Verdict::Pass, 2),
                (Verdict::Inconclusive, 1),
                (Verdict::NonFinite, 1),
                (Verdict::Severed, 1),
                (Verdict::Wrong, 2),
            ];
            assert_eq!(merged.verdicts(), counts);
            assert_eq!(merged.max_abs_err, 9.);
            assert_eq!(merged.worst.map(|w| w.output), Some(2));
        }
    }
}
