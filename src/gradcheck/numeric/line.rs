//! f on a line through x, and the derivatives of its outputs there.

/// One evaluation on a line through x.
#[derive(Clone)]
pub(crate) struct Point {
    /// The offset really taken; x + t is rounded.
    pub(crate) t: f64,
    /// Every output there.
    pub(crate) y: Vec<f64>,
}

/// The derivative of every output along one line.
#[derive(Clone, Default)]
pub(crate) struct Column {
    pub(crate) value: Vec<f64>,
    pub(crate) bound: Vec<f64>,
    pub(crate) evaluations: usize,
    /// Where f(x+h) + f(x-h) - 2f(x) halves with h, as at a kink: it quarters where f is smooth.
    pub(crate) kinked: Vec<bool>,
    /// The largest change of f beside x, over the step: what a derivative of 0 is measured by.
    pub(crate) slope: Vec<f64>,
    /// |f''|, from the smallest steps at which f bends beyond its noise.
    pub(crate) curvature: Vec<f64>,
}

impl Column {
    /// Nothing known yet.
    pub(crate) fn unknown(outputs: usize) -> Self {
        Self {
            value: vec![f64::NAN; outputs],
            bound: vec![f64::INFINITY; outputs],
            evaluations: 0,
            kinked: vec![false; outputs],
            slope: vec![0.; outputs],
            curvature: vec![0.; outputs],
        }
    }

    /// Takes over what another tableau knows better. Where the two contradict each other the first is
    /// kept: its steps were nearer to the scale of x, and steps far beyond the scale on which f
    /// varies see a flat function and say so with confidence.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.evaluations += other.evaluations;
        for (kinked, other) in self.kinked.iter_mut().zip(&other.kinked) {
            *kinked |= other;
        }
        for (slope, other) in self.slope.iter_mut().zip(&other.slope) {
            *slope = slope.max(*other);
        }
        for (curvature, other) in self.curvature.iter_mut().zip(&other.curvature) {
            *curvature = curvature.max(*other);
        }
        for i in 0..self.value.len() {
            let apart = (self.value[i] - other.value[i]).abs();
            let first = self.bound[i] == f64::INFINITY;
            let consistent = apart <= self.bound[i] + other.bound[i];
            if other.bound[i] < self.bound[i] && (first || consistent) {
                self.value[i] = other.value[i];
                self.bound[i] = other.bound[i];
            }
        }
    }
}
