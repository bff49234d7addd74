//! One pair of axes as a chart of plotters, with matplotlib's measures.

use super::axes::{Axes, Stroke};
use super::{FAMILY, ticks};
use anyhow::Result;
use plotters::chart::{ChartContext, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::{DashedPathElement, DynElement, IntoDynElement};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// In points of the picture, as all lengths here are.
const FONT: f64 = 13.9;
const TITLE_FONT: f64 = 16.7;
const FRAME_WIDTH: f64 = 1.;
const LINE_WIDTH: f64 = 2.;
const TICK: f64 = 5.;
const LEGEND_MARGIN: f64 = 8.;
/// The room for a sample before the texts of a legend.
const LEGEND_SAMPLE: f64 = 38.;

/// Its ends, and its ticks with their labels.
struct Axis {
    ends: (f64, f64),
    ticks: Vec<(f64, String)>,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let part = (value - self.ends.0) / (self.ends.1 - self.ends.0);
        (f64::from(from) + part * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|tick| tick.0).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick == value);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// What is drawn on.
#[derive(Clone, Copy)]
pub(super) struct Paper {
    /// The coordinates are whole numbers; a point has so many of them.
    pub units: u32,
    /// plotters' size of a font, for the letters' size.
    pub font: f64,
    /// How far plotters writes above the middle of a line, in sizes of the letters.
    pub lift: f64,
}

impl Paper {
    fn units(self, points: f64) -> i32 {
        (points * f64::from(self.units)).round() as i32
    }

    fn pen(self, color: RGBColor, width: f64) -> ShapeStyle {
        color.stroke_width(self.units(width) as u32)
    }

    fn text(self, size: f64) -> TextStyle<'static> {
        let size = self.font * size * f64::from(self.units);
        TextStyle::from((FAMILY, size).into_font())
    }
}

/// Draws `axes`, with room for the points that are to be `visible`, into `cell`, one of so many rows and columns.
pub(super) fn draw<DB: DrawingBackend<ErrorType: 'static>>(
    cell: &DrawingArea<DB, Shift>,
    axes: &Axes,
    visible: &[(f64, f64)],
    (rows, columns): (usize, usize),
    paper: Paper,
) -> Result<()> {
    let (width, height) = cell.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    let (top, bottom, left, right) = margins((width, height), (rows, columns));
    let inner = (width - left - right, height - top - bottom);
    let title = paper.text(TITLE_FONT);
    let title = title.pos(Pos::new(HPos::Center, VPos::Bottom));
    let place = (left + inner.0 / 2, top - paper.units(4.));
    cell.draw_text(&axes.title, &title, place)?;
    let labels = bottom.min(paper.units(42.));
    let (x, y) = both_axes(axes, visible, inner, paper);
    let chart = ChartBuilder::on(cell)
        .margin_top(top)
        .margin_right(right)
        .margin_bottom(bottom - labels)
        .x_label_area_size(labels)
        .y_label_area_size(left)
        .build_cartesian_2d(x, y)?;
    Chart { chart, axes, paper }.draw(visible)
}

/// Above, below, left and right of the axes.
fn margins((width, height): (i32, i32), (rows, columns): (usize, usize)) -> (i32, i32, i32, i32) {
    let (top, bottom) = match rows {
        1 => (height * 58 / 480, height * 53 / 480),
        _ => (height / 5, height * 3 / 16),
    };
    match columns {
        1 => (top, bottom, width / 8, width / 10),
        _ => (top, bottom, width * 7 / 40, width / 20),
    }
}

/// Their ends and ticks; no ticks where no point is `visible`.
fn both_axes(axes: &Axes, visible: &[(f64, f64)], inner: (i32, i32), paper: Paper) -> (Axis, Axis) {
    let x = limits(visible.iter().map(|p| p.0));
    let y = match axes.ylim {
        Some((low, high)) => (axes.scaled(low), axes.scaled(high)),
        None => limits(visible.iter().map(|p| p.1)),
    };
    // matplotlib's room for labels: three font sizes along x, two along y.
    let bins = |length: i32, sizes: f64| (length / paper.units(sizes * FONT)).clamp(1, 9) as usize;
    let (xs, ys) = match (visible.is_empty(), axes.log_y) {
        (true, _) => (vec![], vec![]),
        // log₁₀ of what an f64 can be.
        (_, true) => (
            ticks::linear(x.0, x.1, bins(inner.0, 3.)),
            ticks::log(y.0.max(-307.), y.1.min(308.)),
        ),
        (_, false) => (
            ticks::linear(x.0, x.1, bins(inner.0, 3.)),
            ticks::linear(y.0, y.1, bins(inner.1, 2.)),
        ),
    };
    (Axis { ends: x, ticks: xs }, Axis { ends: y, ticks: ys })
}

/// Axes that have their place.
struct Chart<'a, 'b, DB: DrawingBackend> {
    chart: ChartContext<'a, DB, Cartesian2d<Axis, Axis>>,
    axes: &'b Axes,
    paper: Paper,
}

impl<'a, DB: DrawingBackend<ErrorType: 'static> + 'a> Chart<'a, '_, DB> {
    fn draw(&mut self, visible: &[(f64, f64)]) -> Result<()> {
        self.lines()?;
        self.frame()?;
        match self.axes.legend {
            true => self.legend(visible),
            false => Ok(()),
        }
    }

    fn lines(&mut self) -> Result<()> {
        let paper = self.paper;
        for line in &self.axes.lines {
            let pieces = self.axes.pieces(line);
            let stroke = match pieces.iter().all(|piece| piece.len() == 1) {
                // A line of single points would be invisible.
                true => Stroke::Markers,
                false => line.stroke,
            };
            let color = line.color;
            let drawn = pieces
                .into_iter()
                .flat_map(|p| shapes(stroke, color, p, paper));
            let series = self.chart.draw_series(drawn)?;
            if !line.label.is_empty() {
                series.label(&line.label).legend(move |(x, y)| {
                    let y = y - paper.units(paper.lift * FONT);
                    let points = match stroke {
                        Stroke::Markers => vec![(x + paper.units(14.), y)],
                        Stroke::Solid | Stroke::Dashed => vec![(x, y), (x + paper.units(28.), y)],
                    };
                    shapes(stroke, color, points, paper).remove(0)
                });
            }
        }
        Ok(())
    }

    fn frame(&mut self) -> Result<()> {
        let paper = self.paper;
        let pen = paper.pen(BLACK, FRAME_WIDTH);
        self.chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(pen)
            .set_all_tick_mark_size(paper.units(TICK))
            .label_style(paper.text(FONT))
            .y_label_offset(paper.units(paper.lift * FONT))
            .x_desc(&self.axes.xlabel)
            .draw()?;
        let inner = self.chart.plotting_area().strip_coord_spec();
        let (w, h) = inner.dim_in_pixel();
        let corners = [(0, 0), (w as i32, h as i32)];
        Ok(inner.draw(&Rectangle::new(corners, pen))?)
    }

    fn legend_size(&self) -> Result<(i32, i32)> {
        let labels = self.axes.lines.iter().map(|line| &line.label);
        let labels = labels.filter(|label| !label.is_empty());
        let (area, text) = (self.chart.plotting_area(), self.paper.text(FONT));
        let sizes = labels.map(|label| area.estimate_text_size(label, &text));
        let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
        let width = sizes.iter().map(|size| size.0 as i32).max().unwrap_or(0);
        // A row of plotters is 5/4 of its font.
        let rows = sizes.len() as f64 * 1.25 * self.paper.font * FONT;
        let around = self.paper.units(LEGEND_SAMPLE + 2. * LEGEND_MARGIN);
        Ok((width + around, self.paper.units(rows + LEGEND_MARGIN)))
    }

    /// In the corner where the legend hides the fewest points.
    fn legend(&mut self, visible: &[(f64, f64)]) -> Result<()> {
        let (paper, inner) = (self.paper, self.chart.plotting_area().strip_coord_spec());
        let (area, base) = (inner.dim_in_pixel(), inner.get_base_pixel());
        let (width, height) = self.legend_size()?;
        let hidden = |&(x, y): &(i32, i32)| {
            let points = visible.iter().map(|p| self.chart.backend_coord(p));
            let points = points.map(|(px, py)| (px - base.0 - x, py - base.1 - y));
            points
                .filter(|p| (0..width).contains(&p.0) && (0..height).contains(&p.1))
                .count()
        };
        let inset = paper.units(9.);
        let (right, lower) = (
            area.0 as i32 - width - inset,
            area.1 as i32 - height - inset,
        );
        let corners = [
            (right, inset),
            (inset, inset),
            (inset, lower),
            (right, lower),
        ];
        let (x, y) = corners.into_iter().min_by_key(hidden).unwrap_or(corners[0]);
        self.chart
            .configure_series_labels()
            .position(SeriesLabelPosition::Coordinate(x, y))
            .margin(paper.units(LEGEND_MARGIN))
            .legend_area_size(paper.units(LEGEND_SAMPLE))
            .label_font(paper.text(FONT))
            .background_style(WHITE.mix(0.8))
            .border_style(paper.pen(RGBColor(204, 204, 204), FRAME_WIDTH))
            .draw()?;
        Ok(())
    }
}

fn shapes<DB: DrawingBackend, C: Clone + 'static>(
    stroke: Stroke,
    color: RGBColor,
    points: Vec<C>,
    paper: Paper,
) -> Vec<DynElement<'static, DB, C>> {
    let pen = paper.pen(color, LINE_WIDTH);
    let disc = |point| Circle::new(point, paper.units(4.), color.filled()).into_dyn();
    let (dash, gap) = (paper.units(7.7), paper.units(3.3));
    match stroke {
        Stroke::Solid => vec![PathElement::new(points, pen).into_dyn()],
        Stroke::Dashed => vec![DashedPathElement::new(points, dash, gap, pen).into_dyn()],
        Stroke::Markers => points.into_iter().map(disc).collect(),
    }
}

/// The extent of `values` and matplotlib's margin of 5%; a constant gets room above and below.
fn limits(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high { (low, high) } else { (0., 0.) };
    let size = high.abs().max(low.abs());
    let room = match high - low > 1e-12 * size {
        true => high - low,
        false => size.max(1.),
    };
    (low - 0.05 * room, high + 0.05 * room)
}
