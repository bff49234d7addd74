//! Where a fault begins and ends: between a sample that is right and one that is wrong.

use candle_core::Device;

use super::format::Format;
use super::judge::{Kind, Off, Part, look};
use super::line::{Line, Sample};

/// What is sought, in which function.
pub struct Search<'a> {
    /// The function, one way.
    pub line: Line<'a>,
    /// The type.
    pub format: Format,
    /// Where it runs.
    pub device: &'a Device,
    /// The value or one of the gradients.
    pub part: Part,
    /// The kind of fault.
    pub kind: Kind,
    /// Which of a sample's numbers moves.
    pub own: usize,
}

impl Search<'_> {
    /// The magnitude nearest to `right` at which it is still wrong, where it is wrong at `wrong` and
    /// right, or nothing can be said, at the magnitude `right`.
    ///
    /// Many values between the two are taken at once, and again between the last that is right and
    /// the first that is wrong, until those are neighbours: so a fault that comes and goes is found
    /// where it comes first, as far as those values show it.
    pub fn edge(&self, right: f64, wrong: Sample) -> f64 {
        let (mut right, mut edge) = (right, wrong[self.own].abs());
        let many = if self.line.at_once() == 1 { 1 } else { 512 };
        for _ in 0..32 {
            let mut between = self.format.between(right, edge, many);
            if right > edge {
                between.reverse();
            }
            if between.is_empty() {
                break;
            }
            match self.first_wrong(&between, wrong) {
                Some(i) => {
                    right = if i == 0 { right } else { between[i - 1] };
                    edge = between[i];
                }
                None => right = between.last().copied().unwrap_or(right),
            }
        }
        edge
    }

    fn first_wrong(&self, magnitudes: &[f64], like: Sample) -> Option<usize> {
        let moved = |m: &f64| {
            let mut sample = like;
            sample[self.own] = m.copysign(like[self.own]);
            sample
        };
        let samples: Vec<Sample> = magnitudes.iter().map(moved).collect();
        let seen = look(
            &self.line,
            &samples,
            &self.format,
            self.device,
            Some(self.part),
        );
        let of_part = seen.into_iter().find(|(part, _)| *part == self.part);
        let ours = |off: &Option<Off>| off.is_some_and(|o| o.kind == self.kind);
        of_part.and_then(|(_, off)| off.iter().position(ours))
    }
}
