//! What every room uses: values of tensors, random signs, threads, and panics that are caught.
//!
//! Nothing here knows of derivatives.

pub(crate) mod exec;
pub(crate) mod panics;
pub(crate) mod passes;
pub(crate) mod rng;
pub(crate) mod values;
