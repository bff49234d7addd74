//! Which steps to take: the scales on which f may vary, and the first step on each.

/// Functions like to repeat themselves on whole numbers and on their halves, quarters and eighths
/// (sin(2πkx), x - floor(x), positions encoded by waves), and a difference over a period is 0,
/// whatever the slope. So no step is such a number: each is this times a power of two. It has few
/// digits, so that adding a step to x is as exact as adding a power of two.
const ODD: f64 = 1049. / 1024.;

/// Along a single element the step really taken is known, so it may be no fraction at all: halvings of any
/// fraction are whole multiples of some period, 2^-20 say.
pub(crate) const UNEVEN: f64 = 1.000_314_159_265_358_9;

/// In place of [`ODD`] where the derivative is taken a second time, from other steps.
pub(crate) const ODDER: f64 = 749. / 1024.;

/// Where to take steps: the scales on which f may vary, and the precision of its values.
pub(crate) struct Grid<'a> {
    /// |x|, which f may round.
    pub(crate) x: f64,
    pub(crate) scales: &'a [f64],
    pub(crate) unit: f64,
    /// The first step is 2^-start of the scale.
    pub(crate) start: i32,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(x: f64, scales: &'a [f64], unit: f64) -> Self {
        let mut grid = Self {
            x,
            scales,
            unit,
            start: 0,
        };
        grid.start = grid.first();
        grid
    }

    /// The bits of a significand over 7.5: the step that balances u/h against a few orders of
    /// truncation. 2^-7 of the scale in f64, 2^-3 in f32.
    pub(crate) fn first(&self) -> i32 {
        (-self.unit.log2() / 7.5) as i32
    }

    /// The step 2^-k of a scale, or nearly: see [`ODD`].
    pub(crate) fn step(scale: f64, k: i32) -> f64 {
        scale * ODD * 2f64.powi(-k)
    }

    /// The next scale where it is far above this one and other lines have been smooth on it:
    /// rounding is smaller there.
    pub(crate) fn sharper(&self, scale: usize) -> Option<f64> {
        let next = *self.scales.get(scale + 1)?;
        (self.start < self.first() && 64. * self.scales[scale] <= next).then_some(next)
    }
}

/// The scales worth trying, in order, each a power of two: that of x and its tensor, that of x
/// alone, the tensor's largest, and 1. `typical` is the root mean square of the tensor. An x far
/// below it goes first by its own scale: 1/x near its pole looks smooth from afar.
pub(crate) fn scales(x: f64, typical: f64, largest: f64) -> Vec<f64> {
    let mut scales: Vec<f64> = Vec::with_capacity(4);
    let both = x.abs().max(typical);
    let (first, second) = if x.abs() < both / 64. {
        (x.abs(), both)
    } else {
        (both, x.abs())
    };
    for size in [first, second, largest, 1.] {
        let scale = power_of_two(size);
        if size > 0. && !scales.contains(&scale) {
            scales.push(scale);
        }
    }
    scales
}

/// The power of two at or below `size`, kept where steps can still be taken above and below it.
pub(crate) fn power_of_two(size: f64) -> f64 {
    2f64.powi(size.log2().floor().clamp(-960., 960.) as i32)
}
