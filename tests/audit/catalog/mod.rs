//! The catalogue: samples of every function of candle, one file a family.

mod attention;
mod conv;
mod custom;
mod elementwise;
mod exempt;
mod in_place;
mod index;
mod layers;
mod matmul;
mod nn_ops;
mod pool;
mod reduce;
mod sequence;
mod shape;

pub use exempt::EXEMPT;

use crate::case::Case;
use std::sync::LazyLock;

/// Every sample of every function.
pub static ALL: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let families = [
        elementwise::cases,
        reduce::cases,
        shape::cases,
        index::cases,
        matmul::cases,
        conv::cases,
        pool::cases,
        nn_ops::cases,
        layers::cases,
        sequence::cases,
        attention::cases,
        in_place::cases,
        custom::cases,
    ];
    families
        .into_iter()
        .flat_map(|family: fn() -> Vec<Case>| family())
        .collect()
});
