//! What the post leaves unsaid: where its descent is heading, and how fast it may go.
//!
//! With the rows (x³, x², x, 1) as X and w = (a, b, c, d) the loss is the quadratic ‖X w - y‖², so
//! its gradient is 2 (XᵀX w - Xᵀy). The eigenvalues λ of XᵀX tell everything about the descent:
//! along their eigenvectors an epoch multiplies the distance to the optimum by 1 - 2 η λ, η being
//! the learning rate.

use super::Data;
use super::pass::{self, Terms};
use candle_core::Result;
use pulp::Simd;

type Vector = [f64; 4];
type Matrix = [[f64; 4]; 4];

/// XᵀX, Xᵀy and yᵀy in `f64`: all that the loss and its gradient need to know of the data.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::{Data, least_squares::Moments, post};
///
/// let moments = Moments::new(&Data::new(1000, DType::F32, &Device::Cpu)?)?;
/// let (loss, _grad) = moments.loss_and_grad(post::WEIGHTS.map(f64::from));
/// assert_eq!(loss as f32, 7937.685);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    xtx: Matrix,
    xty: Vector,
    yty: f64,
}

impl Moments {
    /// The moments of `data`, in one pass.
    ///
    /// # Errors
    /// A device that cannot be read.
    pub fn new(data: &Data) -> Result<Self> {
        let [x1, x2, x3, x4, x5, x6, y, xy, x2y, x3y, yty] =
            pass::sums_on_any_device(PowerSums, data)?;
        let n = data.x.elem_count() as f64;
        Ok(Self {
            xtx: [
                [x6, x5, x4, x3],
                [x5, x4, x3, x2],
                [x4, x3, x2, x1],
                [x3, x2, x1, n],
            ],
            xty: [x3y, x2y, xy, y],
            yty,
        })
    }

    /// The loss ‖X w - y‖² = wᵀXᵀX w - 2 wᵀXᵀy + yᵀy and its gradient 2 (XᵀX w - Xᵀy).
    ///
    /// The three terms of the loss cancel as it nears 0: its error is some 1e-15 of the largest of
    /// them, whatever is left. For a sine that is 1e-13 of the least loss there is; but where a
    /// cubic meets all points (four of them, say) the loss is lost in that error.
    pub fn loss_and_grad(&self, w: [f64; 4]) -> (f64, [f64; 4]) {
        let (mut loss, mut grad) = (self.yty, Vector::default());
        for i in 0..4 {
            let half = dot(&self.xtx[i], &w) - self.xty[i];
            grad[i] = 2. * half;
            loss += w[i] * (half - self.xty[i]);
        }
        // Not f64::max, which would hide a loss that is not a number.
        (if loss < 0. { 0. } else { loss }, grad)
    }
}

/// x to x⁶, y to x³ y, and y².
#[derive(Clone, Copy)]
struct PowerSums;

impl Terms<11> for PowerSums {
    #[inline(always)]
    fn add<S: Simd>(self, v: S, sums: [S::f64s; 11], x: S::f64s, y: S::f64s) -> [S::f64s; 11] {
        let [x1_sum, x2_sum, x3_sum, x4, x5, x6, y_sum, xy, x2y, x3y, yy] = sums;
        let x2 = v.mul_f64s(x, x);
        let x3 = v.mul_f64s(x2, x);
        [
            v.add_f64s(x, x1_sum),
            v.add_f64s(x2, x2_sum),
            v.add_f64s(x3, x3_sum),
            v.mul_add_e_f64s(x2, x2, x4),
            v.mul_add_e_f64s(x2, x3, x5),
            v.mul_add_e_f64s(x3, x3, x6),
            v.add_f64s(y, y_sum),
            v.mul_add_e_f64s(x, y, xy),
            v.mul_add_e_f64s(x2, y, x2y),
            v.mul_add_e_f64s(x3, y, x3y),
            v.mul_add_e_f64s(y, y, yy),
        ]
    }
}

/// (a x³ + b x² + c x + d - y)²
#[derive(Clone, Copy)]
struct Residual(Vector);

impl Terms<1> for Residual {
    #[inline(always)]
    fn add<S: Simd>(self, v: S, [sum]: [S::f64s; 1], x: S::f64s, y: S::f64s) -> [S::f64s; 1] {
        let [a, b, c, d] = self.0;
        let y_pred = v.mul_add_e_f64s(v.splat_f64s(a), x, v.splat_f64s(b));
        let y_pred = v.mul_add_e_f64s(y_pred, x, v.splat_f64s(c));
        let error = v.mul_add_e_f64s(y_pred, x, v.sub_f64s(v.splat_f64s(d), y));
        [v.mul_add_e_f64s(error, error, sum)]
    }
}

/// The normal equations XᵀX w = Xᵀy of the fit, in `f64`, and their solution.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::{Data, least_squares::LeastSquares};
///
/// let fit = LeastSquares::new(&Data::new(1000, DType::F64, &Device::Cpu)?)?;
/// assert!((fit.optimum_loss - 4.427).abs() < 1e-3);
/// assert!((fit.stability_limit() - 7.09e-6).abs() < 1e-8);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LeastSquares {
    /// The a, b, c, d of least loss; of all such the shortest, where fewer than four points leave
    /// a choice.
    pub optimum: [f64; 4],
    /// The loss there.
    pub optimum_loss: f64,
    /// Σ y²: the loss of drawing y = 0.
    pub baseline_loss: f64,
    /// The eigenvalues of XᵀX: 0 where rounding leaves no more, as with fewer than four points.
    pub eigenvalues: [f64; 4],
    eigenvectors: Matrix,
}

impl LeastSquares {
    /// The fit of a cubic to `data`.
    ///
    /// # Errors
    /// A device that cannot be read.
    pub fn new(data: &Data) -> Result<Self> {
        let Moments { xtx, xty, yty } = Moments::new(data)?;
        let (eigenvalues, eigenvectors) = eigen(xtx);
        let eigenvalues = without_rounding(eigenvalues);
        let optimum = pseudo_solve(&eigenvalues, &eigenvectors, &xty);
        // Point by point: the moments would not tell a loss of 1e-20 from 0.
        let [optimum_loss] = pass::sums_on_any_device(Residual(optimum), data)?;
        Ok(Self {
            optimum,
            optimum_loss,
            baseline_loss: yty,
            eigenvalues,
            eigenvectors,
        })
    }

    /// The learning rate above which descent diverges: 2 / λmax(2 XᵀX) = 1 / λmax(XᵀX), where
    /// 1 - 2 η λmax = -1.
    pub fn stability_limit(&self) -> f64 {
        1. / self.eigenvalues.iter().copied().fold(0., f64::max)
    }

    /// Where the descent from w₀ ends: at the optimum, and where fewer than four points leave a choice
    /// at the nearest one, for along an eigenvalue of 0 nothing moves.
    pub fn end(&self, w0: [f64; 4]) -> [f64; 4] {
        let mut end = self.optimum;
        let still = self.eigenvalues.iter().zip(&self.eigenvectors);
        for (_, v) in still.filter(|(lambda, _)| **lambda == 0.) {
            let along = dot(v, &w0);
            for i in 0..4 {
                end[i] += along * v[i];
            }
        }
        end
    }

    /// How far the loss at w₀ is above the optimum after `epochs` exact updates:
    /// Σ λ (vᵀ(w₀ - w*))² (1 - 2 η λ)^(2 epochs).
    pub fn excess_loss(&self, w0: [f64; 4], learning_rate: f64, epochs: u32) -> f64 {
        let away: Vector = std::array::from_fn(|i| w0[i] - self.optimum[i]);
        let along = |(lambda, v): (&f64, &Vector)| {
            let factor = 1. - 2. * learning_rate * lambda;
            lambda * dot(v, &away).powi(2) * factor.abs().powf(2. * f64::from(epochs))
        };
        self.eigenvalues
            .iter()
            .zip(&self.eigenvectors)
            .map(along)
            .sum()
    }

    /// The fewest epochs from w₀ until the loss is within `tolerance` of the optimum's, or `None`
    /// where that takes more than 2³¹, as it does at a rate above the stability limit.
    pub fn epochs_to(&self, w0: [f64; 4], learning_rate: f64, tolerance: f64) -> Option<u32> {
        let reached = |epochs| self.excess_loss(w0, learning_rate, epochs) <= tolerance;
        let mut above = (0..32).map(|k| 1 << k).find(|&epochs| reached(epochs))?;
        let mut below = 0;
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            match reached(middle) {
                true => above = middle,
                false => below = middle,
            }
        }
        Some(above)
    }
}

fn dot(u: &Vector, v: &Vector) -> f64 {
    u.iter().zip(v).map(|(a, b)| a * b).sum()
}

/// Those that are not larger than what rounding may leave of 0 become 0.
fn without_rounding(eigenvalues: Vector) -> Vector {
    let largest = eigenvalues.iter().copied().fold(0., f64::max);
    eigenvalues.map(|lambda| if lambda > 1e-13 * largest { lambda } else { 0. })
}

/// w = Σ v (vᵀ Xᵀy) / λ over the eigenvalues that are not zero.
fn pseudo_solve(eigenvalues: &Vector, eigenvectors: &Matrix, xty: &Vector) -> Vector {
    let mut w = Vector::default();
    for (lambda, v) in eigenvalues.iter().zip(eigenvectors) {
        if *lambda > 0. {
            let along = dot(v, xty) / lambda;
            for i in 0..4 {
                w[i] += along * v[i];
            }
        }
    }
    w
}

/// Eigenvalues and eigenvectors (one a row) of a symmetric matrix, by Jacobi's rotations (Golub
/// and Van Loan, Matrix Computations, 8.5).
fn eigen(mut m: Matrix) -> (Vector, Matrix) {
    let mut vectors: Matrix = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(i == j)));
    // Convergence is quadratic: six sweeps reach rounding for four rows, twelve leave no doubt.
    for _sweep in 0..12 {
        for p in 0..3 {
            for q in p + 1..4 {
                rotate(&mut m, &mut vectors, p, q);
            }
        }
    }
    (std::array::from_fn(|i| m[i][i]), vectors)
}

/// The rotation in the plane (p, q) that makes m[p][q] zero.
fn rotate(m: &mut Matrix, vectors: &mut Matrix, p: usize, q: usize) {
    if m[p][q] == 0. {
        return;
    }
    let tau = (m[q][q] - m[p][p]) / (2. * m[p][q]);
    let t = tau.signum() / (tau.abs() + tau.hypot(1.));
    let c = 1. / t.hypot(1.);
    let s = t * c;
    for row in m.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    for rows in [m, vectors] {
        let (row_p, row_q) = (rows[p], rows[q]);
        rows[p] = std::array::from_fn(|k| c * row_p[k] - s * row_q[k]);
        rows[q] = std::array::from_fn(|k| s * row_p[k] + c * row_q[k]);
    }
}
