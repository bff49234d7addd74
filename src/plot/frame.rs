//! One pair of axes, with matplotlib's measures: all lengths in points of the picture.

use super::axes::{Axes, Line, MARKER, Stroke};
use super::{Place, SIZE, UNITS, font, ticks};
use anyhow::Result;
use plotters::coord::Shift;
use plotters::element::{Circle, DashedPathElement, PathElement, Rectangle};
use plotters::prelude::{BLACK, Color, DrawingArea, DrawingBackend, IntoFont, RGBColor, WHITE};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{ShapeStyle, TextStyle};

const LINE_WIDTH: f64 = 2.;
const FRAME_WIDTH: f64 = 1.;
const TICK: f64 = 5.;
const PAD: f64 = 4.;
const FONT: f64 = 13.9;
const TITLE_FONT: f64 = 16.7;
/// Of the data's extent, left free on each side.
const MARGIN: f64 = 0.05;

/// Where a subplot lies and which values its edges stand for.
pub(super) struct Frame<'a> {
    axes: &'a Axes,
    /// Those that there must be room for.
    all: Vec<&'a Axes>,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: (f64, f64),
    /// Of log₁₀ y where the axis is logarithmic.
    y: (f64, f64),
    /// Whether any point is drawn.
    show: bool,
}

impl<'a> Frame<'a> {
    /// `axes` at their `place` in the grid, with room for what `all` of them show.
    pub(super) fn new(axes: &'a Axes, all: Vec<&'a Axes>, place: Place) -> Self {
        let (row, column) = (
            (place.index - 1) / place.columns,
            (place.index - 1) % place.columns,
        );
        // Of the height: a row's title and tick labels need 0.6 of it where there are three.
        let around = if place.rows == 1 {
            (0.12, 0.11)
        } else {
            (0.07, 0.07)
        };
        let (top, bottom) = share(SIZE.1, around, 0.6, row, place.rows);
        let (left, right) = share(SIZE.0, (0.125, 0.1), 0.25, column, place.columns);
        let visible = || all.iter().flat_map(|axes| axes.visible());
        let x = limits(visible().map(|p| p.0));
        let y = match axes.ylim {
            Some((low, high)) => (axes.scaled(low), axes.scaled(high)),
            None => limits(visible().map(|p| axes.scaled(p.1))),
        };
        Self {
            axes,
            left,
            right,
            top,
            bottom,
            x,
            y,
            show: visible().next().is_some(),
            all,
        }
    }

    pub(super) fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        for (i, line) in self.axes.lines.iter().enumerate() {
            self.draw_line(area, line, i == 0)?;
        }
        self.draw_ticks(area)?;
        let frame = outline((self.left, self.top), (self.right, self.bottom));
        area.draw(&PathElement::new(frame, pen(&BLACK, FRAME_WIDTH)))?;
        let middle = (self.left + self.right) / 2.;
        let title = text(TITLE_FONT, HPos::Center, VPos::Bottom);
        area.draw_text(&self.axes.title, &title, units((middle, self.top - PAD)))?;
        let below = self.bottom + TICK + PAD + FONT + PAD;
        let label = text(FONT, HPos::Center, VPos::Top);
        area.draw_text(&self.axes.xlabel, &label, units((middle, below)))?;
        match self.axes.legend {
            true => self.draw_legend(area),
            false => Ok(()),
        }
    }

    /// A point that has no place interrupts a line.
    fn draw_line<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        line: &Line,
        first: bool,
    ) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        for piece in line.points.split(|p| !self.axes.shows(*p)) {
            let piece: Vec<_> = piece.iter().map(|p| units(self.place(*p))).collect();
            let stroke = visible_stroke(line.stroke, piece.len(), first);
            draw_stroke(area, line.color, stroke, piece)?;
        }
        Ok(())
    }

    fn draw_ticks<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        if !self.show {
            return Ok(());
        }
        // matplotlib's room for labels: three font sizes along x, two along y.
        let bins = |length: f64, sizes: f64| ((length / (sizes * FONT)) as usize).clamp(1, 9);
        let across = text(FONT, HPos::Center, VPos::Top);
        let locate = match self.axes.integer_xticks {
            true => ticks::whole,
            false => ticks::linear,
        };
        for (x, label) in locate(self.x.0, self.x.1, bins(self.right - self.left, 3.)) {
            let at = self.place_x(x);
            self.tick(area, (at, self.bottom), (0., TICK))?;
            area.draw_text(&label, &across, units((at, self.bottom + TICK + PAD)))?;
        }
        let upward = text(FONT, HPos::Right, VPos::Center);
        for (y, label) in self.y_ticks(bins(self.bottom - self.top, 2.)) {
            let at = self.place_y(y);
            let length = if label.is_empty() { TICK / 2. } else { TICK };
            self.tick(area, (self.left, at), (-length, 0.))?;
            area.draw_text(&label, &upward, units((self.left - TICK - PAD, at)))?;
        }
        Ok(())
    }

    fn y_ticks(&self, bins: usize) -> Vec<(f64, String)> {
        let (low, high) = self.y;
        match self.axes.log_y {
            // The margin may lie beyond what an f64 can be.
            true => ticks::log(
                10f64.powf(low).max(f64::MIN_POSITIVE),
                10f64.powf(high).min(f64::MAX),
            ),
            false => ticks::linear(low, high, bins),
        }
    }

    fn tick<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        from: (f64, f64),
        by: (f64, f64),
    ) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        // On whole points, as the frame is, so that every tick is equally sharp.
        let from = (from.0.round(), from.1.round());
        let ends = vec![units(from), units((from.0 + by.0, from.1 + by.1))];
        area.draw(&PathElement::new(ends, pen(&BLACK, FRAME_WIDTH)))?;
        Ok(())
    }

    fn draw_legend<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let style = text(FONT, HPos::Left, VPos::Center);
        let named = || self.axes.lines.iter().filter(|l| !l.label.is_empty());
        let mut text_width = 0f64;
        for line in named() {
            let (width, _) = area.estimate_text_size(&line.label, &style)?;
            text_width = text_width.max(f64::from(width) / f64::from(UNITS));
        }
        let row = 1.5 * FONT;
        let (width, height) = (text_width + 54., row * named().count() as f64 + 8.);
        let (left, top) = self.emptiest_corner(width, height);
        let (ends, gray) = ((left + width, top + height), RGBColor(204, 204, 204));
        let inside = [units((left, top)), units(ends)];
        area.draw(&Rectangle::new(inside, WHITE.mix(0.8).filled()))?;
        let frame = outline((left, top), ends);
        area.draw(&PathElement::new(frame, pen(&gray, FRAME_WIDTH)))?;
        for (i, line) in named().enumerate() {
            let y = top + 4. + row * (i as f64 + 0.5);
            let points = line.points.iter().filter(|p| self.axes.shows(**p));
            let stroke = visible_stroke(line.stroke, points.take(2).count(), i == 0);
            let xs: &[f64] = match stroke {
                Stroke::Markers(_) => &[22.],
                Stroke::Solid | Stroke::Dashed => &[8., 36.],
            };
            let sample = xs.iter().map(|x| units((left + x, y))).collect();
            draw_stroke(area, line.color, stroke, sample)?;
            area.draw_text(&line.label, &style, units((left + 46., y)))?;
        }
        Ok(())
    }

    /// The upper left end of a legend, in the corner where it hides the fewest points.
    fn emptiest_corner(&self, width: f64, height: f64) -> (f64, f64) {
        let inset = 9.;
        let (right, lower) = (self.right - inset - width, self.bottom - inset - height);
        let (left, upper) = (self.left + inset, self.top + inset);
        let hidden = |&(x, y): &(f64, f64)| {
            let inside = |p: &(f64, f64)| {
                let (px, py) = self.place(*p);
                (x..x + width).contains(&px) && (y..y + height).contains(&py)
            };
            let visible = self.all.iter().flat_map(|axes| axes.visible());
            visible.filter(inside).count()
        };
        let corners = [(right, upper), (left, upper), (left, lower), (right, lower)];
        corners
            .into_iter()
            .min_by_key(hidden)
            .unwrap_or((right, upper))
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.place_x(x), self.place_y(y))
    }

    fn place_x(&self, x: f64) -> f64 {
        self.left + (x - self.x.0) / (self.x.1 - self.x.0) * (self.right - self.left)
    }

    fn place_y(&self, y: f64) -> f64 {
        let y = self.axes.scaled(y);
        self.bottom - (y - self.y.0) / (self.y.1 - self.y.0) * (self.bottom - self.top)
    }
}

/// A line of one point is a disc: larger than markers where it is the `first`, so that it can be seen
/// around those upon it, smaller where it is not.
fn visible_stroke(stroke: Stroke, points: usize, first: bool) -> Stroke {
    match stroke {
        Stroke::Solid | Stroke::Dashed if points == 1 => {
            Stroke::Markers(if first { 1.5 } else { 0.5 } * MARKER)
        }
        other => other,
    }
}

fn draw_stroke<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    color: RGBColor,
    stroke: Stroke,
    points: Vec<(i32, i32)>,
) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let style = pen(&color, LINE_WIDTH);
    let length = |points: f64| (points * f64::from(UNITS)) as u32;
    match stroke {
        Stroke::Solid => area.draw(&PathElement::new(points, style))?,
        Stroke::Dashed => {
            let (dash, space) = (length(7.7), length(3.3));
            area.draw(&DashedPathElement::new(points, dash, space, style))?;
        }
        Stroke::Markers(radius) => {
            for point in points {
                area.draw(&Circle::new(point, length(radius), color.filled()))?;
            }
        }
    }
    Ok(())
}

/// The ends of part `i` of `n` of a `length`, rounded to points: `around` is left free before and after
/// all of them, and `gap` times a part between two.
fn share(length: u32, around: (f64, f64), gap: f64, i: usize, n: usize) -> (f64, f64) {
    let (length, i, n) = (f64::from(length), i as f64, n as f64);
    let each = (1. - around.0 - around.1) * length / (n + (n - 1.) * gap);
    let start = around.0 * length + i * each * (1. + gap);
    (start.round(), (start + each).round())
}

/// The extent of `values` and a margin; a constant gets room above and below.
fn limits(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let extent = high - low;
    if extent.is_finite() && extent > 1e-12 * high.abs().max(low.abs()) {
        return (low - MARGIN * extent, high + MARGIN * extent);
    }
    let room = MARGIN
        * if low.is_finite() && low != 0. {
            low.abs()
        } else {
            1.
        };
    let middle = if low.is_finite() { low } else { 0. };
    (middle - room, middle + room)
}

/// A rectangle's outline from the middle of its upper side, so that all four corners are joined.
/// (plotters' SVG gives the width of its own rectangles' outlines no attribute.)
fn outline((left, top): (f64, f64), (right, bottom): (f64, f64)) -> Vec<(i32, i32)> {
    let middle = ((left + right) / 2., top);
    let corners = [(right, top), (right, bottom), (left, bottom), (left, top)];
    let around = [middle].into_iter().chain(corners).chain([middle]);
    around.map(units).collect()
}

fn units((x, y): (f64, f64)) -> (i32, i32) {
    let unit = |v: f64| (v * f64::from(UNITS)).round() as i32;
    (unit(x), unit(y))
}

fn pen(color: &RGBColor, width: f64) -> ShapeStyle {
    color.stroke_width((width * f64::from(UNITS)) as u32)
}

fn text(size: f64, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    // plotters divides a font's size by 1.24 before it uses it.
    let font = (font::FAMILY, 1.24 * size * f64::from(UNITS)).into_font();
    TextStyle::from(font)
        .color(&BLACK)
        .pos(Pos::new(horizontal, vertical))
}
