//! What one subplot shows: lines, and what is written beside them.

use plotters::style::RGBColor;

/// matplotlib's colour cycle, `C0` to `C9`.
const CYCLE: [RGBColor; 10] = [
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0xff, 0x7f, 0x0e),
    RGBColor(0x2c, 0xa0, 0x2c),
    RGBColor(0xd6, 0x27, 0x28),
    RGBColor(0x94, 0x67, 0xbd),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0xe3, 0x77, 0xc2),
    RGBColor(0x7f, 0x7f, 0x7f),
    RGBColor(0xbc, 0xbd, 0x22),
    RGBColor(0x17, 0xbe, 0xcf),
];

/// The radius of a marker, in points.
pub(super) const MARKER: f64 = 4.;

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stroke {
    Solid,
    Dashed,
    /// Discs of this radius, in points
    Markers(f64),
}

/// What [`plot`](super::Figure::plot) has drawn, to be changed: `.label("y")`, `.dashed()`.
#[derive(Clone, Debug)]
pub struct Line {
    pub(super) label: String,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) color: RGBColor,
    pub(super) stroke: Stroke,
}

impl Line {
    /// Its name in the [legend](super::Figure::legend): matplotlib's `label=text`.
    pub fn label(&mut self, text: &str) -> &mut Self {
        self.label = text.to_owned();
        self
    }

    /// Dashes: matplotlib's `linestyle="--"`.
    pub fn dashed(&mut self) -> &mut Self {
        self.stroke = Stroke::Dashed;
        self
    }

    /// A disc for each point and no line: matplotlib's `"o"`.
    pub fn markers(&mut self) -> &mut Self {
        self.stroke = Stroke::Markers(MARKER);
        self
    }
}

/// One pair of axes.
#[derive(Clone, Debug, Default)]
pub(super) struct Axes {
    pub(super) title: String,
    pub(super) xlabel: String,
    pub(super) integer_xticks: bool,
    pub(super) log_y: bool,
    pub(super) ylim: Option<(f64, f64)>,
    pub(super) legend: bool,
    pub(super) lines: Vec<Line>,
}

impl Axes {
    pub(super) fn add(&mut self, points: Vec<(f64, f64)>) -> &mut Line {
        let color = CYCLE[self.lines.len() % CYCLE.len()];
        self.lines.push(Line {
            label: String::new(),
            points,
            color,
            stroke: Stroke::Solid,
        });
        let last = self.lines.len() - 1;
        &mut self.lines[last]
    }

    /// Whether a point has a place on these axes.
    pub(super) fn shows(&self, (x, y): (f64, f64)) -> bool {
        let inside = self
            .ylim
            .is_none_or(|(low, high)| (low..=high).contains(&y));
        x.is_finite() && self.scaled(y).is_finite() && inside
    }

    /// The points that have a place.
    pub(super) fn visible(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        let points = self.lines.iter().flat_map(|l| &l.points).copied();
        points.filter(|p| self.shows(*p))
    }

    /// log₁₀ y on a logarithmic axis.
    pub(super) fn scaled(&self, y: f64) -> f64 {
        if self.log_y { y.log10() } else { y }
    }
}
