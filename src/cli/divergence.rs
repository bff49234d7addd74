//! Descents that go astray: the warning before, and the words after.

use super::args::Problem;
use super::print::{below, warning};
use candle_sine::sine::least_squares::LeastSquares;
use candle_sine::sine::train::History;

pub fn warn_if_unstable(problem: &Problem, learning_rate: f64, fit: &LeastSquares) {
    let limit = fit.stability_limit();
    if learning_rate > limit {
        let limit = below(limit);
        warning(&format!(
            "--learning-rate {learning_rate:e}: above {limit}, where gradient descent on these {} points stops being stable",
            problem.points,
        ));
    }
}

/// The loss is not finite, or larger than at the start at a rate above the stability limit.
pub fn diverged(history: &History, learning_rate: f64, fit: &LeastSquares) -> bool {
    let first = history.losses.first().copied().unwrap_or(f64::NAN);
    let too_fast = learning_rate > fit.stability_limit();
    not_finite(history) || too_fast && history.final_loss > first
}

pub fn not_finite(history: &History) -> bool {
    history.diverged_after.is_some() || !history.final_loss.is_finite()
}

/// Which side of the limit a rate is on.
pub fn stability(learning_rate: f64, fit: &LeastSquares) -> String {
    let limit = fit.stability_limit();
    let side = match learning_rate > limit {
        true => "above",
        false => "below",
    };
    format!(
        "--learning-rate {learning_rate:e} is {side} the stability limit {} of this data",
        below(limit)
    )
}

/// Where no rate can help.
pub fn too_large(problem: &Problem) -> String {
    let dtype = problem.dtype.dtype().as_str();
    format!("the loss at the initial weights is too large for {dtype}")
}
