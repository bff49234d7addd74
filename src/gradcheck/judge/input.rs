//! The verdict on one input: one pure function of what is known of it.
//!
//! The numeric derivative at the point gives the first verdict, that of the worst entry ([`law`](super::law)).
//! Three things can take it back, and each costs calls of f, so [`next`] asks for one where it matters:
//!
//! | question | asked where the point says | and the answer |
//! |---|---|---|
//! | does f jump at the worst entry's element? | wrong, kink, imprecise, inconclusive; f runs in f64 | yes: `kink`, f has no derivative here |
//! | does autograd's own gradient change within a few units in the last place? | kink | yes: the kink is here, `kink` |
//! | do segments of that element contradict autograd too? | wrong | yes, or a step that sees more than they do: `wrong` |
//! | do segments of the whole input? | what is still open | contradict: `wrong`; agree: `pass`; else `inconclusive` (of a kink, `kink`) |
//!
//! Where f runs in f64, and its values scatter as f64's do, the point is the sharper ruler: segments then excuse
//! what a step flags, but certify nothing (over a distance they say nothing of an element that moves a
//! millionth of the rest, and a jump of f on the way widens their error), and they flag nothing that a step has not.

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
    /// Whether no gradient other than zero flows, though f moves.
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
    /// Whether f's values scatter like f32's rather than like f64's.
    pub(crate) coarse: bool,
    /// Whether f stands still on a segment, or moves by little more than a jump.
    pub(crate) quantised: bool,
    /// f's scatter as a share of the worst entry's output, or of what moves it.
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
        // Kinks and constant pieces that only a step sees come of f32 or less inside f, and make no finer error.
        let fine = self.rel_err <= Tolerance::of(candle_core::DType::F32).segment();
        let sharper = element.resolution.is_some_and(|r| 2. * r < self.rel_err);
        let agrees = element.verdict == Verdict::Pass && sharper;
        // In a narrower dtype segments scatter always: open says something there only of what they would see.
        let visible = !self.narrow || self.rel_err > RESOLVED;
        let open = open && element.coarse;
        // Differences that meet each step of a piecewise constant f alike see a slope between those of its rounded inputs.
        let quantised = element.quantised && self.rel_err <= ROUNDING * element.rounding;
        (!fine && (agrees || (open && visible))) || (open && quantised)
    }

    /// The verdict once the point is open and segments of the whole input have been asked.
    fn of_whole(&self, whole: &Segments) -> Verdict {
        let certifies = !self.double || whole.coarse || self.narrow;
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

    /// A worst entry that is off by a tenth, of an f in f64 that does not jump.
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
