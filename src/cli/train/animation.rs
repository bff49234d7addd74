//! `--animate`: the fit as a moving picture.

use super::super::print::short;
use super::{Args, Run};
use anyhow::Result;
use candle_core::Tensor;
use candle_sine::plot::{Figure, animation};
use candle_sine::sine::gradient::Descent;
use candle_sine::sine::least_squares::LeastSquares;
use candle_sine::sine::train::curve;
use candle_sine::sine::{Data, Weights};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

/// Steps of the curve on its way, at most.
const STEPS: usize = 60;
const STEP: Duration = Duration::from_millis(80);
/// How long the first and the last picture stay.
const FIRST: Duration = Duration::from_millis(800);
const LAST: Duration = Duration::from_millis(3000);

/// Points of a curve, at most: every other column of pixels.
const MOST: usize = 320;

/// A PNG, also beside figures that are SVG: its animation is of pixels.
pub fn path(args: &Args) -> PathBuf {
    args.out.join("fit.png")
}

/// The epochs to show of `epochs`, counted from 0: between two of them the curve comes nearer to the best
/// cubic by the same distance, √Σ (y_pred - y_best)² over the points. Exact descent tells these before
/// the run; where it comes no nearer, they are evenly spread.
pub fn moments(fit: &LeastSquares, init: [f64; 4], rate: f64, epochs: usize) -> Vec<usize> {
    let last = epochs - 1;
    let distance = |epoch: usize| {
        let updates = u32::try_from(epoch).unwrap_or(u32::MAX);
        fit.excess_loss(init, rate, updates).sqrt()
    };
    let (from, to) = (distance(0), distance(last));
    let moment = |step: usize| {
        let part = step as f64 / STEPS as f64;
        match from > to {
            true => first(last, |epoch| distance(epoch) <= from + part * (to - from)),
            false => step * last / STEPS,
        }
    };
    let mut moments: Vec<_> = (0..STEPS).map(moment).chain([last]).collect();
    // Above the stable rate the curve may come nearer and go away again.
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// The first of 0, 1, ..., `last` that is `reached`, as all after it are; otherwise `last`.
fn first(last: usize, reached: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low + (high - low) / 2;
        match reached(middle) {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    low
}

/// An epoch of the run, counted from 0, and the weights of its `y_pred`.
pub type Moment = (usize, Weights);

/// A descent that is watched: it is stopped at some epochs, and goes on to the same numbers.
pub struct Watched {
    descent: Box<dyn Descent>,
    ahead: VecDeque<usize>,
    done: usize,
    pub seen: Vec<Moment>,
}

impl Watched {
    pub fn new(descent: Box<dyn Descent>, moments: Vec<usize>) -> Self {
        Self {
            descent,
            ahead: moments.into(),
            done: 0,
            seen: vec![],
        }
    }
}

impl Descent for Watched {
    fn descend(&mut self, learning_rate: f64, epochs: usize) -> candle_core::Result<Tensor> {
        let end = self.done + epochs;
        let mut losses = vec![];
        while self.done < end {
            let moment = self.ahead.front().copied().filter(|moment| *moment < end);
            let stop = moment.map_or(end, |moment| moment + 1);
            losses.push(self.descent.descend(learning_rate, stop - self.done)?);
            self.done = stop;
            if let Some(moment) = moment {
                self.ahead.pop_front();
                self.seen.push((moment, self.descent.y_pred_weights()?));
            }
        }
        Tensor::cat(&losses, 0)
    }

    fn loss(&mut self) -> candle_core::Result<Tensor> {
        self.descent.loss()
    }

    fn weights(&self) -> candle_core::Result<Weights> {
        self.descent.weights()
    }

    fn y_pred_weights(&self) -> candle_core::Result<Weights> {
        self.descent.y_pred_weights()
    }
}

/// The bytes of the moving picture of what was seen, and of the last epoch.
pub fn draw(run: &Run) -> Result<Vec<u8>> {
    let last = run.history.losses.len() - 1;
    let mut seen = run.seen.clone();
    // Ctrl-C may have come between two moments.
    if seen.last().is_none_or(|(epoch, _)| *epoch != last) {
        seen.push((last, run.history.y_pred_weights.clone()));
    }
    let data = run.data.thinned(MOST)?;
    let mut frames = vec![];
    for (epoch, weights) in seen {
        let time = match epoch {
            _ if epoch == last => LAST,
            0 => FIRST,
            _ => STEP,
        };
        frames.push((frame(run, &data, epoch, &weights)?, time));
    }
    animation(&frames)
}

/// The curve of an epoch beside sin(x).
fn frame(run: &Run, data: &Data, epoch: usize, weights: &Weights) -> Result<Figure> {
    let number = run.options.first_epoch + epoch;
    let loss = short(run.history.losses[epoch]);
    let mut plt = Figure::new();
    plt.title(&format!("epoch {number}, loss {loss}"));
    plt.plot(&data.x, &data.y)?.label("y true");
    plt.plot(&data.x, &curve(data, weights)?)?.label("y pred");
    plt.legend();
    Ok(plt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use candle_sine::sine::gradient::Method;
    use candle_sine::sine::post;
    use candle_sine::sine::train::{Options, train};
    use std::ops::ControlFlow;

    fn data() -> Data {
        Data::new(1000, DType::F32, &Device::Cpu).unwrap()
    }

    fn chosen(rate: f64, epochs: usize) -> Vec<usize> {
        let fit = LeastSquares::new(&data()).unwrap();
        moments(&fit, post::WEIGHTS.map(f64::from), rate, epochs)
    }

    #[test]
    fn moments_are_dense_where_the_curve_moves() {
        let moments = chosen(6e-6, 1000);
        assert!((40..=STEPS + 1).contains(&moments.len()), "{moments:?}");
        assert!(moments.is_sorted_by(|a, b| a < b), "{moments:?}");
        assert_eq!((moments[0], moments[moments.len() - 1]), (0, 999));
        // At epoch 251 the loss is 210, after 7938 at the start: 84% of the way is done.
        let early = moments.iter().filter(|&&m| m < 250).count();
        assert!(early * 4 > moments.len() * 3, "{moments:?}");
        assert_eq!(chosen(6e-6, 1), [0]);
        assert_eq!(chosen(6e-6, 3), [0, 1, 2]);
    }

    #[test]
    fn moments_of_a_run_that_comes_no_nearer_are_evenly_spread() {
        let moments = chosen(1e-5, 601);
        assert_eq!(moments, (0..=600).step_by(10).collect::<Vec<_>>());
    }

    #[test]
    fn moments_rise_where_a_run_comes_nearer_and_goes_away_again() {
        for (rate, epochs) in [
            (7.2e-6, 50),
            (7.2e-6, 400),
            (7.5e-6, 30),
            (8e-6, 20),
            (8e-6, 9),
        ] {
            let moments = chosen(rate, epochs);
            assert!(moments.is_sorted_by(|a, b| a < b), "{rate}: {moments:?}");
            assert_eq!((moments[0], moments[moments.len() - 1]), (0, epochs - 1));
        }
    }

    #[test]
    fn a_watched_descent_comes_to_the_same_numbers() {
        let (data, options) = (
            data(),
            Options {
                epochs: 50,
                ..Options::default()
            },
        );
        let w = Weights::new(post::WEIGHTS.map(f64::from), DType::F32, &Device::Cpu).unwrap();
        for method in Method::ALL {
            let run = |moments: Vec<usize>| {
                let descent = method.descent(&data, &w).unwrap();
                let mut watched = Watched::new(descent, moments);
                let history = train(&mut watched, &options, &mut |_| {
                    Ok(ControlFlow::Continue(()))
                });
                let history = history.unwrap();
                (history, watched.seen)
            };
            let (plain, none) = run(vec![]);
            let (history, seen) = run(vec![0, 7, 8, 49]);
            assert!(none.is_empty());
            assert_eq!(history.losses, plain.losses);
            assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [0, 7, 8, 49]);
            let values = |w: &Weights| w.values().unwrap();
            assert_eq!(values(&seen[0].1), values(&w));
            assert_eq!(values(&seen[3].1), values(&plain.y_pred_weights));
            assert_eq!(values(&history.weights), values(&plain.weights));
        }
    }
}
