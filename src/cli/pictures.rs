//! The pictures of a run: the post's figure, its three rows one by one, all curves in one, the loss; and the
//! fit as a moving picture.

use super::args::Settings;
use super::history::{History, Moment};
use super::print::short;
use anyhow::Result;
use candle_sine::plot::{Figure, Format, Values as _, animation as film};
use candle_sine::sine::{Data, LeastSquares, Weights, post};
use rayon::prelude::*;
use std::time::Duration;

/// Their names, in the order in which they are drawn.
pub const NAMES: [&str; 6] = ["sine", "y_true", "y_pred", "y_random", "overlay", "loss"];

/// Points of a curve, about: more than a picture has columns of pixels, and in a moving picture half of them.
const MOST: usize = 4000;
const MOST_MOVING: usize = 320;

/// A title, and the weights of a cubic; without weights, sin(x).
type Curve = (&'static str, Option<Weights>);

/// The bytes of the pictures, in the order of [`NAMES`].
pub fn draw(
    settings: &Settings,
    fit: &LeastSquares,
    history: &History,
    format: Format,
) -> Result<Vec<Vec<u8>>> {
    let data = settings.data.thinned(MOST)?;
    let last = history.moments.last().map(|moment| moment.weights);
    let rows: [Curve; 3] = [
        ("y true", None),
        ("y pred", last),
        ("y random", Some(settings.start)),
    ];
    let figures = [
        post_rows(&data, &rows)?,
        post_rows(&data, &rows[..1])?,
        post_rows(&data, &rows[1..2])?,
        post_rows(&data, &rows[2..])?,
        overlay(&data, &rows, fit)?,
        loss(settings, history)?,
    ];
    figures.par_iter().map(|f| f.render(format)).collect()
}

fn plot<'a>(
    plt: &'a mut Figure,
    data: &Data,
    curve: &Curve,
) -> Result<&'a mut candle_sine::plot::Line> {
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
fn overlay(data: &Data, rows: &[Curve], fit: &LeastSquares) -> Result<Figure> {
    let mut plt = Figure::new();
    plt.title("sin(x) and the cubics");
    for row in rows {
        plot(&mut plt, data, row)?.label(row.0);
    }
    let best = ("best cubic", Some(fit.optimum));
    plot(&mut plt, data, &best)?.label(best.0).dashed();
    plt.legend();
    Ok(plt)
}

/// The loss of every epoch, and the post's ten beside them where the run has its start.
fn loss(settings: &Settings, history: &History) -> Result<Figure> {
    let mut plt = Figure::new();
    plt.title("loss: sum of squared errors");
    plt.xlabel("epoch");
    plt.integer_xticks();
    plt.semilogy();
    let (x, y): (Vec<_>, Vec<_>) = history.losses.iter().map(|l| (f64::from(l.0), l.1)).unzip();
    plt.plot(&x, &y)?.label("loss");
    if settings.start == post::WEIGHTS && settings.points() == post::POINTS as usize {
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

/// The epochs to show: between two of them the curve comes nearer to the best cubic by the same distance,
/// √Σ (y_pred - y_best)² over the points. Exact descent tells these before the run; where it comes no
/// nearer, they are evenly spread.
pub fn moments(fit: &LeastSquares, start: Weights, rate: f64, epochs: u32) -> Vec<u32> {
    let distance = |epoch: u32| fit.excess_loss(start, rate, epoch - 1).sqrt();
    let (from, to) = (distance(1), distance(epochs));
    let moment = |step: u32| {
        let part = f64::from(step) / f64::from(STEPS);
        if from <= to {
            return 1 + (part * f64::from(epochs - 1)) as u32;
        }
        // The first epoch that is near enough, as all after it are.
        let (mut low, mut high) = (1, epochs);
        while low < high {
            let middle = low + (high - low) / 2;
            match distance(middle) <= from + part * (to - from) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        low
    };
    let mut moments: Vec<_> = (0..=STEPS).map(moment).chain([epochs]).collect();
    // Above the stable rate the curve may come nearer and go away again.
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// The bytes of the moving picture.
pub fn animation(settings: &Settings, history: &History) -> Result<Vec<u8>> {
    let data = settings.data.thinned(MOST_MOVING)?;
    let limits = limits(&data, settings.start)?;
    let last = history.epochs;
    let frame = |moment: &Moment| {
        let time = match moment.epoch {
            epoch if epoch == last => LAST,
            1 => FIRST,
            _ => STEP,
        };
        Ok((frame(&data, moment, limits)?, time))
    };
    film(
        &history
            .moments
            .iter()
            .map(frame)
            .collect::<Result<Vec<_>>>()?,
    )
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
    plt.title(&format!(
        "epoch {}, loss {}",
        moment.epoch,
        short(moment.loss)
    ));
    plot(&mut plt, data, &("y true", None))?.label("y true");
    plot(&mut plt, data, &("y pred", Some(moment.weights)))?.label("y pred");
    plt.legend();
    Ok(plt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn chosen(rate: f64, epochs: u32) -> Vec<u32> {
        let data = Data::new(1000, DType::F32, &Device::Cpu).unwrap();
        let fit = LeastSquares::new(&data).unwrap();
        moments(&fit, post::WEIGHTS, rate, epochs)
    }

    #[test]
    fn moments_are_dense_where_the_curve_moves() {
        let moments = chosen(6e-6, 1000);
        assert!((40..=STEPS as usize + 1).contains(&moments.len()));
        assert_eq!((moments[0], moments[moments.len() - 1]), (1, 1000));
        // At epoch 251 the loss is 210, after 7938 at the start: 84% of the way is done.
        let early = moments.iter().filter(|&&m| m <= 250).count();
        assert!(early * 4 > moments.len() * 3, "{moments:?}");
        assert_eq!(chosen(6e-6, 1), [1]);
        assert_eq!(chosen(6e-6, 3), [1, 2, 3]);
    }

    /// A run that comes no nearer, and one that comes nearer and goes away again.
    #[test]
    fn moments_rise_from_the_first_epoch_to_the_last() {
        for (rate, epochs) in [(1e-5, 601), (7.2e-6, 50), (7.2e-6, 400), (8e-6, 9)] {
            let moments = chosen(rate, epochs);
            assert!(moments.is_sorted_by(|a, b| a < b), "{rate}: {moments:?}");
            assert_eq!((moments[0], moments[moments.len() - 1]), (1, epochs));
        }
    }
}
