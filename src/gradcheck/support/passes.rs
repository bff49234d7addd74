//! Backward passes, counted where they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};

/// Runs backward passes and counts them; clones count together.
#[derive(Clone, Default)]
pub(crate) struct Passes(Arc<AtomicUsize>);

impl Passes {
    /// The gradients of a scalar.
    pub(crate) fn backward(&self, scalar: &Tensor) -> Result<GradStore> {
        self.0.fetch_add(1, Ordering::Relaxed);
        scalar.backward()
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
