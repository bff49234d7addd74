//! Elements that get no gradient: does the loss move with them?
//!
//! All of them move together first. Where the loss moves, each parameter's own are looked at: severed, if
//! no gradient appears on the way; a dead relu that wakes is none.

use candle_core::{Result, Tensor};

use super::plain::Plain;
use super::report::Segment;
use super::run::{Run, segment};
use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::displace::Move;
use crate::gradcheck::compare::walk::PASSES;
use crate::gradcheck::judge::constants::FARTHEST;
use crate::gradcheck::judge::segment::{Evidence, Share};
use crate::gradcheck::judge::verdict::Verdict;

/// Steps that leave a dead relu dead, and almost any of ten thousand, in root mean squares of what has no
/// gradient,
const NEAR: f64 = 0.01;
const NEARER: f64 = 1e-4;

/// and those of what is not in the graph at all, in root mean squares of all parameters: the first that
/// moves the loss beyond its rounding counts, however long it is, since nothing is compared on the way.
const UNTRACKED: [f64; 3] = [2., 8., 32.];

/// A change of the loss by so many times its rounding shows in its bits.
const SHOWS: f64 = 8.;

/// A change of the loss by so many times its rounding is none of rounding, however it adds up on the way.
const SURE: f64 = 1e3;

/// Said of a parameter with a zero gradient.
const ZERO: &str = "its gradient is zero here, and does not account for the loss nearby";

impl Run<'_> {
    /// Looks for elements that move the loss without a gradient.
    pub(crate) fn zeros(&mut self) -> Result<()> {
        let all = 0..self.plain.len();
        let (missing, zeros): (Vec<usize>, Vec<usize>) =
            (all.filter(|&t| self.plain[t].zeros.is_some())).partition(|&t| self.plain[t].missing);
        let mut unmoved = self.missing(&missing)?;
        if !zeros.is_empty() {
            let still = self.nothing_moves(&zeros)?;
            for &t in &zeros {
                // What has some gradient is looked at alone only where something moves.
                let all = self.plain[t].all_zero;
                if !all && still {
                    continue;
                }
                if self.zeros_alone(t)? && all {
                    unmoved.push(t);
                }
            }
        }
        self.elsewhere(&unmoved)
    }

    /// Those that get no gradient at all: none appears for any of them when all are moved, so that each is
    /// severed if it moves the loss. Gives back those that do not move it at all.
    fn missing(&mut self, which: &[usize]) -> Result<Vec<usize>> {
        let mut unmoved = Vec::new();
        let mut appears = vec![false; self.plain.len()];
        for _ in 0..if which.is_empty() { 0 } else { 2 } {
            let moves = self.zero_moves(which, FARTHEST)?;
            let pass =
                (self.walker).at_end(&self.parameters.origin, &moves, || self.walker.pass())?;
            if let Ok(pass) = pass {
                (which.iter()).for_each(|&t| appears[t] |= pass.gradients[t].is_some());
            }
        }
        for &t in which {
            match appears[t] {
                true => {
                    self.zeros_alone(t)?;
                }
                false if self.moves_the_loss(t)? => {}
                false => unmoved.push(t),
            }
        }
        Ok(unmoved)
    }

    /// Whether one without a gradient moves the loss: severed, or flat to rounding. The first step that
    /// moves it beyond that counts, however long it is, since nothing is compared on the way; if none does,
    /// values all along the one that moves it most.
    fn moves_the_loss(&mut self, t: usize) -> Result<bool> {
        let size = self.parameters.sizes[t];
        let longest = size.max(self.parameters.typical);
        let mut most = None;
        let mut moves_most = 0f64;
        for step in [FARTHEST * size]
            .into_iter()
            .chain(UNTRACKED.map(|step| step * longest))
        {
            let way = [self.blind(t, step, None)];
            let moved = self.ends(&way)?.unwrap_or_default();
            if moved.abs() > SURE * self.scatter {
                self.untracked(t, moved, self.scatter);
                return Ok(true);
            }
            if moved.abs() > moves_most.abs() {
                (moves_most, most) = (moved, Some(way));
            }
        }
        let Some(way) = most else { return Ok(false) };
        let seen = self.seen(&way)?;
        match &seen {
            Some(evidence) if evidence.moves(self.kappa()) => {
                self.untracked(t, moves_most, evidence.scatter);
            }
            Some(_) => self.flat(t),
            None => {}
        }
        Ok(seen.is_some())
    }

    /// One without a gradient is severed: the loss moves by `difference`, give or take `error`.
    fn untracked(&mut self, t: usize, difference: f64, error: f64) {
        let segment = Segment {
            difference,
            integral: 0.,
            error,
        };
        self.sever(t, segment);
    }

    /// The larger of the loss's changes from here to the two ends of a way.
    fn ends(&self, moves: &[Move]) -> Result<Option<f64>> {
        let loss = self.report.loss;
        let ends = (self.walker).values(&self.parameters.origin, moves, &[0, PASSES - 1])?;
        let larger = |m: f64, d: f64| if d.abs() > m.abs() { d } else { m };
        Ok(ends.map(|ends| ends.iter().map(|end| end - loss).fold(0., larger)))
    }

    /// Whether the loss stays where it is along a way, to rounding, by forward passes alone.
    pub(crate) fn is_flat(&self, moves: &[Move]) -> Result<bool> {
        let Some(moved) = self.ends(moves)? else {
            return Ok(false);
        };
        if moved == 0. || moved.abs() > SURE * self.scatter {
            return Ok(moved == 0.);
        }
        let seen = self.seen(moves)?;
        Ok(seen.is_some_and(|evidence| !evidence.moves(self.kappa())))
    }

    /// The loss along a way, forward only, one value a node; None where it leads out of f's domain.
    fn seen(&self, moves: &[Move]) -> Result<Option<Evidence>> {
        let all: Vec<usize> = (0..PASSES).collect();
        let values = self.walker.values(&self.parameters.origin, moves, &all)?;
        let none = Share {
            before: vec![0.; PASSES],
            after: vec![0.; PASSES],
            ..Share::default()
        };
        let unit = self.scatter / self.report.loss.abs();
        Ok(values.and_then(|values| Evidence::new(&values, &[none], unit)))
    }

    /// Those that do not move the loss at all: do they where the other parameters are moved too (LoRA's A,
    /// while B is 0)? Then they are severed where no gradient appears there either; else the loss is flat in
    /// them here. What moves nothing there and is in no graph is not read.
    fn elsewhere(&mut self, unmoved: &[usize]) -> Result<()> {
        if unmoved.is_empty() {
            return Ok(());
        }
        let others = (0..self.plain.len()).filter(|t| !unmoved.contains(t));
        let mut moves: Vec<Move> = others.map(|t| self.far(t)).collect();
        let there = self.zero_at(&moves)?;
        for &t in unmoved {
            moves.push(self.far(t));
            let origin = &self.parameters.origin;
            let value = self.walker.at_end(origin, &moves, || self.walker.value());
            moves.pop();
            match (&there, value) {
                (Some((at, zero)), Ok(value)) if zero[t] => self.moved_elsewhere(t, value - at),
                _ => self.flat(t),
            }
        }
        Ok(())
    }

    fn far(&mut self, t: usize) -> Move {
        let size = self.parameters.sizes[t].max(self.parameters.typical);
        self.blind(t, FARTHEST * size, None)
    }

    /// The loss at the end of a way, and whose gradient is zero or missing there.
    fn zero_at(&self, moves: &[Move]) -> Result<Option<(f64, Vec<bool>)>> {
        let origin = &self.parameters.origin;
        self.walker.at_end(origin, moves, || {
            let Ok(pass) = self.walker.pass()? else {
                return Ok(None);
            };
            let zero = |g: &Option<Tensor>| {
                let n = g.as_ref().map_or(0, Tensor::elem_count);
                Ok(Plain::new(g.as_ref(), n)?.sum == 0.)
            };
            let zero: Result<Vec<bool>> = pass.gradients.iter().map(zero).collect();
            Ok(Some((pass.value, zero?)))
        })
    }

    /// One without a gradient moves the loss by so much where the others are moved.
    fn moved_elsewhere(&mut self, t: usize, moved: f64) {
        let p = &mut self.report.parameters[t];
        if moved.abs() > SURE * self.scatter {
            let note =
                "here the loss is flat in it; where the other parameters are moved it is not";
            p.notes.push(note.to_string());
            self.untracked(t, moved, self.scatter);
        } else if moved == 0. && self.plain[t].missing {
            self.report.unread.push(p.name.clone());
        } else {
            self.flat(t);
        }
    }

    /// The loss does not move with it beyond rounding, and autograd says so too.
    pub(crate) fn flat(&mut self, t: usize) {
        self.report.parameters[t].verdict = Verdict::Pass;
        self.report.parameters[t].resolution = None;
    }

    /// Whether the loss stays where it is when all elements without a gradient move, or autograd finds a gradient
    /// on the way that accounts for it.
    fn nothing_moves(&mut self, which: &[usize]) -> Result<bool> {
        let near = self.zero_moves(which, NEAR)?;
        let loss = self.report.loss;
        if self.range(&near)? == Some((loss, loss)) {
            return Ok(true);
        }
        let moves = self.zero_moves(which, FARTHEST)?;
        // What moves the loss from the first step on would show nearer too; relus that wake farther out do not.
        let far = self.ends(&moves)?.unwrap_or_default().abs();
        if far * NEARER / FARTHEST > SHOWS * self.scatter {
            let nearer = self.zero_moves(which, NEARER)?;
            if self.range(&nearer)? == Some((loss, loss)) {
                return Ok(true);
            }
        }
        let Ok(Some(evidence)) = self.walk(&moves)? else {
            return Ok(false);
        };
        let accounted = !evidence.contradicts(self.kappa(), self.rtol(which[0]));
        Ok(!evidence.moves(self.kappa()) || (evidence.alive && accounted))
    }

    /// Blind moves of the elements without a gradient of these, by a share of each one's size.
    fn zero_moves(&mut self, which: &[usize], share: f64) -> Result<Vec<Move>> {
        let mut moves = Vec::with_capacity(which.len());
        for &t in which {
            let step = share * self.parameters.sizes[t];
            moves.push(self.blind(t, step, self.plain[t].zeros.clone()));
        }
        Ok(moves)
    }

    /// The elements without a gradient of one parameter: severed if the loss moves with them and no gradient
    /// appears on the way, the shortest way last, on which f jumps least. Whether they do not move it at all.
    fn zeros_alone(&mut self, t: usize) -> Result<bool> {
        let size = self.parameters.sizes[t];
        let only = self.plain[t].zeros.clone();
        let (mut bitwise, mut range) = (true, 0f64);
        let loss = self.report.loss;
        for step in [
            FARTHEST * size,
            size.max(self.parameters.typical),
            NEAR * size,
        ] {
            let moves = [self.blind(t, step, only.clone())];
            match self.range(&moves)? {
                Some((least, most)) if least == loss && most == loss => continue,
                None => continue,
                Some(_) => bitwise = false,
            }
            let Ok(Some(evidence)) = self.walk(&moves)? else {
                continue;
            };
            if evidence.moves(self.kappa()) && !evidence.alive {
                self.sever(t, segment(&evidence));
                return Ok(false);
            }
            if evidence.alive && evidence.contradicts(self.kappa(), self.rtol(t)) {
                self.report.parameters[t].notes.push(ZERO.to_string());
                return Ok(false);
            }
            if !evidence.alive {
                range = range.max(evidence.range);
            }
        }
        // What moves the loss by jumps alone, and gets no gradient, stays open.
        if self.plain[t].all_zero && !bitwise && range <= SURE * self.scatter {
            self.flat(t);
        }
        Ok(bitwise)
    }

    fn sever(&mut self, t: usize, segment: Segment) {
        let dims = self.parameters.vars[t].dims().to_vec();
        let zeros = self.plain[t].zeros.as_ref();
        let p = &mut self.report.parameters[t];
        p.verdict = Verdict::Severed;
        p.severed_elements = zeros.map_or(0, Bits::count);
        p.worst = Some(segment);
        if let (Some(zeros), false, [rows, ..]) = (zeros, self.plain[t].all_zero, &dims[..]) {
            p.severed_rows = whole_rows(zeros, *rows, dims.iter().product());
        }
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
