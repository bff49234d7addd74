//! The table of functions, one file a family.

/// A row of a table: path and call of a method of `Tensor`, both made of one name, and what follows.
macro_rules! method {
    (|$x:ident $(, $p:tt)*| $f:ident($($arg:expr),*) $(, $more:expr)*) => {
        (
            concat!("candle_core::Tensor::", stringify!($f)),
            |$x $(, $p)*| $x.$f($($arg),*)
            $(, $more)*
        )
    };
    (|$x:ident| ($on:expr).$f:ident() $(, $more:expr)*) => {
        (concat!("candle_core::Tensor::", stringify!($f)), |$x| $on.$f() $(, $more)*)
    };
    ($f:ident $(, $more:expr)*) => {
        (concat!("candle_core::Tensor::", stringify!($f)), Tensor::$f $(, $more)*)
    };
}

/// The same of a function of candle-nn.
macro_rules! function {
    (|$($p:ident),*| $module:ident::$f:ident($($arg:expr),*) $(, $more:expr)*) => {
        (
            concat!("candle_nn::", stringify!($module), "::", stringify!($f)),
            |$($p),*| candle_nn::$module::$f($($arg),*)
            $(, $more)*
        )
    };
    ($module:ident::$f:ident $(, $more:expr)*) => {
        (
            concat!("candle_nn::", stringify!($module), "::", stringify!($f)),
            candle_nn::$module::$f
            $(, $more)*
        )
    };
}

mod attention;
mod binary;
mod conv;
mod custom;
mod exempt;
mod in_place;
mod index;
mod matmul;
mod nn_layers;
mod nn_ops;
mod nn_sequence;
mod pool;
mod reduce;
mod shape;
mod unary;

pub use attention::biased_attention;
pub use custom::steps;
pub use exempt::EXEMPT;
pub use matmul::q8_weight;
pub use nn_ops::stable_bce;

use super::case::Case;

/// Every case of every function.
pub fn all() -> Vec<Case> {
    let families: [fn() -> Vec<Case>; 14] = [
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
        attention::cases,
        in_place::cases,
        custom::cases,
    ];
    families.into_iter().flat_map(|family| family()).collect()
}
