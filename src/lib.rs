//! A PyTorch sine tutorial ported to candle, digit for digit, and its gradients verified.
//!
//! A [post](https://dongdongju96.github.io/posts/pytorch-2) fits sin(x) with a cubic by gradient
//! descent. Three doors lead in:
//!
//! * **To follow the post**, read `src/tutorial/post.rs`: one file, line by line beside the post
//!   (`cargo run --release --example post`), which compares its gradients by hand with those of the loss
//!   in its loop, whatever you make of it. After it comes the same file once more for each step of
//!   PyTorch's own tutorials: `autograd`, `optimizer`, `custom_op`, `normal`. They use [`pytorch`], what
//!   PyTorch has and candle lacks, and `plot` (feature `plot`), pictures in matplotlib's look.
//! * **To find out whether a gradient is right**, use [`gradcheck`]: `torch.autograd.gradcheck` for any
//!   candle function. It knows nothing of the tutorial and needs candle-core alone: with
//!   `default-features = false` it is a light dev-dependency for authors of candle ops. `tests/audit`
//!   holds candle's own functions to it; what is wrong with them is in `assets/audit.md`.
//! * **To train fast**, use [`sine`], the engine of the commands: any device, any number of points.
//!   Nobody needs it to follow the post.
//!
//! [`device`] opens a device. The library neither prints nor exits; the program `candle-sine` does. How it
//! is built, and why, is in [`architecture`].
//!
//! # Features
//!
//! `cli` (default) carries the program and all that it needs; `plot` the pictures; `nn` what uses
//! candle-nn; `serde` makes reports `Serialize`; `cuda`, `metal`, `mkl` and `accelerate` are candle's own.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod device;
pub mod gradcheck;
#[cfg(feature = "plot")]
pub mod plot;
pub mod pytorch;
pub mod sine;

#[cfg(doc)]
#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../README.ko.md")]
mod readme_ko {}
