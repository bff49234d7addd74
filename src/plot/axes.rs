//! What one subplot shows: lines, and what is written beside them.

use plotters::style::RGBColor;

/// matplotlib's colour cycle, `C0` to `C9`.
const CYCLE: [u32; 10] = [
    0x1f77b4, 0xff7f0e, 0x2ca02c, 0xd62728, 0x9467bd, 0x8c564b, 0xe377c2, 0x7f7f7f, 0xbcbd22,
    0x17becf,
];

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stroke {
    Solid,
    Dashed,
    Markers,
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
        self.stroke = Stroke::Markers;
        self
    }
}

/// One pair of axes.
#[derive(Clone, Debug, Default)]
pub(super) struct Axes {
    pub(super) title: String,
    pub(super) xlabel: String,
    pub(super) log_y: bool,
    pub(super) ylim: Option<(f64, f64)>,
    pub(super) legend: bool,
    pub(super) lines: Vec<Line>,
}

impl Axes {
    pub(super) fn add(&mut self, points: Vec<(f64, f64)>) -> &mut Line {
        let [_, red, green, blue] = CYCLE[self.lines.len() % CYCLE.len()].to_be_bytes();
        self.lines.push(Line {
            label: String::new(),
            points,
            color: RGBColor(red, green, blue),
            stroke: Stroke::Solid,
        });
        let last = self.lines.len() - 1;
        &mut self.lines[last]
    }

    /// log₁₀ y on a logarithmic axis.
    pub(super) fn scaled(&self, y: f64) -> f64 {
        if self.log_y { y.log10() } else { y }
    }

    /// The points of `line` on these axes, in pieces: one that has no place interrupts it.
    pub(super) fn pieces(&self, line: &Line) -> Vec<Vec<(f64, f64)>> {
        let inside = |y| self.ylim.is_none_or(|(low, high)| low <= y && y <= high);
        let shows = |&(x, y): &(f64, f64)| x.is_finite() && self.scaled(y).is_finite() && inside(y);
        let pieces = line.points.split(|p| !shows(p)).filter(|p| !p.is_empty());
        let scaled = |piece: &[(f64, f64)]| piece.iter().map(|p| (p.0, self.scaled(p.1))).collect();
        pieces.map(scaled).collect()
    }

    /// All points that have a place.
    pub(super) fn visible(&self) -> Vec<(f64, f64)> {
        let pieces = self.lines.iter().flat_map(|line| self.pieces(line));
        pieces.flatten().collect()
    }
}
