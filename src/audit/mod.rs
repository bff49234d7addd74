//! candle's functions under [`gradcheck`](crate::gradcheck): which gradients are right.
//!
//! The [`catalog`] lists the functions with their cases, [`run`] checks them, the record of
//! [`known`] defects says what is expected, [`report`] compares, [`difference`] sorts what is not as
//! recorded, and [`card`] writes it down.
//!
//! The record is the CPU's. On a CUDA card the audit works from one thread, and takes minutes where a
//! CPU takes seconds. On an NVIDIA H200, 78 of the functions were checked (9835 checks, candle 0.11.1):
//! no gradient was wrong there that is right on the CPU; the products of `matmul-fold` are right; and
//! errors came up that a CPU does not have, of tensors without elements that are cast, and of functions
//! without a CUDA kernel (`upsample_nearest1d`).

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
