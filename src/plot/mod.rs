//! Plots in matplotlib's look, by its names: `subplot`, `title`, `plot`, `legend`, `semilogy`,
//! `savefig`.
//!
//! [`Figure`] is what `plt` is in Python: it takes [`Values`] (tensors, slices, vectors) and gives the
//! bytes of a picture, [SVG or PNG](Format); [`animation`] makes one moving picture of several. plotters
//! draws the SVG, resvg turns it into pixels; the font, matplotlib's DejaVu Sans, is part of the program.
//! Nothing here knows of sine.

mod axes;
mod chart;
mod pixels;
mod ticks;
mod values;

pub use axes::Line;
pub use pixels::{Format, animation};
pub use values::Values;

use anyhow::{Context, Result, anyhow, bail};
use axes::Axes;
use plotters::prelude::{IntoDrawingArea, SVGBackend, WHITE};
use plotters::style::{FontStyle, register_font};
use std::path::Path;

/// matplotlib's 6.4 by 4.8 inches at 100 dots an inch, in points of the picture.
const SIZE: (u32, u32) = (640, 480);

/// Drawing units a point: coordinates are whole numbers in plotters, and a tenth of a point is
/// finer than a pixel.
const UNITS: u32 = 10;

/// DejaVu Sans, cut down by `scripts/font.sh`: no font of the system is asked for.
const FONT: &[u8] = include_bytes!("../../assets/font/DejaVuSans.ttf");

/// As it stands in an SVG, where the reader's own fonts are used.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// A figure that is being drawn: Python's `plt`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_sine::plot::Figure;
///
/// let x = Tensor::arange(0f32, 10., &Device::Cpu)?;
/// let mut plt = Figure::new();
/// plt.subplot(2, 1, 1);
/// plt.title("a straight line");
/// plt.plot(&x, &x)?;
/// plt.subplot(2, 1, 2);
/// plt.title("a parabola, twice");
/// plt.plot(&x, &x.sqr()?)?.label("all");
/// plt.plot(&[0., 3., 9.], &[0., 9., 81.])?.label("three of them").markers();
/// plt.legend();
/// # let dir = tempfile::tempdir()?;
/// # std::env::set_current_dir(&dir)?;
/// plt.savefig("out/lines.png")?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Figure {
    subplots: Vec<(Place, Axes)>,
}

/// The place of a subplot: rows, columns, and its index among them, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    rows: usize,
    columns: usize,
    index: usize,
}

impl Figure {
    /// An empty figure.
    pub fn new() -> Self {
        Self::default()
    }

    /// `plt.subplot(rows, columns, index)`: what follows is drawn in this part of the figure; index 1
    /// is the upper left. Without it there is one part, the whole.
    ///
    /// An index outside of the grid is an error of [`render`](Self::render).
    pub fn subplot(&mut self, rows: usize, columns: usize, index: usize) {
        let place = Place {
            rows,
            columns,
            index,
        };
        // The last is the current one.
        match self.subplots.iter().position(|(p, _)| *p == place) {
            Some(known) => {
                let known = self.subplots.remove(known);
                self.subplots.push(known);
            }
            None => self.subplots.push((place, Axes::default())),
        }
    }

    /// `plt.title(text)`
    pub fn title(&mut self, text: &str) {
        self.current().title = text.to_owned();
    }

    /// `plt.xlabel(text)`
    pub fn xlabel(&mut self, text: &str) {
        self.current().xlabel = text.to_owned();
    }

    /// Ticks of x at whole numbers only: for what is counted. (matplotlib:
    /// `MaxNLocator(integer=True)`.)
    pub fn integer_xticks(&mut self) {
        self.current().integer_xticks = true;
    }

    /// `plt.semilogy()`: y on a logarithmic axis; values that are not above 0 are left out.
    pub fn semilogy(&mut self) {
        self.current().log_y = true;
    }

    /// `plt.ylim(low, high)`: the y axis shows this range, whatever is plotted; points beyond it are left
    /// out.
    pub fn ylim(&mut self, low: f64, high: f64) {
        self.current().ylim = Some((low, high));
    }

    /// `plt.legend()`: names the lines that have a [label](Line::label).
    pub fn legend(&mut self) {
        self.current().legend = true;
    }

    /// `plt.plot(x, y)`: a line through the points (x, y), in the next colour of matplotlib's cycle. A
    /// point that is not finite interrupts it.
    ///
    /// # Errors
    /// Different numbers of x and y; a device that cannot be read.
    pub fn plot(
        &mut self,
        x: &(impl Values + ?Sized),
        y: &(impl Values + ?Sized),
    ) -> Result<&mut Line> {
        let (x, y) = (x.values()?, y.values()?);
        if x.len() != y.len() {
            bail!("plot: {} values of x, but {} of y", x.len(), y.len())
        }
        Ok(self.current().add(x.into_iter().zip(y).collect()))
    }

    /// `plt.savefig(path)`: writes the picture; its name ends in `.png` or `.svg`. Folders on the way
    /// are made.
    ///
    /// # Errors
    /// Another ending; a place that cannot be written to; those of [`render`](Self::render).
    pub fn savefig(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let name = || format!("savefig: {}", path.display());
        let format = Format::of(path).with_context(name)?;
        let bytes = self.render(format)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(name)?;
        }
        std::fs::write(path, bytes).with_context(name)
    }

    /// The bytes of the picture file.
    ///
    /// ```
    /// use candle_sine::plot::{Figure, Format};
    ///
    /// let mut plt = Figure::new();
    /// plt.title("two points");
    /// plt.plot(&[0., 1.], &[1., 0.])?;
    /// assert!(String::from_utf8(plt.render(Format::Svg)?)?.contains("two points"));
    /// assert!(plt.render(Format::Png)?.starts_with(b"\x89PNG"));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// A subplot outside of its grid.
    pub fn render(&self, format: Format) -> Result<Vec<u8>> {
        let svg = self.svg(&[self])?;
        match format {
            Format::Svg => Ok(in_points(svg).into_bytes()),
            Format::Png => pixels::png(&svg),
        }
    }

    /// With axes that have room for what any of `figures` shows in the same place.
    fn svg(&self, figures: &[&Figure]) -> Result<String> {
        let font = register_font(FAMILY, FontStyle::Normal, FONT);
        font.map_err(|_| anyhow!("the font is broken"))?;
        let mut svg = String::new();
        let size = (SIZE.0 * UNITS, SIZE.1 * UNITS);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        for (place, axes) in &self.subplots {
            let (rows, columns, index) = (place.rows, place.columns, place.index);
            if !(1..=rows * columns).contains(&index) {
                bail!(
                    "subplot({rows}, {columns}, {index}): the index goes from 1 to rows x columns"
                )
            }
            let all = figures.iter().filter_map(|figure| figure.axes(*place));
            chart::draw(&area, axes, &all.collect::<Vec<_>>(), *place)?;
        }
        area.present()?;
        drop(area);
        // plotters leaves a rectangle's to the SVG's default, a tenth of a point.
        Ok(svg.replacen("<svg ", &format!("<svg stroke-width=\"{UNITS}\" "), 1))
    }

    fn axes(&self, place: Place) -> Option<&Axes> {
        let (_, axes) = self.subplots.iter().find(|(p, _)| *p == place)?;
        Some(axes)
    }

    fn current(&mut self) -> &mut Axes {
        if self.subplots.is_empty() {
            self.subplot(1, 1, 1);
        }
        let last = self.subplots.len() - 1;
        &mut self.subplots[last].1
    }
}

/// plotters gives an SVG the size of its coordinates; this one is meant to be `SIZE` large.
fn in_points(svg: String) -> String {
    let units = format!("width=\"{}\" height=\"{}\"", SIZE.0 * UNITS, SIZE.1 * UNITS);
    let points = format!("width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1);
    svg.replacen(&units, &points, 1)
}
