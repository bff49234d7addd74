//! What the random projections of one input and of all inputs share.

use crate::gradcheck::autograd::graph::{Failure, Graph, Products};
use crate::gradcheck::numeric::function::Oracle;
use crate::gradcheck::numeric::grid::Grid;
use crate::gradcheck::support::rng::SplitMix64;

/// One round's output signs and the gradients they give.
pub(crate) struct Round {
    pub(crate) v: Vec<f64>,
    pub(crate) products: Products,
}

/// The rounds, one backward pass each.
pub(crate) fn rounds(
    graph: &Graph,
    count: usize,
    seed: u64,
) -> std::result::Result<Vec<Round>, Failure> {
    graph.each(count, |r| {
        let v = SplitMix64::new(seed, 2 * r as u64 + 1).uneven_signs(graph.y.elem_count());
        let products = graph.vjp(&v)?;
        Ok(Round { v, products })
    })
}

/// The largest finite element of any round's gradient of one input.
pub(crate) fn largest(rounds: &[Round], slot: usize) -> f64 {
    let all = rounds
        .iter()
        .flat_map(|round| round.products[slot].iter().flatten());
    all.filter(|g| g.is_finite())
        .fold(0f64, |m, g| m.max(g.abs()))
}

/// vᵀf's own rounding, from that of every output: independent errors add in quadrature.
pub(crate) fn projected_noise(oracle: &Oracle, noise: &[f64], v: &[f64], p0: f64) -> f64 {
    let weighted = noise.iter().zip(v).map(|(e, v)| (e * v).powi(2));
    weighted.sum::<f64>().sqrt().max(oracle.unit * p0.abs())
}

/// A bound that the first steps reach where f is smooth on them.
pub(crate) fn enough(noise: f64, grid: &Grid) -> f64 {
    let scale = grid.scales.first().copied().unwrap_or(1.);
    8. * noise * 2f64.powi(grid.first()) / scale
}
