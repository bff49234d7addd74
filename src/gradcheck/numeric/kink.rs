//! One-sided slopes, to tell a kink from an error.
//!
//! Segments to one side of x do not tell: of their 17 nodes one is at x, and an error of the gradient there widens the
//! segment's own error by more than it sets its two sides apart.

use candle_core::Result;

use super::grid::Grid;
use super::line::Point;

/// The one-sided slopes of every output at a sequence of steps, to tell a kink from an error.
pub(crate) struct Slopes {
    /// (step, slopes to the right, slopes to the left)
    steps: Vec<(f64, Vec<f64>, Vec<f64>)>,
    /// The error of a value of each output.
    noise: Vec<f64>,
}

/// Takes steps 16 times apart, from a little above the first step of [`search`](super::steps::search) on this `scale`
/// down to near its last step on x's own scale. None is below 8 units of round-off of the dtype the gradient is in
/// (`resolution`): there a branch may go either way. `noise` is the error of a value of each output.
pub(crate) fn slopes(
    line: &mut impl FnMut(f64) -> Result<Point>,
    f0: &[f64],
    noise: Vec<f64>,
    grid: &Grid,
    (scale, resolution): (f64, f64),
) -> Result<Slopes> {
    let own = grid.scales.first().copied().unwrap_or(1.);
    let least = own * (8. * resolution).max(2f64.powi(1 - 4 * grid.first()));
    let mut step = (scale * 2f64.powi(1 - grid.first())).max(16. * least);
    let mut steps = Vec::new();
    while step >= least {
        let (plus, minus) = (line(step)?, line(-step)?);
        if plus.t <= 0. || minus.t >= 0. {
            break;
        }
        let right = (0..f0.len()).map(|i| (plus.y[i] - f0[i]) / plus.t);
        let left = (0..f0.len()).map(|i| (minus.y[i] - f0[i]) / minus.t);
        steps.push((plus.t - minus.t, right.collect(), left.collect()));
        step /= 16.;
    }
    Ok(Slopes { steps, noise })
}

impl Slopes {
    /// Whether output i has a kink or a jump at x, and `slope` lies between its one-sided slopes.
    ///
    /// The gap between them shrinks as h where f is smooth, 16 times from step to step. Where it shrinks by less than
    /// half of that over the last two steps, f is not smooth.
    pub(crate) fn kink(&self, i: usize, slope: f64) -> bool {
        let [.., (_, right0, left0), (width, right, left)] = self.clear(i)[..] else {
            return false;
        };
        let gap = (right - left).abs();
        if gap == 0. || 8. * gap < (right0 - left0).abs() {
            return false;
        }
        // Both slopes change with the step where f is curved; these are their limits.
        let limit = |near: f64, far: f64| near + (near - far) / 15.;
        let (right, left) = (limit(right, right0), limit(left, left0));
        // The kink may lie a little beside x, within the steps taken.
        let slack = 0.05 * gap + 4. * self.noise[i] / width;
        (right.min(left) - slack..=right.max(left) + slack).contains(&slope)
    }

    /// The difference over the last step, its error by noise and curvature, and its change from the step before. None
    /// where f stands still: it may be piecewise constant.
    pub(crate) fn nearest(&self, i: usize) -> Option<(f64, f64, f64)> {
        let [.., (_, right0, left0), (width, right, left)] = self.clear(i)[..] else {
            return None;
        };
        let (before, near) = ((right0 + left0) / 2., (right + left) / 2.);
        let error = 4. * self.noise[i] / width + (right - left).abs() / 16.;
        (right != 0. || left != 0.).then_some((near, error, (near - before).abs()))
    }

    /// The steps of output i, up to the last at which noise would not hide the gap of the step before.
    fn clear(&self, i: usize) -> Vec<(f64, f64, f64)> {
        let mut before = 0f64;
        let all = self
            .steps
            .iter()
            .map(|(width, right, left)| (*width, right[i], left[i]));
        let clear = all.take_while(|(width, right, left)| {
            let gap = (right - left).abs();
            let larger = gap.max(std::mem::replace(&mut before, gap));
            larger > 32. * self.noise[i] / width
        });
        clear.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Slopes;

    fn slopes(steps: [(f64, f64); 2], noise: f64) -> Slopes {
        let step = |(width, gap): (f64, f64)| (width, vec![gap / 2.], vec![-gap / 2.]);
        let (steps, noise) = (steps.map(step).to_vec(), vec![noise]);
        Slopes { steps, noise }
    }

    #[test]
    fn a_slope_between_those_of_a_kink_or_a_little_beside_it_is_a_subgradient() {
        let kink = |noise: f64| slopes([(1e-1, 2.), (1e-2, 2.)], noise);
        for slope in [-1.09, -1., 0.3, 1.09] {
            assert!(kink(0.).kink(0, slope), "{slope}");
        }
        for slope in [-1.11, 1.11] {
            assert!(!kink(0.).kink(0, slope), "{slope}");
        }
        // by four times the noise, over the step
        assert!(kink(1e-4).kink(0, 1.13) && !kink(1e-4).kink(0, 1.15));
        // where noise hides the gap, the step before counts
        assert!(!kink(7e-4).kink(0, 0.));
    }

    #[test]
    fn where_the_gap_shrinks_with_the_step_f_is_smooth() {
        let shrunk = |gap: f64| slopes([(0.1, 1.), (0.1, gap)], 0.).kink(0, 0.);
        assert!(shrunk(0.13) && !shrunk(0.12));
    }
}
