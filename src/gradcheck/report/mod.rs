//! What a check found, as data and as the table a person acts on.

mod data;
mod display;

pub use data::{Entry, InputReport, ManualReport, OddOneOut, Outcome, Probe, ProbeReport, Report};
