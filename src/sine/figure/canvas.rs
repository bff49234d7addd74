//! A plotters backend that draws on pixels with tiny-skia: lines and letters without steps, which
//! plotters' own bitmap backend draws with them.

use super::encode::encode;
use super::font;
use ab_glyph::{Font, FontRef, OutlineCurve, Point};
use anyhow::{Context, Result};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use std::convert::Infallible;
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, PixmapMut, Rect, Stroke, Transform,
};

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// The bytes of a PNG, `scale` pixels a drawing unit, of what `draw` draws on a white ground.
pub(super) fn png(
    size: (u32, u32),
    scale: f32,
    draw: impl FnOnce(Canvas) -> Result<()>,
) -> Result<Vec<u8>> {
    let mut shapes = vec![];
    draw(Canvas {
        size,
        scale,
        shapes: &mut shapes,
        font: FontRef::try_from_slice(font::BYTES)?,
    })?;
    let pixels = |units: u32| (units as f32 * scale).round() as u32;
    let (width, height) = (pixels(size.0), pixels(size.1));
    encode(width, height, |top, rows| paint(&shapes, top, width, rows))
}

/// Something filled with one colour. What is drawn as a line is its outline here.
struct Shape {
    /// In pixels.
    path: Path,
    color: BackendColor,
}

impl Shape {
    /// Whether some of it lies between two rows of pixels.
    fn is_between(&self, top: f32, bottom: f32) -> bool {
        let bounds = self.path.bounds();
        bounds.top() < bottom && bounds.bottom() > top
    }
}

/// Paints the pixels of some rows, the first being `top`: four bytes each, red, green, blue and alpha.
///
/// All of a picture at once would be 5 MB, which cost more to be given by the system than to paint.
fn paint(shapes: &[Shape], top: u32, width: u32, rows: &mut [u8]) -> Result<()> {
    rows.fill(255);
    let height = rows.len() as u32 / (4 * width);
    let (first, end) = (top as f32, (top + height) as f32);
    let up = Transform::from_translate(0., -first);
    let mut pixels = PixmapMut::from_bytes(rows, width, height).context("rows without pixels")?;
    for shape in shapes.iter().filter(|shape| shape.is_between(first, end)) {
        let (r, g, b) = shape.color.rgb;
        let mut paint = Paint::default();
        paint.set_color_rgba8(r, g, b, (shape.color.alpha * 255.).round() as u8);
        pixels.fill_path(&shape.path, &paint, FillRule::Winding, up, None);
    }
    Ok(())
}

/// Collects what is drawn.
pub(super) struct Canvas<'a> {
    size: (u32, u32),
    /// Pixels a drawing unit.
    scale: f32,
    shapes: &'a mut Vec<Shape>,
    font: FontRef<'static>,
}

impl Canvas<'_> {
    fn fill(&mut self, path: Option<Path>, color: BackendColor) {
        let to_pixels = Transform::from_scale(self.scale, self.scale);
        let path = path.and_then(|path| path.transform(to_pixels));
        self.shapes.extend(path.map(|path| Shape { path, color }));
    }

    fn stroke(&mut self, path: Option<Path>, color: BackendColor, width: u32) {
        let stroke = Stroke {
            width: width as f32,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        let outline = path.and_then(|path| path.stroke(&stroke, self.scale));
        self.fill(outline, color);
    }

    /// The outline of `text` from (0, 0) along the baseline, in units, and its width.
    fn outline(&self, text: &str, size: f32) -> (Option<Path>, f32) {
        let scale = size / self.font.units_per_em().unwrap_or(2048.);
        let mut path = PathBuilder::new();
        let (mut width, mut previous) = (0., None);
        for glyph in text.chars().map(|c| self.font.glyph_id(c)) {
            width += previous.map_or(0., |p| self.font.kern_unscaled(p, glyph) * scale);
            let place = |p: Point| (width + p.x * scale, -p.y * scale);
            for curve in self.font.outline(glyph).map_or(vec![], |o| o.curves) {
                add_curve(&mut path, curve, place);
            }
            width += self.font.h_advance_unscaled(glyph) * scale;
            previous = Some(glyph);
        }
        (path.finish(), width)
    }
}

/// A glyph's outline is a list of curves; one that does not start where the last ended starts a
/// contour.
fn add_curve(path: &mut PathBuilder, curve: OutlineCurve, place: impl Fn(Point) -> (f32, f32)) {
    let start = match &curve {
        OutlineCurve::Line(a, _) | OutlineCurve::Quad(a, ..) | OutlineCurve::Cubic(a, ..) => *a,
    };
    let (x, y) = place(start);
    if path.last_point() != Some(tiny_skia::Point { x, y }) {
        path.move_to(x, y);
    }
    match curve {
        OutlineCurve::Line(_, to) => {
            let (x, y) = place(to);
            path.line_to(x, y);
        }
        OutlineCurve::Quad(_, by, to) => {
            let ((x1, y1), (x, y)) = (place(by), place(to));
            path.quad_to(x1, y1, x, y);
        }
        OutlineCurve::Cubic(_, by, then, to) => {
            let ((x1, y1), (x2, y2), (x, y)) = (place(by), place(then), place(to));
            path.cubic_to(x1, y1, x2, y2, x, y);
        }
    }
}

fn polyline(points: impl IntoIterator<Item = BackendCoord>) -> PathBuilder {
    let mut path = PathBuilder::new();
    for (x, y) in points {
        match path.is_empty() {
            true => path.move_to(x as f32, y as f32),
            false => path.line_to(x as f32, y as f32),
        }
    }
    path
}

fn rectangle((x0, y0): BackendCoord, (x1, y1): BackendCoord) -> Option<Path> {
    let rect = Rect::from_ltrb(x0 as f32, y0 as f32, x1 as f32, y1 as f32)?;
    Some(PathBuilder::from_rect(rect))
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.fill(rectangle((x, y), (x + 1, y + 1)), color);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S) -> Drawn {
        self.draw_path([a, b], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let path = rectangle(upper_left, bottom_right);
        match fill {
            true => self.fill(path, style.color()),
            false => self.stroke(path, style.color(), style.stroke_width()),
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.stroke(polyline(path).finish(), style.color(), style.stroke_width());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let path = PathBuilder::from_circle(x as f32, y as f32, radius as f32);
        match fill {
            true => self.fill(path, style.color()),
            false => self.stroke(path, style.color(), style.stroke_width()),
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        let mut path = polyline(corners);
        path.close();
        self.fill(path.finish(), style.color());
        Ok(())
    }

    /// Horizontal text; anchored by its capitals' height, as the SVG backend does.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let size = style.size() as f32 / 1.24;
        let (path, width) = self.outline(text, size);
        let left = match style.anchor().h_pos {
            HPos::Left => 0.,
            HPos::Center => -width / 2.,
            HPos::Right => -width,
        };
        // In ems, from the anchor down to the baseline.
        let down = match style.anchor().v_pos {
            VPos::Top => 0.76,
            VPos::Center => 0.365,
            VPos::Bottom => -0.27,
        };
        let offset = Transform::from_translate(at.0 as f32 + left, at.1 as f32 + down * size);
        self.fill(path.and_then(|p| p.transform(offset)), style.color());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Shape, paint, polyline};
    use anyhow::{Context, Result};
    use plotters_backend::BackendColor;
    use tiny_skia::Stroke;

    /// tiny-skia samples a pixel on four lines, and an edge that ends at a band's may miss one.
    #[test]
    fn bands_make_the_picture_that_is_painted_at_once() -> Result<()> {
        let (width, height, band) = (120, 96, 4 * 120 * 48);
        let wave = (0..=40).map(|i| (3 * i, 48 + (40. * f64::from(i).sin()) as i32));
        let stroke = Stroke {
            width: 4.,
            ..Stroke::default()
        };
        let line = polyline(wave)
            .finish()
            .and_then(|path| path.stroke(&stroke, 1.));
        let (rgb, alpha) = ((0, 0, 0), 1.);
        let color = BackendColor { rgb, alpha };
        let shapes = [Shape {
            path: line.context("a line")?,
            color,
        }];

        let mut whole = vec![0; 4 * width * height];
        paint(&shapes, 0, width as u32, &mut whole)?;
        let mut parts = vec![0; whole.len()];
        for (top, rows) in [0, 48].into_iter().zip(parts.chunks_mut(band)) {
            paint(&shapes, top, width as u32, rows)?;
        }
        assert!(whole.iter().filter(|byte| **byte == 0).count() > 3000);
        let apart: Vec<_> = whole
            .iter()
            .zip(&parts)
            .map(|(a, b)| a.abs_diff(*b))
            .collect();
        assert!(apart.iter().all(|apart| *apart <= 64));
        let differ = apart.iter().filter(|apart| **apart > 0).count();
        assert!(differ < 3 * 4 * 50, "{differ}");
        Ok(())
    }
}
