//! candle's functions under [`gradcheck`](crate::gradcheck): which gradients are right.
//!
//! The [`catalog`] lists the functions with their cases, [`run`] checks them, the record of
//! [`known`] defects says what is expected, [`report`] compares, [`difference`] sorts what is not as
//! recorded, and [`card`] writes it down.

mod calls;
pub mod card;
pub mod case;
pub mod catalog;
pub mod difference;
pub mod known;
pub mod range;
pub mod report;
pub mod run;
mod shown;
mod variants;
pub mod verdict;

pub use report::{Audit, Selection, audit};
