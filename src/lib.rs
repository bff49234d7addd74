//! A PyTorch sine tutorial ported to candle, digit for digit, with its gradients verified.
//!
//! [`sine`] is the tutorial: the [post](https://dongdongju96.github.io/posts/pytorch-2) fits
//! sin(x) with a cubic by gradient descent, and each of its sections is one module here.
//! [`device`] opens the device it runs on.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "cli")]
pub mod audit;
pub mod device;
pub mod gradcheck;
pub mod sine;
