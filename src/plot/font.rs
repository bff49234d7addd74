//! DejaVu Sans, matplotlib's default font, embedded: no font of the system is asked for.

use anyhow::{Result, anyhow};
use plotters::style::{FontStyle, register_font};

/// Cut down by `scripts/font.sh`; its licence lies beside it.
pub(super) const BYTES: &[u8] = include_bytes!("../../assets/font/DejaVuSans.ttf");

/// As it stands in an SVG, where the reader's own fonts are used.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Makes the font known to plotters.
pub(super) fn register() -> Result<()> {
    register_font(FAMILY, FontStyle::Normal, BYTES).map_err(|_| anyhow!("the font is broken"))
}
