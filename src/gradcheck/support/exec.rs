//! One core or all of them: the same checks with or without a `Sync` bound on f.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::passes::Passes;

/// A function to check, and a way to run independent jobs that call it.
pub(crate) trait Exec {
    /// f(inputs)
    fn call(&self, inputs: &[Tensor]) -> Result<Tensor>;

    /// How many times f was called by now.
    fn calls(&self) -> usize;

    /// The backward passes through f.
    fn passes(&self) -> &Passes;

    /// `job` at 0..n, in order of n.
    fn map<T: Send>(&self, n: usize, job: impl Fn(&Self, usize) -> T + Sync) -> Vec<T>;
}

/// Calls f from this thread alone, so f may hold a `Cell`.
pub(crate) struct Serial<F> {
    f: F,
    calls: AtomicUsize,
    passes: Passes,
}

impl<F> Serial<F> {
    pub(crate) fn new(f: F) -> Self {
        let (calls, passes) = (AtomicUsize::new(0), Passes::default());
        Self { f, calls, passes }
    }
}

impl<F: Fn(&[Tensor]) -> Result<Tensor>> Exec for Serial<F> {
    fn call(&self, inputs: &[Tensor]) -> Result<Tensor> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        (self.f)(inputs)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn passes(&self) -> &Passes {
        &self.passes
    }

    fn map<T: Send>(&self, n: usize, job: impl Fn(&Self, usize) -> T + Sync) -> Vec<T> {
        (0..n).map(|i| job(self, i)).collect()
    }
}

/// Calls f from rayon's threads.
pub(crate) struct Parallel<F> {
    f: F,
    calls: AtomicUsize,
    passes: Passes,
}

impl<F> Parallel<F> {
    pub(crate) fn new(f: F) -> Self {
        let (calls, passes) = (AtomicUsize::new(0), Passes::default());
        Self { f, calls, passes }
    }
}

impl<F: Fn(&[Tensor]) -> Result<Tensor> + Sync> Exec for Parallel<F> {
    fn call(&self, inputs: &[Tensor]) -> Result<Tensor> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        (self.f)(inputs)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn passes(&self) -> &Passes {
        &self.passes
    }

    fn map<T: Send>(&self, n: usize, job: impl Fn(&Self, usize) -> T + Sync) -> Vec<T> {
        (0..n).into_par_iter().map(|i| job(self, i)).collect()
    }
}
