//! The picture of a comparison: several descents that ought to be one, and AdamW's.

use super::super::train::figures::thinned;
use super::Comparison;
use anyhow::Result;
use candle_sine::plot::Figure;

/// Markers of a rung.
const MARKERS: usize = 8;

/// The first rung is a line; the others are markers, each at epochs of its own, so that all can be seen
/// to lie on it. AdamW, which takes another way, is a line again.
pub fn losses(comparison: &Comparison) -> Result<Figure> {
    let mut plt = Figure::new();
    plt.title("loss: sum of squared errors");
    plt.xlabel("epoch");
    plt.integer_xticks();
    plt.semilogy();
    let rungs = comparison.gradients();
    for (k, rung) in rungs.iter().enumerate() {
        let (label, losses) = rung.curve();
        let (epochs, losses) = match k {
            0 => thinned(1, losses),
            _ => marked(losses, k, rungs.len()),
        };
        let line = plt.plot(&epochs, &losses)?.label(label);
        if k > 0 {
            line.markers();
        }
    }
    if let Some((label, losses)) = comparison.adamw().map(|rung| rung.curve()) {
        let (epochs, losses) = thinned(1, losses);
        plt.plot(&epochs, &losses)?.label(label);
    }
    plt.legend();
    Ok(plt)
}

/// [`MARKERS`] epochs and their losses, which begin later the larger `k` of `n` is.
fn marked(losses: &[f64], k: usize, n: usize) -> (Vec<f64>, Vec<f64>) {
    let apart = (losses.len() / MARKERS).max(1);
    let first = (k - 1) * apart / n;
    let chosen = (first..losses.len()).step_by(apart);
    chosen.map(|i| ((i + 1) as f64, losses[i])).unzip()
}
