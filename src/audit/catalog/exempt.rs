//! Placeholder.
/// Functions that are not checked, each with its reason.
pub const EXEMPT: &[(&str, &str)] = &[];
