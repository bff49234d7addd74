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
    let mut file = Vec::with_capacity(1 << 17);
    let mut encoder = Encoder::new(&mut file, pixels.width(), pixels.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(Compression::Fastest);
    let bytes = match indexed(pixels.data()) {
        Some((palette, places)) => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(palette.concat());
            // White is 0, and runs of 0 are what this compression is good at.
            encoder.set_filter(Filter::NoFilter);
            places
        }
        None => components(pixels.data()),
    };
    let mut writer = encoder.write_header()?;
    let mut rows = writer.stream_writer()?;
    rows.write_all(&bytes)?;
    rows.finish()?;
    drop(writer);
    Ok(file)
}

/// The colours, white first, and for each pixel the place of its own; `None` where a byte cannot
/// count them.
fn indexed(pixels: &[u8]) -> Option<(Vec<Rgb>, Vec<u8>)> {
    let (mut palette, mut known) = (vec![WHITE], HashMap::from([(WHITE, 0)]));
    let mut places = Vec::with_capacity(pixels.len() / 4);
    let mut last = (WHITE, 0);
    for block in pixels.chunks(BLOCK) {
        if is_white(block) {
            places.resize(places.len() + block.len() / 4, 0);
            continue;
        }
        for color in opaque(block) {
            if color != last.0 {
                let next = palette.len();
                let place = *known.entry(color).or_insert(next);
                if place == next {
                    palette.push(color);
                }
                last = (color, u8::try_from(place).ok()?);
            }
            places.push(last.1);
        }
    }
    Some((palette, places))
}

/// Red, green and blue of each pixel.
fn components(pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pixels.len() / 4 * 3);
    for block in pixels.chunks(BLOCK) {
        match is_white(block) {
            true => bytes.resize(bytes.len() + block.len() / 4 * 3, 255),
            false => bytes.extend(opaque(block).flatten()),
        }
    }
    bytes
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
