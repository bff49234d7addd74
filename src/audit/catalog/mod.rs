//! The table of functions, one file a family.

mod binary;
mod conv;
mod custom;
mod exempt;
mod index;
mod matmul;
mod nn_layers;
mod nn_ops;
mod nn_sequence;
mod pool;
mod reduce;
mod shape;
mod unary;

pub use custom::steps;
pub use exempt::EXEMPT;
pub use matmul::q8_weight;
pub use nn_ops::stable_bce;

use super::case::Case;

/// Every case of every function.
pub fn all() -> Vec<Case> {
    let families: [fn() -> Vec<Case>; 12] = [
        unary::cases,
        binary::cases,
        reduce::cases,
        shape::cases,
        index::cases,
        matmul::cases,
        conv::cases,
        pool::cases,
        nn_ops::cases,
        nn_layers::cases,
        nn_sequence::cases,
        custom::cases,
    ];
    families.into_iter().flat_map(|family| family()).collect()
}
