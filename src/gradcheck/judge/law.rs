//! The verdict on one entry, from its two derivatives and a bound.

use candle_core::DType;

use super::constants::{ARGUMENT, CERTAIN, GROSS, INSIDE, MOST, SATURATED};
use super::constants::{ROUNDING, SHARP, SINGLE};
use super::tolerance::Tolerance;
use super::verdict::Verdict;

/// One entry of the Jacobian, and the sizes that it is measured against.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pair {
    /// autograd's value in the function's own dtype.
    pub(crate) analytic: f64,
    /// autograd's value in f64 at the same point, where the function runs in it.
    pub(crate) wide: Option<f64>,
    pub(crate) numeric: f64,
    /// The bound on the numeric value's error.
    pub(crate) bound: f64,
    /// S: the largest gradient of the same output with respect to the same input. Rounding inside a
    /// backward pass is of the order of u·S, whatever the entry's own size.
    pub(crate) row: f64,
    /// The same among elements of x that are not larger by far: the size that the bound has to be small beside.
    pub(crate) peers: f64,
    /// f does not move with the whole input, to the last bit.
    pub(crate) ignored: bool,
    /// G = max(|f|, ε/u) / |x|: the slope of a function as large as f, or as the terms that cancel
    /// in it, on the scale of the whole input.
    pub(crate) natural: f64,
    /// The same on the scale of this element, which may be far smaller.
    pub(crate) own: f64,
    /// The largest change of f beside x, over the step: at a minimum f = 0 has no size, and moves all the same.
    /// 0 where autograd gives no gradient: a derivative of 0 there certifies nothing.
    pub(crate) beside: f64,
    /// |x f''|: by how much the derivative changes where f rounds x, in units of round-off.
    pub(crate) bends: f64,
    /// f's values are single-precision numbers, and scatter like them.
    pub(crate) single: bool,
    /// The one-sided slopes differ here, and autograd's value lies between them.
    pub(crate) kink: bool,
    /// x is not finite, so there is nothing to differentiate by.
    pub(crate) undefined: bool,
}

impl Pair {
    fn size(&self) -> f64 {
        self.analytic.abs().max(self.numeric.abs())
    }

    fn difference(&self) -> f64 {
        (self.analytic - self.numeric).abs()
    }
}

/// The tolerances of one input, and the precision of the numeric derivative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge {
    pub(crate) tolerance: Tolerance,
    /// u of the dtype the numeric derivative was taken in.
    pub(crate) unit: f64,
}

impl Tolerance {
    /// 64u·G: the rounding of terms as large as f that cancel in its gradient.
    pub(crate) fn inside(&self, natural: f64) -> f64 {
        INSIDE * self.unit * natural
    }

    /// f is flat beside its own size (a saturated tanh), so that few digits of its slope can be known,
    /// and the bound is small both beside that size and absolutely.
    pub(crate) fn is_flat(&self, size: f64, bound: f64, natural: f64) -> bool {
        size <= SATURATED * natural
            && bound <= SHARP * self.rtol * natural
            && self.kappa * bound <= self.atol
    }
}

impl Judge {
    /// The verdict on one entry.
    pub(crate) fn verdict(&self, p: &Pair) -> Verdict {
        if !p.analytic.is_finite() || !p.numeric.is_finite() {
            return match p.undefined && p.analytic.is_finite() {
                true => Verdict::Inconclusive,
                false => Verdict::NonFinite,
            };
        }
        if p.kink {
            return Verdict::Kink;
        }
        let certain = self.certain(p);
        if p.difference() <= self.agreement(p) {
            if certain {
                return Verdict::Pass;
            }
            return self.imprecise_function(p);
        }
        if p.difference() <= self.agreement(p) + self.tolerance.atol {
            return Verdict::Inconclusive;
        }
        // Where the gradient is right in f64, this is the narrow dtype's rounding, though more than was allowed for.
        let argument = match self.certain(p) {
            true => ARGUMENT * self.tolerance.unit * p.bends,
            false => 0.,
        };
        let gross = (GROSS * p.size().max(p.row))
            .max(self.inside(p))
            .max(argument);
        if self.right_in_f64(p) && p.difference() <= gross {
            return Verdict::Inconclusive;
        }
        let single = SINGLE * p.size() + ROUNDING * 2f64.powi(-24) * p.row;
        if self.tolerance.double && p.difference() <= self.numeric_share(p) + single {
            return Verdict::Imprecise;
        }
        Verdict::Wrong
    }

    /// Whether the entry's numeric derivative is to be compared with a second one before the verdict is given.
    pub(crate) fn doubts(&self, p: &Pair) -> bool {
        let finite = p.analytic.is_finite() && p.numeric.is_finite();
        finite && self.verdict(p) != Verdict::Pass
    }

    /// Whether f may have a kink here: the entry is in doubt, or its differences halve as at a kink. A doubt does not
    /// count where the derivative is sharp and the same backward pass gives it in f64: the rest is rounding.
    pub(crate) fn doubts_smoothness(&self, p: &Pair, kinked: bool) -> bool {
        let finite = p.analytic.is_finite() && p.numeric.is_finite();
        let rounding = self.right_in_f64(p) && self.certain(p);
        (self.doubts(p) && !rounding) || (finite && kinked)
    }

    /// κ·e + rtol·max(|a|, |n|) + rounding of the backward pass.
    pub(crate) fn agreement(&self, p: &Pair) -> f64 {
        self.numeric_share(p) + self.tolerance.rtol * p.size() + self.rounding(p)
    }

    fn numeric_share(&self, p: &Pair) -> f64 {
        self.tolerance.kappa * p.bound
    }

    /// 8u·S; or, once the same backward is known to be right in f64, so that what is left can only be
    /// the narrow dtype's rounding, rtol·S or 64u·G.
    fn rounding(&self, p: &Pair) -> f64 {
        let strict = ROUNDING * self.tolerance.unit * p.row;
        if self.right_in_f64(p) {
            let inside = self.inside(p);
            // In 16 bits 64u·G may be more than the gradient itself.
            let inside = match self.tolerance.unit > 2f64.powi(-12) {
                true => inside.min(GROSS * p.size().max(p.row)),
                false => inside,
            };
            strict.max(self.tolerance.rtol * p.row).max(inside)
        } else {
            strict
        }
    }

    fn inside(&self, p: &Pair) -> f64 {
        self.tolerance.inside(p.natural)
    }

    /// Whether the same backward pass, in f64, gives the numeric derivative.
    fn right_in_f64(&self, p: &Pair) -> bool {
        p.wide.is_some_and(|wide| {
            let f64s = Tolerance::of(DType::F64).rtol * wide.abs().max(p.numeric.abs())
                + ROUNDING * 2f64.powi(-53) * p.row.max(p.natural);
            (wide - p.numeric).abs() <= self.numeric_share(p) + f64s
        })
    }

    /// Whether the numeric value is sharp enough for agreement with it to mean something.
    pub(crate) fn certain(&self, p: &Pair) -> bool {
        self.numeric_share(p) <= (CERTAIN * self.tolerance.rtol).min(MOST) * p.size()
            || self.tolerance.is_flat(p.size(), p.bound, p.natural)
            || (self.numeric_share(p) <= MOST * p.peers
                && p.bound <= self.tight() * p.peers
                && self.resolves(p))
            || self.both_zero(p, self.tolerance.rtol)
    }

    /// Whether there is nothing to gain from sharpening the numeric value.
    pub(crate) fn sharp(&self, p: &Pair) -> bool {
        let tight = self.tight();
        p.bound <= tight * p.size().max(p.row) || self.both_zero(p, tight)
    }

    /// Whether the allowed difference of the two derivatives is small beside the entry and its peers. It always is
    /// where no entry of the row is larger than the peers: only the rounding of larger ones could widen it.
    fn resolves(&self, p: &Pair) -> bool {
        p.peers >= p.row || self.agreement(p) <= MOST * p.size().max(p.peers)
    }

    /// The share of a gradient below which a bound hides nothing: a thousandth of rtol, or 64 of `unit`, since no
    /// numeric value of that precision is sharper.
    fn tight(&self) -> f64 {
        (SHARP * self.tolerance.rtol).max(INSIDE * self.unit)
    }

    /// Whether both derivatives are zero: f does not move with x beyond its own rounding, and autograd claims no
    /// gradient. That a derivative is zero can be said only beside an absolute scale (atol), unless nothing moves at
    /// all: 1e16 + x does not move beyond its rounding either.
    fn both_zero(&self, p: &Pair, share: f64) -> bool {
        let still = p.numeric == 0. && p.analytic == 0.;
        let at_rest = f64::from(p.beside > 0.);
        p.numeric.abs() <= self.numeric_share(p)
            && p.analytic.abs() <= self.inside(p).max(at_rest * self.numeric_share(p))
            && p.bound <= share * (if still { p.own } else { p.natural }).max(p.beside)
            && ((still && (p.row > 0. || p.ignored)) || p.bound <= self.tolerance.atol)
    }

    /// The verdict where the two agree within a wide bound: imprecise if f's own values are of single precision.
    fn imprecise_function(&self, p: &Pair) -> Verdict {
        if self.tolerance.double && p.single && p.bound <= SHARP * p.size().max(p.row) {
            Verdict::Imprecise
        } else {
            Verdict::Inconclusive
        }
    }

    /// How far off an entry is, as a multiple of what it may be; to rank entries of the same verdict.
    pub(crate) fn excess(&self, p: &Pair) -> f64 {
        let excess = p.difference() / (self.agreement(p) + self.tolerance.atol);
        if excess.is_nan() {
            f64::INFINITY
        } else {
            excess
        }
    }
}

/// The numbers of the law, each from both of its sides.
#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::{Judge, Pair, Tolerance, Verdict};

    /// autograd's value, the numeric one, and a bound on it: of an entry that is the largest of its row.
    fn pair(analytic: f64, numeric: f64, bound: f64) -> Pair {
        Pair {
            analytic,
            numeric,
            bound,
            row: analytic.abs(),
            ..Pair::default()
        }
    }

    fn judge(dtype: DType, unit: f64) -> Judge {
        let tolerance = Tolerance::of(dtype);
        Judge { tolerance, unit }
    }

    #[track_caller]
    fn sides(dtype: DType, [within, beyond]: [(Pair, Verdict); 2]) {
        let judge = judge(dtype, 2f64.powi(-53));
        for (pair, verdict) in [within, beyond] {
            assert_eq!(judge.verdict(&pair), verdict, "{dtype:?} {pair:?}");
        }
    }

    use Verdict::{Imprecise, Inconclusive, Pass, Wrong};

    #[test]
    fn a_small_entry_is_certain_beside_its_peers() {
        let beside = |bound: f64| Pair {
            row: 2.,
            peers: 2.,
            ..pair(1e-5, 1e-5, bound)
        };
        // 64 units of f64 are less than a quarter of the peers, those of bf16 are not.
        let judge_of = |unit: f64| judge(DType::BF16, unit);
        let quarter = judge_of(2f64.powi(-8));
        let most = 0.5 / quarter.tolerance.kappa;
        assert!(quarter.certain(&beside(0.99 * most)) && !quarter.certain(&beside(1.01 * most)));
        let tight = judge_of(2f64.powi(-53));
        let most = 2e-3 * tight.tolerance.rtol;
        assert!(tight.certain(&beside(0.99 * most)) && !tight.certain(&beside(1.01 * most)));
    }

    #[test]
    fn a_pass_leaves_room_for_1e_6_in_f64_1e_2_in_f32_and_a_quarter_in_bf16() {
        for (dtype, room) in [(DType::F64, 1e-6), (DType::F32, 1e-2), (DType::BF16, 0.25)] {
            let of = |share: f64| pair(1., 1., share * room / 4.);
            sides(dtype, [(of(0.95), Pass), (of(1.05), Inconclusive)]);
        }
    }

    #[test]
    fn a_backward_pass_rounds_by_8_units_of_its_rows_largest_entry() {
        let beside = |off: f64| Pair {
            row: 1.,
            ..pair(1e-3, 1e-3 + off * 2f64.powi(-24), 0.)
        };
        // 1e-4 of 1e-3 is 1.7 units
        sides(
            DType::F32,
            [(beside(9.5), Pass), (beside(10.), Inconclusive)],
        );
    }

    #[test]
    fn what_is_right_in_f64_may_be_a_tenth_off_in_bf16_and_is_not_wrong() {
        let off = |share: f64| Pair {
            wide: Some(1.),
            ..pair(1. + share, 1., 0.)
        };
        sides(
            DType::BF16,
            [(off(0.11), Inconclusive), (off(0.112), Wrong)],
        );
        let wide = |off: f64| Pair {
            wide: Some(1. + off),
            ..pair(1.00015, 1., 0.)
        };
        sides(DType::F32, [(wide(0.99e-8), Pass), (wide(1.02e-8), Wrong)]);
    }

    #[test]
    fn where_f_rounds_x_the_derivative_is_that_of_a_point_4_units_away() {
        // x f'' = 10⁶: 4 units of f32 change the derivative by 0.238.
        let off = |share: f64| Pair {
            wide: Some(1.),
            bends: 1e6,
            ..pair(1. + share, 1., 0.)
        };
        sides(DType::F32, [(off(0.23), Inconclusive), (off(0.25), Wrong)]);
    }

    #[test]
    fn single_precision_is_1e_5() {
        let off = |share: f64| pair(1. + share, 1., 0.);
        sides(
            DType::F64,
            [(off(1.04e-5), Imprecise), (off(1.06e-5), Wrong)],
        );
    }

    #[test]
    fn terms_that_cancel_round_by_64_units_of_f() {
        let off = |units: f64| Pair {
            wide: Some(1e-3),
            natural: 1.,
            ..pair(1e-3 + units * 2f64.powi(-24), 1e-3, 0.)
        };
        // 1e-4 of 1e-3 is 1.7 units
        sides(DType::F32, [(off(65.), Pass), (off(66.), Inconclusive)]);
    }

    #[test]
    fn a_bound_of_a_thousandth_of_rtol_of_the_row_hides_nothing() {
        let small = |bound: f64| Pair {
            row: 1.,
            peers: 1.,
            ..pair(1e-6, 1e-6, bound)
        };
        sides(
            DType::F64,
            [(small(0.99e-11), Pass), (small(1.01e-11), Inconclusive)],
        );
        // Where 64 units of the numeric value are an eighth, kappa times the bound may be a quarter.
        let judge = judge(DType::BF16, 2f64.powi(-9));
        assert_eq!(judge.verdict(&small(0.062)), Pass);
        assert_eq!(judge.verdict(&small(0.063)), Inconclusive);
    }

    #[test]
    fn an_f_whose_slope_is_a_millionth_of_its_size_is_flat() {
        let flat = |slope: f64, bound: f64| Pair {
            natural: 1.,
            ..pair(slope, slope, bound)
        };
        sides(
            DType::F64,
            [
                (flat(0.99e-6, 9e-12), Pass),
                (flat(1.01e-6, 9e-12), Inconclusive),
            ],
        );
        sides(
            DType::F64,
            [
                (flat(0.9e-6, 0.99e-11), Pass),
                (flat(0.9e-6, 1.01e-11), Inconclusive),
            ],
        );
    }

    #[test]
    fn nothing_moves_where_the_bound_is_rtol_of_f() {
        let still = |bound: f64| Pair {
            ignored: true,
            own: 1.,
            ..pair(0., 0., bound)
        };
        sides(
            DType::F64,
            [(still(0.99e-8), Pass), (still(1.01e-8), Inconclusive)],
        );
    }

    #[test]
    fn single_precision_values_that_agree_within_a_wide_bound_are_imprecise() {
        let agrees = |bound: f64| Pair {
            single: true,
            ..pair(1., 1., bound)
        };
        sides(
            DType::F64,
            [
                (agrees(0.99e-3), Imprecise),
                (agrees(1.01e-3), Inconclusive),
            ],
        );
    }

    #[test]
    fn atol_excuses_and_does_not_certify() {
        let off = |difference: f64| pair(1e-3, 1e-3 + difference, 0.);
        // rtol of the larger, 8u of the row, and atol 1e-6
        let most = 1e-4 * 1.0012e-3 + 8. * 2f64.powi(-24) * 1e-3 + 1e-6;
        sides(
            DType::F32,
            [(off(0.99 * most), Inconclusive), (off(1.01 * most), Wrong)],
        );
    }
}
