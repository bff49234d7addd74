//! One-sided slopes, to tell a kink from an error.

use candle_core::Result;

use super::grid::Grid;
use super::line::Point;

/// The one-sided slopes of every output at a sequence of steps, to tell a kink from an error.
pub(crate) struct Slopes {
    /// (step, slopes to the right, slopes to the left)
    steps: Vec<(f64, Vec<f64>, Vec<f64>)>,
}

/// Takes steps 16 times apart, from a little above the first step of [`search`](super::steps::search) down to near
/// its last, and not below 8 units of round-off of the dtype the gradient is in (`resolution`): there a branch may
/// go either way.
pub(crate) fn slopes(
    line: &mut impl FnMut(f64) -> Result<Point>,
    f0: &[f64],
    grid: &Grid,
    resolution: f64,
) -> Result<Slopes> {
    let scale = grid.scales.first().copied().unwrap_or(1.);
    let least = (8. * resolution).max(2f64.powi(1 - 4 * grid.first()));
    let mut step = 2f64.powi(1 - grid.first()).max(16. * least);
    let mut steps = Vec::new();
    while step >= least {
        let (plus, minus) = (line(scale * step)?, line(-scale * step)?);
        if plus.t <= 0. || minus.t >= 0. {
            break;
        }
        let right = (0..f0.len()).map(|i| (plus.y[i] - f0[i]) / plus.t);
        let left = (0..f0.len()).map(|i| (minus.y[i] - f0[i]) / minus.t);
        steps.push((plus.t - minus.t, right.collect(), left.collect()));
        step /= 16.;
    }
    Ok(Slopes { steps })
}

impl Slopes {
    /// Whether output i has a kink or a jump at x, and `slope` lies between its one-sided slopes.
    ///
    /// The gap between them shrinks as h where f is smooth, 16 times from step to step. Where it has
    /// not even halved over the last two steps at which it stands out of the noise, f is not smooth.
    pub(crate) fn kink(&self, i: usize, noise: f64, slope: f64) -> bool {
        let clear: Vec<_> = (self.steps.iter())
            .map(|(width, right, left)| (*width, right[i], left[i]))
            .filter(|(width, right, left)| (right - left).abs() > 16. * 4. * noise / width)
            .collect();
        let [.., (_, right0, left0), (width, right, left)] = clear[..] else {
            return false;
        };
        if (right - left).abs() < 0.5 * (right0 - left0).abs() {
            return false;
        }
        // The kink may lie a little beside x, within the steps taken.
        let slack = 0.05 * (right - left).abs() + 4. * noise / width;
        (right.min(left) - slack..=right.max(left) + slack).contains(&slope)
    }
}

#[cfg(test)]
mod tests {
    use super::Slopes;

    #[test]
    fn a_slope_between_those_of_a_kink_or_a_little_beside_it_is_a_subgradient() {
        let step = |width: f64| (width, vec![1.], vec![-1.]);
        let slopes = Slopes {
            steps: vec![step(1e-1), step(1e-2)],
        };
        for slope in [-1.09, -1., 0.3, 1.09] {
            assert!(slopes.kink(0, 0., slope), "{slope}");
        }
        for slope in [-1.11, 1.11] {
            assert!(!slopes.kink(0, 0., slope), "{slope}");
        }
        // by four times the noise, over the step
        assert!(slopes.kink(0, 1e-4, 1.13) && !slopes.kink(0, 1e-4, 1.15));
        // less than 16 times that is no gap
        assert!(!slopes.kink(0, 4e-4, 0.));
    }

    #[test]
    fn where_the_gap_halves_f_is_smooth() {
        let step = |gap: f64| (0.1, vec![gap / 2.], vec![-gap / 2.]);
        let slopes = |gap: f64| Slopes {
            steps: vec![step(1.), step(gap)],
        };
        assert!(slopes(0.51).kink(0, 0., 0.) && !slopes(0.49).kink(0, 0., 0.));
    }
}
