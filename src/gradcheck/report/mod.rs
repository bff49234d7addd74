//! What a check found, as data and as the table a person acts on.

mod data;
mod display;

pub use data::{Dissent, Entry, InputReport, ManualReport, Outcome, Probe, ProbeReport, Report};
