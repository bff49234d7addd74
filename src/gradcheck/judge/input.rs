//! The verdict on one input: one pure function of what is known of it.
//!
//! The numeric derivative at the point gives the first verdict, that of the worst entry ([`law`](super::law)).
//! The answers to four questions can change it. Each answer costs calls of f, so [`next`] asks only where it matters:
//!
//! 1. Does f jump at the worst entry's element? Asked where f runs in f64 and the point says wrong, kink, imprecise or
//!    inconclusive. Yes: `kink`, f has no derivative here.
//! 2. Does autograd's own gradient change within a few units in the last place? Asked where the point says kink.
//!    Yes: the kink is here, `kink`.
//! 3. Do segments of the worst entry's element contradict autograd too? Asked where the point says wrong. Yes, or the
//!    derivative at the point sees a finer error than they do: `wrong`.
//! 4. Do segments of the whole input contradict autograd? Asked of what is still open. They contradict: `wrong`; they
//!    agree: `pass`; else `inconclusive` (of a kink, `kink`).
//!
//! Nothing is asked of an input that is cut (`severed`). Where f runs in f64 and the input is narrower, an
//! `inconclusive` of the point stays.
//!
//! Where f runs in f64, the derivative at the point is the more exact of the two. Segments then flag nothing that it
//! has not flagged. They excuse what it flags, but certify nothing unless f's values are as coarse as f32's: over a
//! distance they say nothing of an element that moves a millionth of the rest, and a jump of f on the way widens their
//! error.

use super::constants::{RESOLVED, ROUNDING};
use super::tolerance::Tolerance;
use super::verdict::Verdict;

/// What is known of one input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// The verdict of the worst entry.
    pub(crate) point: Verdict,
    /// The relative error of the worst entry.
    pub(crate) rel_err: f64,
    /// Whether the numeric derivative was taken in f64.
    pub(crate) double: bool,
    /// Whether the input, and so every segment, is of a narrower dtype than f64.
    pub(crate) narrow: bool,
    /// Whether no gradient flows, or only zeros.
    pub(crate) cut: bool,
    pub(crate) jumps: Option<bool>,
    pub(crate) bends: Option<bool>,
    pub(crate) element: Option<Segments>,
    pub(crate) whole: Option<Segments>,
}

/// What segments say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segments {
    /// Pass, wrong or inconclusive.
    pub(crate) verdict: Verdict,
    /// The relative error that would have shown.
    pub(crate) resolution: Option<f64>,
    /// Whether f's values are coarse, as those of f32 are rather than of f64.
    pub(crate) coarse: bool,
    /// Whether f stands still on a segment, or moves by less than four of its jumps.
    pub(crate) quantised: bool,
    /// f's noise as a share of the worst entry's output, or of what moves it.
    pub(crate) rounding: f64,
}

/// What to find out about an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Jumps,
    Bends,
    Element,
    Whole,
}

/// The verdict, or what it takes to give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Verdict(Verdict),
    Ask(Question),
}

/// The verdict on an input, or the next question.
pub(crate) fn next(known: &Known) -> Next {
    use Verdict::{Imprecise, Inconclusive, Kink, Severed, Wrong};
    if known.cut && matches!(known.point, Wrong | Imprecise) {
        return Next::Verdict(Severed);
    }
    if !matches!(known.point, Wrong | Kink | Imprecise | Inconclusive) {
        return Next::Verdict(known.point);
    }
    if known.double {
        match known.jumps {
            None => return Next::Ask(Question::Jumps),
            Some(true) => return Next::Verdict(Kink),
            Some(false) => {}
        }
    }
    let at_the_point = match known.point {
        Wrong => known.element.map(|element| !known.refutes(&element)),
        Kink => known.bends,
        // Of a narrower input segments know less than the derivative in f64 does.
        point => Some(point == Imprecise || (known.double && known.narrow)),
    };
    match (at_the_point, known.point, &known.whole) {
        (None, Wrong, _) => Next::Ask(Question::Element),
        (None, ..) => Next::Ask(Question::Bends),
        (Some(true), point, _) => Next::Verdict(point),
        (Some(false), _, None) => Next::Ask(Question::Whole),
        (Some(false), _, Some(whole)) => Next::Verdict(known.of_whole(whole)),
    }
}

impl Known {
    /// Whether segments of the worst entry's element take back that it is wrong.
    fn refutes(&self, element: &Segments) -> bool {
        let open = element.verdict != Verdict::Wrong;
        if !self.double {
            return open;
        }
        // Kinks and constant pieces that only the derivative at the point sees come from f32 or less inside f, and
        // they make no finer error than this.
        let fine = self.rel_err <= Tolerance::of(candle_core::DType::F32).segment();
        let sharper = element.resolution.is_some_and(|r| 2. * r < self.rel_err);
        let agrees = element.verdict == Verdict::Pass && sharper;
        // In a narrower dtype segments are always noisy: that they are open means something only of an error that they
        // would have seen.
        let visible = !self.narrow || self.rel_err > RESOLVED;
        let open = open && element.coarse;
        // Differences that meet each step of a piecewise constant f alike see a slope between those at its rounded
        // inputs.
        let quantised = element.quantised && self.rel_err <= ROUNDING * element.rounding;
        (!fine && (agrees || (open && visible))) || (open && quantised)
    }

    /// The verdict where the point leaves the input open and segments of the whole input have been taken.
    fn of_whole(&self, whole: &Segments) -> Verdict {
        let certifies = !self.double || whole.coarse;
        let flags = !self.double || self.point == Verdict::Wrong;
        match whole.verdict {
            Verdict::Pass if certifies => Verdict::Pass,
            Verdict::Wrong if flags => Verdict::Wrong,
            Verdict::Wrong => Verdict::Inconclusive,
            _ if self.point == Verdict::Kink => Verdict::Kink,
            _ => Verdict::Inconclusive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, Next, Question, Segments, next};
    use crate::gradcheck::judge::verdict::Verdict::{
        self, Imprecise, Inconclusive, Kink, Pass, Severed, Wrong,
    };

    /// What is known of an f in f64 that does not jump, whose worst entry is off by a tenth.
    fn known(point: Verdict) -> Known {
        Known {
            point,
            rel_err: 0.1,
            double: true,
            narrow: false,
            cut: false,
            jumps: Some(false),
            bends: None,
            element: None,
            whole: None,
        }
    }

    fn say(verdict: Verdict) -> Option<Segments> {
        Some(Segments {
            verdict,
            resolution: (verdict == Pass).then_some(0.01),
            coarse: false,
            quantised: false,
            rounding: 0.,
        })
    }

    fn coarse(verdict: Verdict) -> Option<Segments> {
        say(verdict).map(|s| Segments { coarse: true, ..s })
    }

    #[test]
    fn what_needs_no_second_ruler_is_said_at_once() {
        for point in [Pass, Verdict::NonFinite, Verdict::Unsupported] {
            assert_eq!(next(&known(point)), Next::Verdict(point));
        }
        let cut = Known {
            cut: true,
            ..known(Wrong)
        };
        assert_eq!(next(&cut), Next::Verdict(Severed));
        assert_eq!(next(&known(Imprecise)), Next::Verdict(Imprecise));
    }

    #[test]
    fn a_jump_comes_first_and_only_f64_can_show_it() {
        for point in [Wrong, Kink, Imprecise, Inconclusive] {
            let mut known = known(point);
            known.jumps = None;
            assert_eq!(next(&known), Next::Ask(Question::Jumps));
            known.jumps = Some(true);
            assert_eq!(next(&known), Next::Verdict(Kink));
            known.jumps = None;
            known.double = false;
            assert_ne!(next(&known), Next::Ask(Question::Jumps));
        }
    }

    #[test]
    fn a_step_is_believed_unless_segments_refute_it() {
        let after = |element, whole| {
            next(&Known {
                element,
                whole,
                ..known(Wrong)
            })
        };
        assert_eq!(after(None, None), Next::Ask(Question::Element));
        assert_eq!(after(say(Wrong), None), Next::Verdict(Wrong));
        assert_eq!(after(say(Inconclusive), None), Next::Verdict(Wrong));
        assert_eq!(after(say(Pass), None), Next::Ask(Question::Whole));
        // In f64 they excuse and do not certify, unless f's values are coarser.
        assert_eq!(after(say(Pass), say(Pass)), Next::Verdict(Inconclusive));
        assert_eq!(after(say(Pass), coarse(Pass)), Next::Verdict(Pass));
        assert_eq!(after(say(Pass), say(Wrong)), Next::Verdict(Wrong));
        assert_eq!(
            after(coarse(Inconclusive), None),
            Next::Ask(Question::Whole)
        );
        // What segments resolve to a hundredth says nothing of an error of a thousandth.
        let fine = Known {
            rel_err: 5e-4,
            element: say(Pass),
            ..known(Wrong)
        };
        assert_eq!(next(&fine), Next::Verdict(Wrong));
    }

    #[test]
    fn where_f_does_not_run_in_f64_segments_decide() {
        let after = |point, element, whole| {
            next(&Known {
                double: false,
                element,
                whole,
                ..known(point)
            })
        };
        assert_eq!(after(Wrong, say(Wrong), None), Next::Verdict(Wrong));
        for point in [Wrong, Inconclusive] {
            let whole = |verdict| after(point, say(Inconclusive), say(verdict));
            for verdict in [Pass, Wrong, Inconclusive] {
                assert_eq!(whole(verdict), Next::Verdict(verdict), "{point}");
            }
        }
    }

    #[test]
    fn a_kink_is_one_where_the_gradient_bends_and_else_what_segments_say() {
        let after = |bends, whole| {
            next(&Known {
                bends,
                whole,
                ..known(Kink)
            })
        };
        assert_eq!(after(None, None), Next::Ask(Question::Bends));
        assert_eq!(after(Some(true), None), Next::Verdict(Kink));
        assert_eq!(after(Some(false), None), Next::Ask(Question::Whole));
        assert_eq!(after(Some(false), say(Wrong)), Next::Verdict(Inconclusive));
        assert_eq!(after(Some(false), say(Pass)), Next::Verdict(Kink));
        assert_eq!(after(Some(false), coarse(Pass)), Next::Verdict(Pass));
        assert_eq!(after(Some(false), say(Inconclusive)), Next::Verdict(Kink));
    }
}
