//! candle's functions under [`gradcheck`](crate::gradcheck): which gradients are right.
//!
//! The [`catalog`] lists the functions with their cases, [`run`] checks them, the record of
//! [`known`] defects says what is expected, [`report`] compares, and [`card`] writes it down.

pub mod card;
pub mod case;
pub mod catalog;
pub mod known;
pub mod report;
pub mod run;
mod variants;
pub mod verdict;

pub use report::{Audit, Selection, audit};
