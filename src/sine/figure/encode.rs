//! The file of a picture: a PNG that is quick to write and small.

use anyhow::Result;
use png::{ColorType, Compression, Encoder, Filter};
use std::collections::HashMap;
use std::io::Write;
use tiny_skia::Pixmap;

type Rgb = [u8; 3];

const WHITE: Rgb = [255; 3];

/// Bytes of 32 pixels, which are compared together: most of a figure is its white ground.
const BLOCK: usize = 4 * 32;

/// The bytes of a PNG of opaque `pixels`: one byte a pixel where a palette holds their colours,
/// three where it does not.
pub(super) fn encode(pixels: &Pixmap) -> Result<Vec<u8>> {
    let palette = Palette::of(pixels.data());
    let mut file = Vec::with_capacity(1 << 17);
    let mut encoder = Encoder::new(&mut file, pixels.width(), pixels.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(Compression::Fastest);
    if let Some(palette) = &palette {
        encoder.set_color(ColorType::Indexed);
        encoder.set_palette(palette.colors.concat());
        // White is 0, and runs of 0 are what this compression is good at.
        encoder.set_filter(Filter::NoFilter);
    }
    let mut writer = encoder.write_header()?;
    let mut rows = writer.stream_writer()?;
    let mut bytes = vec![];
    for row in pixels.data().chunks(4 * pixels.width() as usize) {
        bytes.clear();
        match &palette {
            Some(palette) => palette.places_of(row, &mut bytes),
            None => components_of(row, &mut bytes),
        }
        rows.write_all(&bytes)?;
    }
    rows.finish()?;
    drop(writer);
    Ok(file)
}

/// The colours of a picture, white first, and where each stands.
struct Palette {
    colors: Vec<Rgb>,
    places: HashMap<Rgb, u8>,
}

impl Palette {
    /// `None` where a byte cannot count the colours.
    fn of(pixels: &[u8]) -> Option<Self> {
        let (mut colors, mut places) = (vec![WHITE], HashMap::from([(WHITE, 0)]));
        let mut last = WHITE;
        let drawn = pixels.chunks(BLOCK).filter(|block| !is_white(block));
        for color in drawn.flat_map(opaque) {
            if color != last && !places.contains_key(&color) {
                places.insert(color, u8::try_from(colors.len()).ok()?);
                colors.push(color);
            }
            last = color;
        }
        Some(Self { colors, places })
    }

    fn places_of(&self, row: &[u8], bytes: &mut Vec<u8>) {
        let mut last = (WHITE, 0);
        for block in row.chunks(BLOCK) {
            if is_white(block) {
                bytes.resize(bytes.len() + block.len() / 4, 0);
                continue;
            }
            for color in opaque(block) {
                if color != last.0 {
                    last = (color, self.places[&color]);
                }
                bytes.push(last.1);
            }
        }
    }
}

fn components_of(row: &[u8], bytes: &mut Vec<u8>) {
    for block in row.chunks(BLOCK) {
        match is_white(block) {
            true => bytes.resize(bytes.len() + block.len() / 4 * 3, 255),
            false => bytes.extend(opaque(block).flatten()),
        }
    }
}

fn is_white(block: &[u8]) -> bool {
    block == &[255; BLOCK][..block.len()]
}

/// The colours of pixels whose alpha is 255.
fn opaque(block: &[u8]) -> impl Iterator<Item = Rgb> {
    let (pixels, _) = block.as_chunks::<4>();
    pixels.iter().map(|&[r, g, b, _]| [r, g, b])
}

#[cfg(test)]
mod tests {
    use super::encode;
    use anyhow::{Context, Result};
    use png::{ColorType, Decoder, Transformations};
    use tiny_skia::{IntSize, Pixmap};

    /// Decodes what `encode` makes of 200 x 90 pixels, of which every 7th is not white.
    fn comes_back(color: impl Fn(usize) -> [u8; 3]) -> Result<ColorType> {
        let drawn = |i: usize| match i % 7 {
            0 => color(i / 7),
            _ => [255; 3],
        };
        let pixels = (0..200 * 90).flat_map(|i| {
            let [r, g, b] = drawn(i);
            [r, g, b, 255]
        });
        let size = IntSize::from_wh(200, 90).context("a size")?;
        let pixmap = Pixmap::from_vec(pixels.collect(), size).context("pixels")?;
        let file = encode(&pixmap)?;

        let mut decoder = Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(Transformations::EXPAND);
        let mut reader = decoder.read_info()?;
        let written = reader.info().color_type;
        let mut rgb = vec![0; reader.output_buffer_size().context("a size")?];
        reader.next_frame(&mut rgb)?;
        let expected: Vec<u8> = (0..200 * 90).flat_map(drawn).collect();
        assert!(rgb == expected);
        Ok(written)
    }

    #[test]
    fn every_pixel_comes_back() -> Result<()> {
        let few = comes_back(|i| [(i % 255) as u8, 3, 9])?;
        assert_eq!(few, ColorType::Indexed);
        // With white, one more than a byte can count.
        let many = comes_back(|i| [(i % 256) as u8, 3, 9])?;
        assert_eq!(many, ColorType::Rgb);
        Ok(())
    }
}
