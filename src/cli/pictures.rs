//! The pictures of a run: the post's figure, its three rows one by one, all curves in one, the loss; and the
//! fit as a moving picture.

use super::print::short;
use super::run::{Moment, Run};
use anyhow::Result;
use candle_sine::plot::{Figure, Format, Line, Values as _, animation};
use candle_sine::sine::{Data, Weights, post};
use rayon::prelude::*;
use std::time::Duration;

/// Their names, in the order in which they are drawn.
pub const NAMES: [&str; 6] = ["sine", "y_true", "y_pred", "y_random", "overlay", "loss"];

/// Points of a curve, about: half as many as a picture has columns of pixels.
const MOST: usize = 1000;

/// A title, and the weights of a cubic; without weights, sin(x).
type Curve = (&'static str, Option<Weights>);

/// The bytes of the pictures, in the order of [`NAMES`].
pub fn draw(run: &Run, format: Format) -> Result<Vec<Vec<u8>>> {
    let data = run.settings.data.thinned(MOST)?;
    let last = run.history.moments.last().map(|moment| moment.weights);
    let rows: [Curve; 3] = [
        ("y true", None),
        ("y pred", last),
        ("y random", Some(run.settings.start)),
    ];
    let figures = [
        post_rows(&data, &rows)?,
        post_rows(&data, &rows[..1])?,
        post_rows(&data, &rows[1..2])?,
        post_rows(&data, &rows[2..])?,
        overlay(&data, &rows, run.fit.optimum)?,
        loss(run)?,
    ];
    figures.par_iter().map(|f| f.render(format)).collect()
}

fn plot<'a>(plt: &'a mut Figure, data: &Data, curve: &Curve) -> Result<&'a mut Line> {
    match curve.1 {
        Some(weights) => plt.plot(&data.x, &data.y_pred(weights)?),
        None => plt.plot(&data.x, &data.y),
    }
}

/// The post's figure, or some of its rows: `plt.subplot(3, 1, ...)`.
fn post_rows(data: &Data, rows: &[Curve]) -> Result<Figure> {
    let mut plt = Figure::new();
    for (i, row) in rows.iter().enumerate() {
        plt.subplot(rows.len(), 1, i + 1);
        plt.title(row.0);
        plot(&mut plt, data, row)?;
    }
    Ok(plt)
}

/// sin(x), the cubic before and after training, and the best cubic there is.
fn overlay(data: &Data, rows: &[Curve], optimum: Weights) -> Result<Figure> {
    let mut plt = Figure::new();
    plt.title("sin(x) and the cubics");
    for row in rows {
        plot(&mut plt, data, row)?.label(row.0);
    }
    let best = ("best cubic", Some(optimum));
    plot(&mut plt, data, &best)?.label(best.0).dashed();
    plt.legend();
    Ok(plt)
}

/// The loss of every epoch, and the post's ten beside them where the run has its start.
fn loss(run: &Run) -> Result<Figure> {
    let mut plt = Figure::new();
    plt.title("loss: sum of squared errors");
    plt.xlabel("epoch");
    plt.semilogy();
    let (x, y): (Vec<_>, Vec<_>) = run
        .history
        .losses
        .iter()
        .map(|l| (f64::from(l.0), l.1))
        .unzip();
    plt.plot(&x, &y)?.label("loss");
    if run.settings.start == post::WEIGHTS && run.settings.points() == post::POINTS as usize {
        let table = post::TABLE.map(|(epoch, loss)| (epoch as f64, loss));
        let (x, y): (Vec<_>, Vec<_>) = table.into_iter().unzip();
        plt.plot(&x, &y)?.label("the post").markers();
        plt.legend();
    }
    Ok(plt)
}

/// Steps of the curve on its way, at most.
const STEPS: u32 = 60;
const STEP: Duration = Duration::from_millis(80);
/// How long the first and the last picture stay.
const FIRST: Duration = Duration::from_millis(800);
const LAST: Duration = Duration::from_millis(3000);

/// The epochs to show, by equal factors: the curve moves most at the start.
pub fn moments(epochs: u32) -> Vec<u32> {
    let part = |step: u32| f64::from(step) / f64::from(STEPS);
    let moments = (0..=STEPS).map(|step| f64::from(epochs).powf(part(step)).round() as u32);
    let mut moments: Vec<_> = moments.collect();
    moments.dedup();
    moments
}

/// The bytes of the moving picture.
pub fn moving(run: &Run) -> Result<Vec<u8>> {
    let data = run.settings.data.thinned(MOST / 3)?;
    let limits = limits(&data, run.settings.start)?;
    let frames = run.history.moments.iter().map(|moment| {
        let time = match moment.epoch {
            epoch if epoch == run.history.epochs => LAST,
            1 => FIRST,
            _ => STEP,
        };
        Ok((frame(&data, moment, limits)?, time))
    });
    animation(&frames.collect::<Result<Vec<_>>>()?)
}

/// Of y: room for sin(x) and the curve at the start, and the same for every run from there. On its way the
/// curve may be outside for some epochs.
fn limits(data: &Data, start: Weights) -> Result<(f64, f64)> {
    let y = [data.y.values()?, data.y_pred(start)?.values()?].concat();
    let low = y.iter().copied().fold(f64::INFINITY, f64::min);
    let high = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let room = 0.15 * (high - low);
    Ok((low - room, high + room))
}

/// The curve of an epoch beside sin(x).
fn frame(data: &Data, moment: &Moment, (low, high): (f64, f64)) -> Result<Figure> {
    let mut plt = Figure::new();
    plt.ylim(low, high);
    let loss = short(moment.loss);
    plt.title(&format!("epoch {}, loss {loss}", moment.epoch));
    plot(&mut plt, data, &("y true", None))?.label("y true");
    plot(&mut plt, data, &("y pred", Some(moment.weights)))?.label("y pred");
    plt.legend();
    Ok(plt)
}
