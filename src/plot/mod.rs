//! Plots in matplotlib's look, by its names: `subplot`, `title`, `plot`, `legend`, `semilogy`,
//! `savefig`.
//!
//! [`Figure`] is what `plt` is in Python: it takes [`Values`] (tensors, slices, vectors) and gives the
//! bytes of a picture, [PNG or SVG](Format); [`animation`] makes one moving picture of several. plotters
//! draws them; the font, matplotlib's DejaVu Sans, is part of the program. Nothing here knows of sine.

mod axes;
mod chart;
mod pixels;
mod ticks;
mod values;

pub use axes::Line;
pub use pixels::animation;
pub use values::Values;

use anyhow::{Context, Result, anyhow, bail};
use axes::Axes;
use chart::Paper;
use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingBackend, IntoDrawingArea, SVGBackend, WHITE};
use plotters::style::{FontStyle, register_font};
use std::path::Path;

/// matplotlib's 6.4 by 4.8 inches at 100 dots an inch, in points of the picture.
const SIZE: (u32, u32) = (640, 480);

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
    /// Rows, columns, and the index among them, from 1; the last is the current one.
    subplots: Vec<((usize, usize, usize), Axes)>,
}

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
        let place = (rows, columns, index);
        let known = self.subplots.iter().position(|(p, _)| *p == place);
        let axes = known.map(|at| self.subplots.remove(at).1);
        self.subplots.push((place, axes.unwrap_or_default()));
    }

    /// `plt.title(text)`
    pub fn title(&mut self, text: &str) {
        self.current().title = text.to_owned();
    }

    /// `plt.xlabel(text)`
    pub fn xlabel(&mut self, text: &str) {
        self.current().xlabel = text.to_owned();
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
        let format = match path.extension().and_then(|e| e.to_str()) {
            Some("png") => Format::Png,
            Some("svg") => Format::Svg,
            _ => bail!("{}: the name must end in .png or .svg", name()),
        };
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
        match format {
            Format::Png => pixels::png(self),
            Format::Svg => Ok(self.svg()?.into_bytes()),
        }
    }

    /// In tenths of a point: finer than a pixel.
    fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        let area =
            SVGBackend::with_string(&mut svg, (SIZE.0 * 10, SIZE.1 * 10)).into_drawing_area();
        // plotters divides the size of a font by 1.24.
        area.fill(&WHITE)?;
        let paper = Paper {
            units: 10,
            font: 1.24,
            lift: 0.,
        };
        self.draw(&area, paper, &[self])?;
        drop(area);
        // plotters gives an SVG the size of its coordinates, and leaves the width of a rectangle's lines open.
        let (from, to) = (
            "<svg width=\"6400\" height=\"4800\"",
            "<svg stroke-width=\"10\" width=\"640\" height=\"480\"",
        );
        Ok(svg.replacen(from, to, 1))
    }

    /// With room for what any of `figures` shows in the same place.
    fn draw<DB: DrawingBackend<ErrorType: 'static>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        paper: Paper,
        figures: &[&Figure],
    ) -> Result<()> {
        let font = register_font(FAMILY, FontStyle::Normal, FONT);
        font.map_err(|_| anyhow!("the font is broken"))?;
        for (i, &((rows, columns, index), ref axes)) in self.subplots.iter().enumerate() {
            if !(1..=rows * columns).contains(&index) {
                bail!(
                    "subplot({rows}, {columns}, {index}): the index goes from 1 to rows x columns"
                )
            }
            let cell = &area.split_evenly((rows, columns))[index - 1];
            let same = figures.iter().filter_map(|figure| figure.subplots.get(i));
            let visible: Vec<_> = same.flat_map(|(_, axes)| axes.visible()).collect();
            chart::draw(cell, axes, &visible, (rows, columns), paper)?;
        }
        Ok(area.present()?)
    }

    fn current(&mut self) -> &mut Axes {
        if self.subplots.is_empty() {
            self.subplot(1, 1, 1);
        }
        let last = self.subplots.len() - 1;
        &mut self.subplots[last].1
    }
}
