//! What the derivatives at the point say of one input's gradient.

use crate::gradcheck::judge::law::Pair;
use crate::gradcheck::judge::verdict::Verdict;

/// The verdict, and where it comes from.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) verdict: Verdict,
    pub(crate) worst: Option<Worst>,
    /// How many of the entries that were compared one by one have each verdict.
    counts: [usize; 10],
    pub(crate) max_abs_err: f64,
    /// By projections, the smallest error of an entry that would have shown.
    pub(crate) smallest_visible: Option<f64>,
    pub(crate) note: Option<&'static str>,
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

impl Found {
    /// Nothing is wrong so far.
    pub(crate) fn pass(smallest_visible: Option<f64>) -> Self {
        Self {
            verdict: Verdict::Pass,
            worst: None,
            counts: [0; 10],
            max_abs_err: 0.,
            smallest_visible,
            note: None,
        }
    }

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
            self.verdict = entry.verdict;
            self.worst = Some(entry);
        }
    }

    /// The verdicts on entries, mildest first.
    pub(crate) fn verdicts(&self) -> Vec<(Verdict, usize)> {
        let all = Verdict::ALL.iter().map(|&v| (v, self.counts[v as usize]));
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// How many entries pass.
    pub(crate) fn certified(&self) -> usize {
        self.counts[Verdict::Pass as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Pair, Verdict, Worst};

    fn entry(verdict: Verdict, output: usize, analytic: f64, numeric: f64) -> Worst {
        Worst {
            verdict,
            excess: (analytic - numeric).abs(),
            output,
            input: 0,
            pair: Pair {
                analytic,
                numeric,
                ..Pair::default()
            },
        }
    }

    #[test]
    fn every_entry_counts_in_whatever_parts() {
        let entries = [
            entry(Verdict::Pass, 0, 1., 1.),
            entry(Verdict::Wrong, 1, -7., 2.),
            entry(Verdict::NonFinite, 2, f64::NAN, 2.),
            entry(Verdict::Wrong, 3, 3., 2.5),
            entry(Verdict::Pass, 4, 0., 0.),
        ];
        for at in 0..=entries.len() {
            let (mut found, mut others) = (Found::pass(None), Found::pass(None));
            entries[..at].iter().for_each(|entry| found.add(*entry));
            entries[at..].iter().for_each(|entry| others.add(*entry));
            found.merge(&others);
            let counts = [
                (Verdict::Pass, 2),
                (Verdict::NonFinite, 1),
                (Verdict::Wrong, 2),
            ];
            assert_eq!(found.verdicts(), counts);
            assert_eq!((found.certified(), found.max_abs_err), (2, 9.));
            assert_eq!(found.verdict, Verdict::Wrong);
            assert_eq!(found.worst.map(|worst| worst.output), Some(1));
        }
    }
}
