//! From an SVG to the file of a picture: resvg paints, png writes.

use super::{SIZE, font};
use anyhow::{Result, bail};
use png::{BitDepth, ColorType, Compression, Encoder};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use std::path::Path;

/// Pixels a point in a PNG, so that it is crisp on a screen of high density.
const SCALE: u32 = 2;

/// The kind of picture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Format {
    /// 1280 by 960 pixels
    Png,
    /// Vectors; its text stays text
    Svg,
}

impl Format {
    /// `png` or `svg`.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }

    /// What the name of a file ends in.
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("png") => Ok(Self::Png),
            Some("svg") => Ok(Self::Svg),
            _ => bail!("the name must end in .png or .svg"),
        }
    }
}

/// The bytes of a PNG of what `svg` shows.
pub(super) fn png(svg: &str) -> Result<Vec<u8>> {
    let (width, height) = (SIZE.0 * SCALE, SIZE.1 * SCALE);
    let rgb = paint(svg, width, height)?;
    let mut file = vec![];
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    encoder.write_header()?.write_image_data(&rgb)?;
    Ok(file)
}

/// Red, green and blue of each pixel, row by row. The ground of an SVG of ours is white: nothing
/// shines through.
pub(super) fn paint(svg: &str, width: u32, height: u32) -> Result<Vec<u8>> {
    let mut options = Options::default();
    options.fontdb_mut().load_font_data(font::BYTES.to_vec());
    let tree = Tree::from_str(svg, &options)?;
    let Some(mut pixmap) = Pixmap::new(width, height) else {
        bail!("a picture of {width} by {height} pixels cannot be made")
    };
    let scale = width as f32 / tree.size().width();
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixmap.as_mut(),
    );
    let mut rgb = Vec::with_capacity(3 * width as usize * height as usize);
    for pixel in pixmap.data().chunks_exact(4) {
        rgb.extend_from_slice(&pixel[..3]);
    }
    Ok(rgb)
}
