//! candle's functions under [`gradcheck`](crate::gradcheck): which gradients are right.

pub mod case;
pub mod catalog;
pub mod known;
pub mod run;
pub mod variants;
