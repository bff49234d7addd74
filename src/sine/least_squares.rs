//! What the post leaves unsaid: where its descent is heading, and how fast it may go.
//!
//! With the rows (x³, x², x, 1) as X and w = (a, b, c, d) the loss is the quadratic ‖X w - y‖², so
//! its gradient is 2 (XᵀX w - Xᵀy). The eigenvalues λ of XᵀX tell everything about the descent:
//! along their eigenvectors an epoch multiplies the distance to the optimum by 1 - 2 η λ, η being
//! the learning rate.

use super::Data;
use candle_core::{DType, Result};

type Vector = [f64; 4];
type Matrix = [[f64; 4]; 4];

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
    /// The eigenvalues of XᵀX.
    pub eigenvalues: [f64; 4],
    eigenvectors: Matrix,
}

impl LeastSquares {
    /// The fit of a cubic to `data`.
    ///
    /// # Errors
    /// A device that cannot be read.
    pub fn new(data: &Data) -> Result<Self> {
        let x: Vec<f64> = data.x.to_dtype(DType::F64)?.to_vec1()?;
        let y: Vec<f64> = data.y.to_dtype(DType::F64)?.to_vec1()?;
        let (mut xtx, mut xty) = (Matrix::default(), Vector::default());
        for (&x, &y) in x.iter().zip(&y) {
            let row = features(x);
            for i in 0..4 {
                for j in 0..4 {
                    xtx[i][j] += row[i] * row[j];
                }
                xty[i] += row[i] * y;
            }
        }
        let (eigenvalues, eigenvectors) = eigen(xtx);
        let optimum = pseudo_solve(&eigenvalues, &eigenvectors, &xty);
        let residual = |(&x, &y): (&f64, &f64)| (dot(&features(x), &optimum) - y).powi(2);
        Ok(Self {
            optimum,
            optimum_loss: x.iter().zip(&y).map(residual).sum(),
            baseline_loss: y.iter().map(|y| y * y).sum(),
            eigenvalues,
            eigenvectors,
        })
    }

    /// The learning rate above which descent diverges: 2 / λmax(2 XᵀX), where 1 - 2 η λmax = -1.
    pub fn stability_limit(&self) -> f64 {
        1. / self.eigenvalues.iter().copied().fold(0., f64::max)
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

fn features(x: f64) -> Vector {
    [x * x * x, x * x, x, 1.]
}

fn dot(u: &Vector, v: &Vector) -> f64 {
    u.iter().zip(v).map(|(a, b)| a * b).sum()
}

/// w = Σ v (vᵀ Xᵀy) / λ over the eigenvalues that are not zero to rounding.
fn pseudo_solve(eigenvalues: &Vector, eigenvectors: &Matrix, xty: &Vector) -> Vector {
    let largest = eigenvalues.iter().copied().fold(0., f64::max);
    let mut w = Vector::default();
    for (lambda, v) in eigenvalues.iter().zip(eigenvectors) {
        if *lambda > 1e-13 * largest {
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
