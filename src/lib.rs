//! A PyTorch sine tutorial ported to candle, digit for digit, and its gradients verified.
//!
//! Two things that belong together:
//!
//! * [`sine`] is the tutorial. A [post](https://dongdongju96.github.io/posts/pytorch-2) fits sin(x)
//!   with a cubic by gradient descent; each of its sections is one module, in its order, and the
//!   default run prints its ten losses to the last digit.
//! * [`gradcheck`] verifies the gradient of any candle function, as `torch.autograd.gradcheck` does in
//!   PyTorch. It knows nothing of the tutorial and needs candle-core alone: with
//!   `default-features = false` it is a light dev-dependency for authors of candle ops.
//!   `audit` (feature `cli`) holds candle's own functions to it, and keeps a record of what is wrong.
//!
//! [`device`] opens a device by its name. The library neither prints nor exits; the program
//! `candle-sine` does.
//!
//! # Features
//!
//! `cli` (default) carries the program and [`sine::figure`]; `serde` makes reports `Serialize`; `cuda`,
//! `metal`, `mkl` and `accelerate` are candle's own.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "cli")]
pub mod audit;
pub mod device;
pub mod gradcheck;
#[cfg(feature = "plot")]
pub mod plot;
pub mod pytorch;
pub mod sine;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../README.ko.md")]
mod readme_ko {}
