//! What is drawn: the post's three plots, in the look of matplotlib's default style.
//!
//! [`post`] is the post's figure, [`single`] one of its rows alone, [`overlay`] all curves in one
//! panel, [`loss`] the descent, [`compare`] several descents. Each is a [`Figure`]: data, which [`Figure::render`] turns into the
//! bytes of a PNG at two pixels a point or of an SVG. The font is part of the program.

mod axes;
mod canvas;
mod encode;
mod font;
mod simplify;
mod ticks;

use anyhow::Result;
use axes::Frame;
use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingBackend, IntoDrawingArea, SVGBackend, WHITE};
use plotters::style::RGBColor;

/// matplotlib's colour cycle, `C0` to `C5`.
const C0: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const C1: RGBColor = RGBColor(0xff, 0x7f, 0x0e);
const C2: RGBColor = RGBColor(0x2c, 0xa0, 0x2c);
const C3: RGBColor = RGBColor(0xd6, 0x27, 0x28);
const C4: RGBColor = RGBColor(0x94, 0x67, 0xbd);
const C5: RGBColor = RGBColor(0x8c, 0x56, 0x4b);

/// matplotlib's 6.4 by 4.8 inches at 100 dots an inch, in points of the picture.
const SIZE: (u32, u32) = (640, 480);

/// Drawing units a point: coordinates are whole numbers in plotters, and a tenth of a point is
/// finer than a pixel.
const UNITS: u32 = 10;

/// Pixels a point in a PNG, so that it is crisp on a screen of high density.
const PNG_SCALE: u32 = 2;

/// Points of a curve that are drawn: more than the pixels in a row.
pub const MOST_POINTS: usize = 4000;

/// The kind of picture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Format {
    /// 1280 by 960 pixels
    Png,
    /// Vectors; its text stays text
    Svg,
}

impl Format {
    /// `png` or `svg`.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stroke {
    Solid,
    Dashed,
    /// Discs of this radius, in points
    Markers(f64),
}

/// The radius of a disc among others of its kind.
const MARKER: f64 = 4.;

#[derive(Clone, Debug)]
struct Line {
    label: String,
    points: Vec<(f64, f64)>,
    color: RGBColor,
    stroke: Stroke,
}

impl Line {
    fn solid(label: &str, x: &[f64], y: &[f64], color: RGBColor) -> Self {
        Self {
            label: label.to_owned(),
            points: thin(x.iter().copied().zip(y.iter().copied()), x.len()),
            color,
            stroke: Stroke::Solid,
        }
    }

    /// The losses of a run whose first epoch is `first`. A line needs two points: one alone is a disc
    /// of radius `alone`.
    fn descent(label: &str, first: usize, losses: &[f64], color: RGBColor, alone: f64) -> Self {
        let at = |(i, &loss): (usize, &f64)| ((first + i) as f64, loss);
        let visible = losses.iter().filter(|loss| loss.log10().is_finite());
        Self {
            label: label.to_owned(),
            points: thin(losses.iter().enumerate().map(at), losses.len()),
            color,
            stroke: match visible.take(2).count() {
                1 => Stroke::Markers(alone),
                _ => Stroke::Solid,
            },
        }
    }
}

/// One pair of axes.
#[derive(Clone, Debug)]
struct Panel {
    title: String,
    /// What x counts; empty where it is a real number.
    x_label: String,
    log_y: bool,
    legend: bool,
    lines: Vec<Line>,
}

impl Panel {
    fn plain(title: &str, lines: Vec<Line>) -> Self {
        Self {
            title: title.to_owned(),
            x_label: String::new(),
            log_y: false,
            legend: false,
            lines,
        }
    }
}

/// A figure: panels from top to bottom.
#[derive(Clone, Debug)]
pub struct Figure {
    panels: Vec<Panel>,
}

/// The curves of a run, over the same `x`.
#[derive(Clone, Copy, Debug)]
pub struct Curves<'a> {
    /// The abscissas.
    pub x: &'a [f64],
    /// sin(x)
    pub y: &'a [f64],
    /// The cubic as trained.
    pub y_pred: &'a [f64],
    /// The cubic of the initial weights.
    pub y_rand: &'a [f64],
    /// The cubic of least squares.
    pub y_best: &'a [f64],
}

/// One of the post's three plots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `y true`: sin(x)
    True,
    /// `y pred`: the cubic as trained
    Pred,
    /// `y random`: the cubic of the initial weights
    Random,
}

impl Curve {
    /// From the top of the post's figure to its bottom.
    pub const ALL: [Self; 3] = [Self::True, Self::Pred, Self::Random];

    /// The post's `plt.title`.
    pub fn title(self) -> &'static str {
        match self {
            Self::True => "y true",
            Self::Pred => "y pred",
            Self::Random => "y random",
        }
    }

    fn of<'a>(self, curves: &Curves<'a>) -> &'a [f64] {
        match self {
            Self::True => curves.y,
            Self::Pred => curves.y_pred,
            Self::Random => curves.y_rand,
        }
    }

    fn panel(self, curves: &Curves, color: RGBColor) -> Panel {
        let line = Line::solid(self.title(), curves.x, self.of(curves), color);
        Panel::plain(self.title(), vec![line])
    }
}

/// The post's figure: `plt.subplot(3, 1, ...)`, the rows `y true`, `y pred`, `y random`.
///
/// ```
/// use candle_sine::sine::figure::{self, Curves, Format};
///
/// let x = [-1., 0., 1.];
/// let curves = Curves { x: &x, y: &x, y_pred: &x, y_rand: &x, y_best: &x };
/// let svg = String::from_utf8(figure::post(&curves).render(Format::Svg)?)?;
/// assert!(svg.contains("y true") && svg.contains("y pred") && svg.contains("y random"));
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn post(curves: &Curves) -> Figure {
    let panels = Curve::ALL.map(|c| c.panel(curves, C0)).to_vec();
    Figure { panels }
}

/// One row of the post's figure, alone.
///
/// ```
/// use candle_sine::sine::figure::{self, Curve, Curves, Format};
///
/// let x = [-1., 0., 1.];
/// let curves = Curves { x: &x, y: &x, y_pred: &x, y_rand: &x, y_best: &x };
/// let png = figure::single(Curve::True, &curves).render(Format::Png)?;
/// assert!(png.starts_with(b"\x89PNG"));
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn single(curve: Curve, curves: &Curves) -> Figure {
    Figure {
        panels: vec![curve.panel(curves, C0)],
    }
}

/// sin(x), the cubic before and after training, and the best cubic there is, in one panel.
///
/// ```
/// use candle_sine::sine::figure::{self, Curves, Format};
///
/// let x = [-1., 0., 1.];
/// let curves = Curves { x: &x, y: &x, y_pred: &x, y_rand: &x, y_best: &x };
/// let svg = String::from_utf8(figure::overlay(&curves).render(Format::Svg)?)?;
/// assert!(svg.contains("least squares"));
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn overlay(curves: &Curves) -> Figure {
    let colored = [(Curve::True, C0), (Curve::Pred, C1), (Curve::Random, C2)];
    let line = |(c, color): (Curve, _)| Line::solid(c.title(), curves.x, c.of(curves), color);
    let best = Line {
        stroke: Stroke::Dashed,
        ..Line::solid("least squares", curves.x, curves.y_best, C3)
    };
    let lines = colored.map(line).into_iter().chain([best]).collect();
    let mut panel = Panel::plain("sin(x) and the cubics", lines);
    panel.legend = true;
    Figure {
        panels: vec![panel],
    }
}

/// The loss of every epoch on a log axis, the first being `first_epoch`; `marked` are (epoch,
/// loss) pairs to compare with under a name.
///
/// ```
/// use candle_sine::sine::figure::{self, Format};
///
/// let losses = [8000., 4000., 2000.];
/// let svg = figure::loss(1, &losses, Some(("theirs", &[(1, 8000.)]))).render(Format::Svg)?;
/// assert!(String::from_utf8(svg)?.contains("theirs"));
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn loss(first_epoch: usize, losses: &[f64], marked: Option<(&str, &[(usize, f64)])>) -> Figure {
    // A loss alone can be seen around the mark that is drawn over it.
    let history = Line::descent("loss", first_epoch, losses, C0, 1.5 * MARKER);
    let marks = marked.map(|(label, points)| Line {
        label: label.to_owned(),
        points: points.iter().map(|&(e, loss)| (e as f64, loss)).collect(),
        color: C1,
        stroke: Stroke::Markers(MARKER),
    });
    let panel = Panel {
        title: "loss: sum of squared errors".to_owned(),
        x_label: "epoch".to_owned(),
        log_y: true,
        legend: marks.is_some(),
        lines: std::iter::once(history).chain(marks).collect(),
    };
    Figure {
        panels: vec![panel],
    }
}

/// The losses of several runs that ought to be the same and of one that is not, by their names, from
/// epoch 1 on a log axis. The first is a line; the others are markers, each at epochs of its own,
/// so that all can be seen to lie on it.
pub fn compare(same: &[(&str, &[f64])], other: Option<(&str, &[f64])>) -> Figure {
    const MARKERS: usize = 8;
    let marks = |(k, (label, losses)): (usize, &(&str, &[f64]))| {
        let apart = (losses.len() / MARKERS).max(1);
        let first = k * apart / same.len();
        let chosen = losses.iter().enumerate().skip(first).step_by(apart);
        Line {
            label: (*label).to_owned(),
            points: chosen.map(|(i, &loss)| ((i + 1) as f64, loss)).collect(),
            color: [C1, C2, C3, C4][k % 4],
            stroke: Stroke::Markers(MARKER),
        }
    };
    // Losses alone can be seen around the markers that are drawn over them, and upon these.
    let first = same.first();
    let first = first.map(|(label, losses)| Line::descent(label, 1, losses, C0, 1.5 * MARKER));
    let others = same.iter().skip(1).enumerate().map(marks);
    let other = other.map(|(label, losses)| Line::descent(label, 1, losses, C5, 0.5 * MARKER));
    Figure {
        panels: vec![Panel {
            title: "loss: sum of squared errors".to_owned(),
            x_label: "epoch".to_owned(),
            log_y: true,
            legend: true,
            lines: first.into_iter().chain(others).chain(other).collect(),
        }],
    }
}

/// At most some [`MOST_POINTS`], evenly chosen, the last among them.
fn thin(points: impl Iterator<Item = (f64, f64)>, len: usize) -> Vec<(f64, f64)> {
    let step = len.div_ceil(MOST_POINTS).max(1);
    let chosen = points.enumerate();
    chosen
        .filter(|(i, _)| i % step == 0 || i + 1 == len)
        .map(|(_, point)| point)
        .collect()
}

impl Figure {
    /// The bytes of the picture file.
    ///
    /// # Errors
    /// A figure that cannot be encoded.
    pub fn render(&self, format: Format) -> Result<Vec<u8>> {
        font::register()?;
        let size = (SIZE.0 * UNITS, SIZE.1 * UNITS);
        match format {
            Format::Png => {
                let scale = PNG_SCALE as f32 / UNITS as f32;
                canvas::png(size, scale, |canvas| self.draw(canvas.into_drawing_area()))
            }
            Format::Svg => {
                let mut svg = String::new();
                let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
                area.fill(&WHITE)?;
                self.draw(area)?;
                Ok(in_points(svg, size).into_bytes())
            }
        }
    }

    fn draw<DB: DrawingBackend>(&self, area: DrawingArea<DB, Shift>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let rows = self.panels.len();
        for (row, panel) in self.panels.iter().enumerate() {
            Frame::new(panel, row, rows).draw(&area)?;
        }
        area.present()?;
        Ok(())
    }
}

/// plotters gives an SVG the size of its coordinates; this one is meant to be `SIZE` large.
fn in_points(svg: String, (width, height): (u32, u32)) -> String {
    let units = format!("width=\"{width}\" height=\"{height}\"");
    let points = format!("width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1);
    svg.replacen(&units, &points, 1)
}
