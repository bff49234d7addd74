//! Elements that get no gradient: does the loss move with them?
//!
//! All of them move together first. Where the loss moves, each parameter's own are looked at: severed, if
//! no gradient appears on the way; a dead relu that wakes is none.

use candle_core::Result;

use super::run::{Run, segment};
use crate::gradcheck::compare::alone::FARTHEST;
use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::displace::Move;
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;

/// A step that leaves a dead relu dead, in root mean squares of what has no gradient,
const NEAR: f64 = 0.01;

/// and those of what is not in the graph at all, in root mean squares of all parameters: the first that
/// moves the loss beyond its rounding counts, however long it is, since nothing is compared on the way.
const UNTRACKED: [f64; 3] = [2., 8., 32.];

impl Run<'_> {
    /// Looks for elements that move the loss without a gradient.
    pub(crate) fn silent(&mut self) -> Result<()> {
        let all = 0..self.plain.len();
        let silent: Vec<usize> = all.filter(|&t| self.plain[t].silent.is_some()).collect();
        if silent.is_empty() {
            return Ok(());
        }
        let still = self.nothing_moves(&silent)?;
        for &t in &silent {
            let missing = self.plain[t].all_silent;
            // What has some gradient is looked at alone only where something moves.
            if missing || !still {
                self.silent_alone(t)?;
            }
        }
        Ok(())
    }

    /// Whether the loss stays where it is when all silent elements move, or autograd finds a gradient
    /// on the way that accounts for it.
    fn nothing_moves(&mut self, silent: &[usize]) -> Result<bool> {
        let near = self.silent_moves(silent, NEAR)?;
        let loss = self.report.loss;
        if self.range(&near)? == Some((loss, loss)) {
            return Ok(true);
        }
        let moves = self.silent_moves(silent, FARTHEST)?;
        let Ok(Some(evidence)) = self.walk(&moves)? else {
            return Ok(false);
        };
        let accounted = !evidence.contradicts(self.kappa(), self.rtol(silent[0]));
        Ok(!evidence.moves(self.kappa()) || (evidence.alive && accounted))
    }

    /// Blind moves of the silent elements of these, by a share of each one's size.
    fn silent_moves(&mut self, silent: &[usize], share: f64) -> Result<Vec<Move>> {
        let mut moves = Vec::with_capacity(silent.len());
        for &t in silent {
            let step = share * self.parameters.sizes[t];
            moves.push(self.blind(t, step, self.plain[t].silent.clone()));
        }
        Ok(moves)
    }

    /// The silent elements of one parameter: severed if the loss moves with them and no gradient
    /// appears on the way.
    fn silent_alone(&mut self, t: usize) -> Result<()> {
        let size = self.parameters.sizes[t];
        let only = self.plain[t].silent.clone();
        let mut bitwise = true;
        let longest = size.max(self.parameters.typical);
        let mut steps = vec![FARTHEST * size, longest];
        if self.report.parameters[t].missing {
            steps.extend(UNTRACKED.map(|step| step * longest));
        }
        for step in steps {
            let moves = [self.blind(t, step, only.clone())];
            let loss = self.report.loss;
            match self.range(&moves)? {
                Some((least, most)) if least == loss && most == loss => continue,
                None => continue,
                Some(_) => bitwise = false,
            }
            let Ok(Some(evidence)) = self.walk(&moves)? else {
                continue;
            };
            if evidence.moves(self.kappa()) && !evidence.alive {
                return self.sever(t, &evidence);
            }
            if evidence.alive && evidence.contradicts(self.kappa(), self.rtol(t)) {
                self.report.parameters[t].notes.push(
                    "its gradient is zero here, and does not account for the loss nearby".into(),
                );
                return Ok(());
            }
        }
        let plain = &self.plain[t];
        let p = &mut self.report.parameters[t];
        match (plain.all_silent, bitwise, p.missing) {
            (true, true, true) => self.report.unread.push(p.name.clone()),
            (true, true, false) => p.verdict = Verdict::Pass,
            (true, false, _) => p.notes.push(
                "no gradient, and the loss moves by no more than its own rounding: nothing is \
                 certified"
                    .into(),
            ),
            _ => {}
        }
        Ok(())
    }

    fn sever(&mut self, t: usize, evidence: &Evidence) -> Result<()> {
        let dims = self.parameters.vars[t].dims().to_vec();
        let silent = self.plain[t].silent.as_ref();
        let p = &mut self.report.parameters[t];
        p.verdict = Verdict::Severed;
        p.severed_elements = silent.map_or(0, Bits::count);
        p.worst = Some(segment(evidence));
        if let (Some(silent), false, [rows, ..]) = (silent, self.plain[t].all_silent, &dims[..]) {
            p.severed_rows = whole_rows(silent, *rows, dims.iter().product());
        }
        Ok(())
    }
}

/// The rows all of whose elements are set, as ranges.
fn whole_rows(bits: &Bits, rows: usize, elements: usize) -> Vec<std::ops::Range<usize>> {
    let width = elements / rows.max(1);
    let whole = |r: usize| (r * width..(r + 1) * width).all(|i| bits.get(i));
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for r in (0..rows).filter(|&r| whole(r)) {
        match ranges.last_mut() {
            Some(last) if last.end == r => last.end += 1,
            _ => ranges.push(r..r + 1),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::{Bits, whole_rows};

    #[test]
    fn only_whole_rows_count_and_neighbours_are_one_range() {
        let mut bits = Bits::new(15);
        for i in [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11] {
            bits.set(i);
        }
        assert_eq!(whole_rows(&bits, 5, 15), [0..2, 3..4]);
    }
}
