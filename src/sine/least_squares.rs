//! What the post leaves unsaid: where its descent is heading, and how fast it may go.
//!
//! With the rows (x³, x², x, 1) as X and w = (a, b, c, d) the loss is the quadratic ‖X w - y‖², so
//! its gradient is 2 (XᵀX w - Xᵀy). The eigenvalues λ of XᵀX tell everything about the descent:
//! along their eigenvectors an epoch multiplies the distance to the optimum by 1 - 2 η λ, η being
//! the learning rate.

use super::{Data, Weights};
use candle_core::{Result, Tensor};

type Matrix = [[f64; 4]; 4];

/// XᵀX, Xᵀy and yᵀy in `f64`: all that the loss and its gradient need to know of the data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    xtx: Matrix,
    xty: Weights,
    yty: f64,
}

/// Points that are in `f64` at once.
const PART: usize = 1 << 16;

impl Moments {
    /// The moments of `data`, which is read once. In f64, since the loss below is a small difference of
    /// large numbers.
    pub fn new(data: &Data) -> Result<Self> {
        let mut total = [[0.; 5]; 5];
        for part in data.parts(PART)? {
            let Data { x, y } = part.wide()?;
            // X and y in one matrix of shape (points, 5).
            let columns = [x.powf(3.)?, x.powf(2.)?, x.clone(), x.ones_like()?, y];
            let columns = Tensor::stack(&columns, 1)?;
            let products = columns.t()?.matmul(&columns)?.to_vec2::<f64>()?;
            for (total, product) in total.as_flattened_mut().iter_mut().zip(products.concat()) {
                *total += product;
            }
        }
        Ok(Self {
            xtx: std::array::from_fn(|i| std::array::from_fn(|j| total[i][j])),
            xty: std::array::from_fn(|i| total[i][4]),
            yty: total[4][4],
        })
    }

    /// The loss ‖X w - y‖² = wᵀXᵀX w - 2 wᵀXᵀy + yᵀy and its gradient 2 (XᵀX w - Xᵀy).
    ///
    /// The three terms of the loss cancel as it nears 0: its error is some 1e-15 of the largest of
    /// them, whatever is left. For a sine that is 1e-13 of the least loss there is; but where a
    /// cubic meets all points (four of them, say) the loss is lost in that error.
    pub fn loss_and_grad(&self, w: Weights) -> (f64, Weights) {
        let (mut loss, mut grad) = (self.yty, Weights::default());
        for i in 0..4 {
            let half = dot(&self.xtx[i], &w) - self.xty[i];
            grad[i] = 2. * half;
            loss += w[i] * (half - self.xty[i]);
        }
        // Not f64::max, which would hide a loss that is not a number.
        (if loss < 0. { 0. } else { loss }, grad)
    }
}

/// The normal equations XᵀX w = Xᵀy of the fit, in `f64`, and their solution.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_sine::sine::{Data, LeastSquares};
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
    pub optimum: Weights,
    /// The loss there.
    pub optimum_loss: f64,
    /// Σ y²: the loss of drawing y = 0.
    pub baseline_loss: f64,
    /// The eigenvalues of XᵀX: 0 where rounding leaves no more, as with fewer than four points.
    pub eigenvalues: [f64; 4],
    /// Their eigenvectors, one a row.
    pub eigenvectors: [Weights; 4],
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
        let mut optimum_loss = 0.;
        for part in data.parts(PART)? {
            let part = part.wide()?;
            let error = (part.y_pred(optimum)? - &part.y)?;
            optimum_loss += error.sqr()?.sum_all()?.to_scalar::<f64>()?;
        }
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

    /// How far the loss at w₀ is above the optimum after `epochs` exact updates:
    /// Σ λ (vᵀ(w₀ - w*))² (1 - 2 η λ)^(2 epochs).
    pub fn excess_loss(&self, w0: Weights, learning_rate: f64, epochs: u32) -> f64 {
        let away: Weights = std::array::from_fn(|i| w0[i] - self.optimum[i]);
        let along = |(lambda, v): (&f64, &Weights)| {
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
    pub fn epochs_to(&self, w0: Weights, learning_rate: f64, tolerance: f64) -> Option<u32> {
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

fn dot(u: &Weights, v: &Weights) -> f64 {
    u.iter().zip(v).map(|(a, b)| a * b).sum()
}

/// Those that are not larger than what rounding may leave of 0 become 0.
fn without_rounding(eigenvalues: Weights) -> Weights {
    let largest = eigenvalues.iter().copied().fold(0., f64::max);
    eigenvalues.map(|lambda| if lambda > 1e-13 * largest { lambda } else { 0. })
}

/// w = Σ v (vᵀ Xᵀy) / λ over the eigenvalues that are not zero.
fn pseudo_solve(eigenvalues: &Weights, eigenvectors: &Matrix, xty: &Weights) -> Weights {
    let mut w = Weights::default();
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
fn eigen(mut m: Matrix) -> (Weights, Matrix) {
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

/// The rotation in the plane (p, q) that makes `m[p][q]` zero.
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
