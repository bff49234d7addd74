//! One pair of axes as a chart of plotters, with matplotlib's measures.

use super::axes::{Axes, Stroke};
use super::{FAMILY, Place, UNITS, ticks};
use anyhow::Result;
use plotters::chart::{ChartContext, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::{DashedPathElement, DynElement, IntoDynElement};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A point of the picture in the units of the drawing.
const POINT: i32 = UNITS as i32;
const FRAME_WIDTH: u32 = UNITS;
const LINE_WIDTH: u32 = 2 * UNITS;
const TICK: i32 = 5 * POINT;
const FONT: i32 = 139;
const TITLE_FONT: i32 = 167;
/// A row of the legend, what is around its rows, and the room for a sample before its texts.
const LEGEND_ROW: i32 = 215;
const LEGEND_MARGIN: i32 = 8 * POINT;
const LEGEND_SAMPLE: i32 = 38 * POINT;

type Svg<'a> = SVGBackend<'a>;
type Chart<'a> = ChartContext<'a, Svg<'a>, Cartesian2d<Axis, Axis>>;

/// Its ends, and where it has ticks with labels.
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

/// Draws `axes` at their `place`, with room for what `all` of them show.
pub(super) fn draw<'a>(
    area: &DrawingArea<Svg<'a>, Shift>,
    axes: &Axes,
    all: &[&Axes],
    place: Place,
) -> Result<()> {
    let cell = &area.split_evenly((place.rows, place.columns))[place.index - 1];
    let (width, height) = cell.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    let (top, bottom) = match place.rows {
        1 => (height * 58 / 480, height * 53 / 480),
        _ => (height / 5, height * 3 / 16),
    };
    let (left, right) = match place.columns {
        1 => (width / 8, width / 10),
        _ => (width * 7 / 40, width / 20),
    };
    let inner = (width - left - right, height - top - bottom);
    let labels = bottom.min(42 * POINT);
    let visible: Vec<_> = all.iter().flat_map(|axes| axes.visible()).collect();
    let (x, mut y) = both_axes(axes, &visible, inner);
    let minor = y.ticks.extract_if(.., |(_, label)| label.is_empty());
    let minor: Vec<_> = minor.map(|(y, _)| y).collect();
    let low = x.ends.0;
    let mut chart: Chart = ChartBuilder::on(cell)
        .margin_top(top)
        .margin_right(right)
        .margin_bottom(bottom - labels)
        .x_label_area_size(labels)
        .y_label_area_size(left)
        .build_cartesian_2d(x, y)?;
    draw_lines(&mut chart, axes)?;
    draw_frame(&mut chart, axes)?;
    let title = text(TITLE_FONT).pos(Pos::new(HPos::Center, VPos::Bottom));
    let place = (left + inner.0 / 2, top - 4 * POINT);
    cell.draw_text(&axes.title, &title, place)?;
    for y in minor {
        let (x, y) = chart.backend_coord(&(low, y));
        let tick = [(x - TICK / 2, y), (x, y)];
        area.draw(&PathElement::new(tick, pen(BLACK, FRAME_WIDTH)))?;
    }
    match axes.legend {
        true => draw_legend(&mut chart, axes, &visible),
        false => Ok(()),
    }
}

/// Their ends and ticks; no ticks where no point is `visible`.
fn both_axes(axes: &Axes, visible: &[(f64, f64)], inner: (i32, i32)) -> (Axis, Axis) {
    let x = limits(visible.iter().map(|p| p.0));
    let y = match axes.ylim {
        Some((low, high)) => (axes.scaled(low), axes.scaled(high)),
        None => limits(visible.iter().map(|p| p.1)),
    };
    // matplotlib's room for labels: three font sizes along x, two along y.
    let bins = |length: i32, sizes: i32| (length / (sizes * FONT)).clamp(1, 9) as usize;
    let xs = || ticks::linear(x.0, x.1, bins(inner.0, 3), axes.integer_xticks);
    let ys = || match axes.log_y {
        // log₁₀ of what an f64 can be.
        true => ticks::log(y.0.max(-307.), y.1.min(308.)),
        false => ticks::linear(y.0, y.1, bins(inner.1, 2), false),
    };
    let (xs, ys) = match visible.is_empty() {
        true => (vec![], vec![]),
        false => (xs(), ys()),
    };
    (Axis { ends: x, ticks: xs }, Axis { ends: y, ticks: ys })
}

fn draw_lines(chart: &mut Chart, axes: &Axes) -> Result<()> {
    for line in &axes.lines {
        let pieces = axes.pieces(line);
        let stroke = match pieces.iter().all(|piece| piece.len() == 1) {
            // A line of single points would be invisible.
            true => Stroke::Markers,
            false => line.stroke,
        };
        let color = line.color;
        let drawn = pieces.into_iter().flat_map(|p| elements(stroke, color, p));
        let series = chart.draw_series(drawn)?;
        if !line.label.is_empty() {
            series.label(&line.label).legend(move |(x, y)| {
                let points = match stroke {
                    Stroke::Markers => vec![(x + 14 * POINT, y)],
                    Stroke::Solid | Stroke::Dashed => vec![(x, y), (x + 28 * POINT, y)],
                };
                elements(stroke, color, points).remove(0)
            });
        }
    }
    Ok(())
}

fn elements<'a, C: Clone + 'static>(
    stroke: Stroke,
    color: RGBColor,
    points: Vec<C>,
) -> Vec<DynElement<'static, Svg<'a>, C>> {
    let style = pen(color, LINE_WIDTH);
    match stroke {
        Stroke::Solid => vec![PathElement::new(points, style).into_dyn()],
        Stroke::Dashed => vec![DashedPathElement::new(points, 77, 33, style).into_dyn()],
        Stroke::Markers => {
            let disc = |point| Circle::new(point, 4 * POINT, color.filled()).into_dyn();
            points.into_iter().map(disc).collect()
        }
    }
}

fn draw_frame(chart: &mut Chart, axes: &Axes) -> Result<()> {
    chart
        .configure_mesh()
        .disable_mesh()
        .axis_style(pen(BLACK, FRAME_WIDTH))
        .set_all_tick_mark_size(TICK)
        .label_style(text(FONT))
        .x_desc(&axes.xlabel)
        .draw()?;
    let inner = chart.plotting_area().strip_coord_spec();
    let (width, height) = inner.dim_in_pixel();
    let corners = [(0, 0), (width as i32, height as i32)];
    inner.draw(&Rectangle::new(corners, pen(BLACK, FRAME_WIDTH)))?;
    Ok(())
}

/// In the corner where the legend hides the fewest points.
fn draw_legend(chart: &mut Chart, axes: &Axes, visible: &[(f64, f64)]) -> Result<()> {
    let inner = chart.plotting_area().strip_coord_spec();
    let labels = axes.lines.iter().map(|line| &line.label);
    let labels: Vec<_> = labels.filter(|label| !label.is_empty()).collect();
    let mut width = 0;
    for label in &labels {
        width = width.max(inner.estimate_text_size(label, &text(FONT))?.0 as i32);
    }
    width += LEGEND_SAMPLE + 2 * LEGEND_MARGIN;
    let height = labels.len() as i32 * LEGEND_ROW + LEGEND_MARGIN;
    let (area, base) = (inner.dim_in_pixel(), inner.get_base_pixel());
    let inset = 9 * POINT;
    let right = area.0 as i32 - width - inset;
    let lower = area.1 as i32 - height - inset;
    let hidden = |&(x, y): &(i32, i32)| {
        let inside = |p: &&(f64, f64)| {
            let (px, py) = chart.backend_coord(p);
            let (px, py) = (px - base.0, py - base.1);
            (x..x + width).contains(&px) && (y..y + height).contains(&py)
        };
        visible.iter().filter(inside).count()
    };
    let corners = [
        (right, inset),
        (inset, inset),
        (inset, lower),
        (right, lower),
    ];
    let (x, y) = corners.into_iter().min_by_key(hidden).unwrap_or(corners[0]);
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::Coordinate(x, y))
        .margin(LEGEND_MARGIN)
        .legend_area_size(LEGEND_SAMPLE)
        .label_font(text(FONT))
        .background_style(WHITE.mix(0.8))
        .border_style(pen(RGBColor(204, 204, 204), FRAME_WIDTH))
        .draw()?;
    Ok(())
}

/// The extent of `values` and matplotlib's margin of 5%; a constant gets room above and below.
fn limits(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high { (low, high) } else { (0., 0.) };
    let (extent, size) = (high - low, high.abs().max(low.abs()));
    let room = match extent.is_finite() && extent > 1e-12 * size {
        true => extent,
        false if size == 0. => 1.,
        false => size,
    };
    (low - 0.05 * room, high + 0.05 * room)
}

fn pen(color: RGBColor, width: u32) -> ShapeStyle {
    color.stroke_width(width)
}

fn text(size: i32) -> TextStyle<'static> {
    // plotters divides a font's size by 1.24 before it uses it.
    TextStyle::from((FAMILY, 1.24 * f64::from(size)).into_font())
}
