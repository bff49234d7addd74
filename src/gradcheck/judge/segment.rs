//! The gradient theorem along a segment, and by how much its two sides may differ.
//!
//! For every f that is continuous and differentiable almost everywhere, kinks and all,
//!
//! ```text
//! f(x + u) - f(x - u) = ∫ ∇f(x + s u) · u ds,   s from -1 to 1
//! ```
//!
//! [`Evidence::new`] takes f and autograd's ∇f·u at equally spaced nodes of the segment, and gives how far the two
//! sides are apart and by how much rounding and quadrature may separate them. Each piece between two nodes
//! is integrated by the cubic through four nodes (error of the order of the spacing to the fourth),
//! with the displacement really taken. The error has two terms, both measured on the segment itself from
//! fourth differences δ⁴, in which whatever is smooth vanishes and whatever scatters stays:
//!
//! ```text
//! quadrature  q² = Σ (δ⁴a)² / 56,   a the directional derivative at each node, times the spacing;
//!                                   the first and the last δ⁴a counted twice
//! values      σ² = mean of (δ⁴R)² / 70, and of (δ³R)² / 20 at the two ends;
//!                                   R the running difference of the two sides
//! error       e² = q² + 2σ² + (2u|f|)²
//! ```
//!
//! For values that scatter by σ, mean (δ⁴)² = 70σ² (70 = 8!/4!²; Hamming 1962): two of them, at the
//! ends, enter the difference. For a directional derivative that scatters by itself the sum over m
//! pieces has variance mσ² = m mean(δ⁴a)²/70, and m of 16 with 13 differences makes the 56; a jump at
//! a random place of its piece (a kink of f) has a fourth of that. A jump in the first or last piece
//! is seen by one difference alone, which therefore counts twice. A jump of f there (a step of a
//! piecewise constant f) shows in R: the third difference, whose variance is 20σ², sees it better than the fourth.
//! Where few jumps are on the way, both ends may lie just beyond one, and the two sides are apart by a whole
//! jump. So a difference no larger than the largest change of R from node to node, less the median one, contradicts
//! nothing.

use super::constants::ROUGH;
use super::constants::{CLEAR, RESOLVED};

/// A tensor's part in a segment: autograd's ∇f·d at each node, d the displacement from the node before
/// and to the node after; 0 beyond the ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share {
    pub(crate) before: Vec<f64>,
    pub(crate) after: Vec<f64>,
    /// Σ|∇f·d| over the elements, for the whole segment.
    pub(crate) size: f64,
    /// √Σ(∇f·d)² over the elements, for the whole segment: what an error as large as the gradient makes where
    /// it has nothing to do with the signs of the moves.
    pub(crate) across: f64,
    /// Whether any element that moved had a gradient other than zero, at any node.
    pub(crate) alive: bool,
}

impl Share {
    /// The directional derivative at each node, times the spacing.
    fn slopes(&self) -> Vec<f64> {
        let last = self.before.len() - 1;
        let at = |k: usize| match k {
            0 => self.after[0],
            k if k == last => self.before[k],
            k => (self.before[k] + self.after[k]) / 2.,
        };
        (0..=last).map(at).collect()
    }

    /// The integral over each piece.
    fn pieces(&self) -> Vec<f64> {
        let a = self.slopes();
        let pieces = a.len() - 1;
        let piece = |k: usize| {
            let bend = match k {
                0 => -3. * a[0] + 7. * a[1] - 5. * a[2] + a[3],
                k if k + 1 == pieces => -3. * a[k + 1] + 7. * a[k] - 5. * a[k - 1] + a[k - 2],
                k => a[k] + a[k + 1] - a[k - 1] - a[k + 2],
            };
            (self.after[k] + self.before[k + 1]) / 2. + bend / 24.
        };
        (0..pieces).map(piece).collect()
    }
}

/// What a segment shows.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// f(x+u) - f(x-u)
    pub(crate) difference: f64,
    /// By how much that differs from the integral of autograd's gradient.
    pub(crate) apart: f64,
    /// e, the standard error of `apart`.
    pub(crate) error: f64,
    /// q, the quadrature's part of it.
    pub(crate) quadrature: f64,
    /// How far one value of f scatters: σ, or `rounding` where that is larger.
    pub(crate) noise: f64,
    /// u|f|
    pub(crate) rounding: f64,
    /// The largest change of R from one node to the next, less the median one: a jump of f.
    pub(crate) jump: f64,
    /// Each tensor's part of the integral.
    pub(crate) shares: Vec<f64>,
    /// For each tensor, what an error as large as its gradient makes, in a random direction.
    pub(crate) across: Vec<f64>,
    /// ∫ Σ|∇f·u|
    pub(crate) size: f64,
    /// The largest f on the segment less the smallest.
    pub(crate) range: f64,
    /// Whether any element that moved had a gradient other than zero.
    pub(crate) alive: bool,
}

impl Evidence {
    /// From f at the nodes, and each tensor's share; `unit` is the round-off of f's dtype. None where
    /// a number is not finite.
    pub(crate) fn new(values: &[f64], shares: &[Share], unit: f64) -> Option<Self> {
        let pieces: Vec<Vec<f64>> = shares.iter().map(Share::pieces).collect();
        let apart = running(values, &pieces);
        let noise = noise(&apart);
        let quadrature = quadrature(shares, values.len());
        let largest = values.iter().fold(0f64, |m, f| m.max(f.abs()));
        let least = values.iter().fold(f64::INFINITY, |m, f| m.min(*f));
        let most = values.iter().fold(f64::NEG_INFINITY, |m, f| m.max(*f));
        let rounding = unit * largest;
        let evidence = Self {
            difference: values[values.len() - 1] - values[0],
            apart: apart[apart.len() - 1],
            error: (quadrature + 2. * noise.powi(2) + (2. * rounding).powi(2)).sqrt(),
            quadrature: quadrature.sqrt(),
            noise: noise.max(rounding),
            rounding,
            jump: jump(&apart),
            shares: pieces.iter().map(|p| p.iter().sum()).collect(),
            across: shares.iter().map(|s| s.across).collect(),
            size: shares.iter().map(|s| s.size).sum(),
            range: most - least,
            alive: shares.iter().any(|s| s.alive),
        };
        let numbers = [evidence.apart, evidence.error, evidence.size];
        numbers.iter().all(|n| n.is_finite()).then_some(evidence)
    }

    /// Whether the two sides differ by more than the segment's own error, or one jump of f, and `rtol` of what the
    /// gradient claims.
    pub(crate) fn contradicts(&self, kappa: f64, rtol: f64) -> bool {
        self.apart.abs() > self.visible(kappa) + rtol * self.claim()
    }

    /// The most that chance, or one jump of f, sets the two sides apart by.
    pub(crate) fn visible(&self, kappa: f64) -> f64 {
        (kappa * self.error).max(self.jump)
    }

    /// By how much f moves according to the gradients: each tensor's part is the larger of its integral and `across`,
    /// and parts are taken as independent.
    pub(crate) fn claim(&self) -> f64 {
        let parts = self.shares.iter().zip(&self.across);
        let squares = parts.map(|(share, across)| squared(share.abs().max(*across)));
        squares.sum::<f64>().sqrt()
    }

    /// Whether f stands still on the segment, or more than a quarter of what it moves by is one jump.
    pub(crate) fn is_quantised(&self) -> bool {
        self.range == 0. || 4. * self.jump > self.range
    }

    /// Whether the segment itself shows that jumps of f may be what sets the two sides apart: one jump is more than a
    /// quarter of what f moves by or of that distance, or f scatters by far more than rounding, and the two sides do
    /// not stand out of the noise.
    pub(crate) fn jumps(&self) -> bool {
        let apart = self.apart.abs();
        let rough = self.noise > ROUGH * self.rounding && apart < CLEAR * self.noise;
        self.is_quantised() || 4. * self.jump > apart || rough
    }

    /// The chance that an error of a quarter ([`RESOLVED`]) of tensor t's gradient stays hidden, in a random
    /// direction and whatever the others' errors are. The error sets the two sides apart by ±a δ more: δ is its size,
    /// and the sign and a, between 2/3 and 4/3, are random and independent of the others'. The density of ±a δ is at
    /// most 1/δ, so the sum falls within the 2v that cannot be seen with a chance of at most 2v/δ.
    pub(crate) fn chance(&self, t: usize, kappa: f64) -> f64 {
        let hidden = 2. * (self.apart.abs() + self.visible(kappa));
        match RESOLVED * self.across[t] {
            error if error > 0. => (hidden / error).min(1.),
            _ => 1.,
        }
    }

    /// The share of tensor t's gradient that would have shown, had it been wrong by it as a whole.
    pub(crate) fn resolution(&self, t: usize, kappa: f64) -> f64 {
        let visible = self.apart.abs() + self.visible(kappa);
        match self.shares[t].abs() {
            share if share > 0. => visible / share,
            _ => f64::INFINITY,
        }
    }

    /// Whether most of the error is f's own noise and rounding, beyond which a longer segment moves f.
    pub(crate) fn is_noise_dominated(&self) -> bool {
        self.quadrature.powi(2) < 0.5 * self.error.powi(2)
    }

    /// Whether f moves beyond its own noise.
    pub(crate) fn moves(&self, kappa: f64) -> bool {
        self.range > 2. * kappa * self.noise
    }
}

/// R: by how much f has changed more than the integral, from the first node to each.
fn running(values: &[f64], pieces: &[Vec<f64>]) -> Vec<f64> {
    let mut apart = vec![0.; values.len()];
    for k in 0..values.len() - 1 {
        let integral: f64 = pieces.iter().map(|p| p[k]).sum();
        apart[k + 1] = apart[k] + (values[k + 1] - values[k] - integral);
    }
    apart
}

/// σ, from the fourth differences of R, and from the third ones at its ends.
fn noise(apart: &[f64]) -> f64 {
    let nodes = apart.len();
    let inside = fourth_differences(apart).map(|d| squared(d) / 70.);
    let third = |k: usize| apart[k] - 3. * apart[k + 1] + 3. * apart[k + 2] - apart[k + 3];
    let ends = [0, nodes - 4].map(third);
    let all = inside.chain(ends.map(|d| squared(d) / 20.));
    (all.sum::<f64>() / (nodes - 2) as f64).sqrt()
}

/// q², from the fourth differences of the directional derivative; the first and the last counted twice.
fn quadrature(shares: &[Share], nodes: usize) -> f64 {
    let mut slopes = vec![0.; nodes];
    for share in shares {
        let all = slopes.iter_mut().zip(share.slopes());
        all.for_each(|(a, b)| *a += b);
    }
    let fourth: Vec<f64> = fourth_differences(&slopes).map(squared).collect();
    let ends = fourth[0] + fourth[fourth.len() - 1];
    (fourth.iter().sum::<f64>() + ends) / 56.
}

/// The largest change of R from one node to the next, from the median one.
fn jump(apart: &[f64]) -> f64 {
    let mut changes: Vec<f64> = apart.windows(2).map(|w| w[1] - w[0]).collect();
    changes.sort_by(f64::total_cmp);
    let usual = changes[changes.len() / 2];
    (usual - changes[0]).max(changes[changes.len() - 1] - usual)
}

fn fourth_differences(values: &[f64]) -> impl Iterator<Item = f64> {
    let windows = values.windows(5);
    windows.map(|w| w[0] - 4. * w[1] + 6. * w[2] - 4. * w[3] + w[4])
}

fn squared(value: f64) -> f64 {
    value * value
}

#[cfg(test)]
mod tests {
    use super::{Evidence, Share};

    /// f and its slope at 17 nodes from -1 to 1.
    fn evidence(f: impl Fn(f64) -> f64, slope: impl Fn(f64) -> f64) -> Evidence {
        let nodes: Vec<f64> = (0..17).map(|k| f64::from(k) / 8. - 1.).collect();
        let d: Vec<f64> = nodes.iter().map(|s| slope(*s) / 8.).collect();
        let share = Share {
            before: d.clone(),
            after: d.clone(),
            size: d.iter().map(|d| d.abs()).sum(),
            across: d.iter().map(|d| d.abs()).sum(),
            alive: true,
        };
        let values: Vec<f64> = nodes.iter().map(|s| f(*s)).collect();
        Evidence::new(&values, &[share], f64::EPSILON / 2.).unwrap()
    }

    #[test]
    fn a_cubic_is_exact_and_a_factor_shows() {
        let right = evidence(|s| s.powi(3) + s, |s| 3. * s * s + 1.);
        assert!(
            right.apart.abs() < 1e-14 && right.error < 1e-13,
            "{right:?}"
        );
        let off = evidence(|s| s.powi(3) + s, |s| 1.001 * (3. * s * s + 1.));
        assert!(off.contradicts(4., 0.), "{off:?}");
        assert!(
            (off.apart + 0.004).abs() < 1e-6 && off.error < 1e-4,
            "{off:?}"
        );
    }

    #[test]
    fn a_kink_anywhere_stays_within_the_error() {
        for k in 0..1000 {
            let at = f64::from(k) * 0.0019 - 0.95;
            let kink = evidence(|s| (s - at).max(0.) + s, |s| if s > at { 2. } else { 1. });
            assert!(!kink.contradicts(4., 0.), "{at}: {kink:?}");
            let doubled = evidence(|s| (s - at).max(0.) + s, |s| if s > at { 4. } else { 2. });
            assert!(doubled.contradicts(4., 0.), "{at}: {doubled:?}");
        }
    }

    #[test]
    fn a_piecewise_constant_f_averages_out() {
        let quantised = evidence(|s| (s * 40.).round() / 40., |_| 1.);
        assert!(!quantised.contradicts(4., 0.), "{quantised:?}");
        let halved = evidence(|s| (s * 40.).round() / 40., |_| 0.5);
        assert!(halved.contradicts(4., 0.), "{halved:?}");
    }
}
