//! The pictures of a run: the post's figure, its three rows one by one, all curves in one, the loss.

use super::{Args, Run};
use anyhow::Result;
use candle_sine::plot::{Figure, Values as _};
use candle_sine::sine::post;
use candle_sine::sine::train::curve;
use std::path::PathBuf;

/// Their names, in the order in which they are drawn.
pub const NAMES: [&str; 6] = ["sine", "y_true", "y_pred", "y_random", "overlay", "loss"];

/// Points of a curve, at most: more than a picture has columns of pixels.
const MOST: usize = 4000;

pub fn path(args: &Args, name: &str) -> PathBuf {
    args.out.join(name).with_extension(args.format.extension())
}

/// A title, and y over the x that all curves share.
type Curve<'a> = (&'a str, &'a [f64]);

pub fn draw(run: &Run) -> Result<Vec<(&'static str, Figure)>> {
    let data = run.data.thinned(MOST)?;
    let best = run
        .args
        .problem
        .weights(run.fit.optimum, run.data.x.device())?;
    let y_pred = curve(&data, &run.history.y_pred_weights)?;
    let (y_rand, y_best) = (curve(&data, &run.init)?, curve(&data, &best)?);
    let (x, y) = (data.x.values()?, data.y.values()?);
    let rows: [Curve; 3] = [("y true", &y), ("y pred", &y_pred), ("y random", &y_rand)];
    let [y_true, y_pred, y_random] = rows.map(|row| post_rows(&x, &[row]));
    let figures = [
        post_rows(&x, &rows)?,
        y_true?,
        y_pred?,
        y_random?,
        overlay(&x, &rows, &y_best)?,
        loss(run)?,
    ];
    Ok(NAMES.into_iter().zip(figures).collect())
}

/// The post's figure, or some of its rows: `plt.subplot(3, 1, ...)`.
fn post_rows(x: &[f64], rows: &[Curve]) -> Result<Figure> {
    let mut plt = Figure::new();
    for (i, (title, y)) in rows.iter().enumerate() {
        plt.subplot(rows.len(), 1, i + 1);
        plt.title(title);
        plt.plot(x, *y)?;
    }
    Ok(plt)
}

/// sin(x), the cubic before and after training, and the best cubic there is.
fn overlay(x: &[f64], rows: &[Curve], y_best: &[f64]) -> Result<Figure> {
    let mut plt = Figure::new();
    plt.title("sin(x) and the cubics");
    for (label, y) in rows {
        plt.plot(x, *y)?.label(label);
    }
    plt.plot(x, y_best)?.label("least squares").dashed();
    plt.legend();
    Ok(plt)
}

/// The loss of every epoch, and the post's ten beside them where the run has its start.
fn loss(run: &Run) -> Result<Figure> {
    let mut plt = Figure::new();
    plt.title("loss: sum of squared errors");
    plt.xlabel("epoch");
    plt.integer_xticks();
    plt.semilogy();
    let (epochs, losses) = thinned(run.options.first_epoch, &run.history.losses);
    plt.plot(&epochs, &losses)?.label("loss");
    if run.start.is_post() && run.args.problem.points == post::POINTS {
        let (epochs, losses): (Vec<_>, Vec<_>) = post::TABLE
            .iter()
            .map(|&(e, loss)| (e as f64, loss))
            .unzip();
        plt.plot(&epochs, &losses)?.label("the post").markers();
        plt.legend();
    }
    Ok(plt)
}

/// Epochs from `first` on and their losses: at most some [`MOST`], evenly chosen, the last among them.
pub fn thinned(first: usize, losses: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let step = losses.len().div_ceil(MOST).max(1);
    let chosen = |i: &usize| i.is_multiple_of(step) || i + 1 == losses.len();
    let chosen = (0..losses.len()).filter(chosen);
    chosen.map(|i| ((first + i) as f64, losses[i])).unzip()
}
