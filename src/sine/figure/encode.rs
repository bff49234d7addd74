//! The file of a picture: a PNG that is quick to write and small.

use anyhow::Result;
use png::{ColorType, Compression, Encoder, Filter};
use std::collections::HashMap;
use std::io::Write;

type Rgb = [u8; 3];

const WHITE: Rgb = [255; 3];

/// Bytes of 32 pixels, which are compared together: most of a figure is its white ground.
const BLOCK: usize = 4 * 32;

/// Rows that are painted together: at 1280 pixels a row, 240 KiB, which a core's cache holds.
const BAND: usize = 48;

/// The bytes of a PNG of opaque pixels: one byte a pixel where a palette holds their colours, three
/// where it does not. `paint` paints some rows, from a given one on, four bytes a pixel.
pub(super) fn encode(
    width: u32,
    height: u32,
    paint: impl Fn(u32, &mut [u8]) -> Result<()>,
) -> Result<Vec<u8>> {
    let mut file = Vec::with_capacity(1 << 17);
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_compression(Compression::Fastest);
    let mut bands = Bands::new(width, height, paint);
    match indexed(&mut bands)? {
        Some((palette, places)) => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(palette.concat());
            // White is 0, and runs of 0 are what this compression is good at.
            encoder.set_filter(Filter::NoFilter);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&places)?;
        }
        None => {
            encoder.set_color(ColorType::Rgb);
            let mut writer = encoder.write_header()?;
            let mut rows = writer.stream_writer()?;
            bands.rewind();
            while let Some(band) = bands.next()? {
                rows.write_all(&components(band))?;
            }
            rows.finish()?;
        }
    }
    Ok(file)
}

/// A picture from top to bottom, some rows at a time.
struct Bands<P> {
    width: u32,
    height: u32,
    top: u32,
    paint: P,
    pixels: Vec<u8>,
}

impl<P: Fn(u32, &mut [u8]) -> Result<()>> Bands<P> {
    fn new(width: u32, height: u32, paint: P) -> Self {
        let (top, pixels) = (0, vec![0; 4 * width as usize * BAND]);
        Self {
            width,
            height,
            top,
            paint,
            pixels,
        }
    }

    fn rewind(&mut self) {
        self.top = 0;
    }

    fn next(&mut self) -> Result<Option<&[u8]>> {
        let rows = (self.height - self.top).min(BAND as u32);
        if rows == 0 {
            return Ok(None);
        }
        let band = &mut self.pixels[..4 * (self.width * rows) as usize];
        (self.paint)(self.top, band)?;
        self.top += rows;
        Ok(Some(band))
    }
}

/// The colours, white first, and for each pixel the place of its own; `None` where a byte cannot
/// count them.
fn indexed<P: Fn(u32, &mut [u8]) -> Result<()>>(
    bands: &mut Bands<P>,
) -> Result<Option<(Vec<Rgb>, Vec<u8>)>> {
    let (mut palette, mut known) = (vec![WHITE], HashMap::from([(WHITE, 0)]));
    let mut places = Vec::with_capacity((bands.width * bands.height) as usize);
    let mut last = (WHITE, 0);
    while let Some(band) = bands.next()? {
        for block in band.chunks(BLOCK) {
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
                    let Ok(place) = u8::try_from(place) else {
                        return Ok(None);
                    };
                    last = (color, place);
                }
                places.push(last.1);
            }
        }
    }
    Ok(Some((palette, places)))
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

    /// Decodes what `encode` makes of 200 x 90 pixels, of which every 7th is not white.
    fn comes_back(color: impl Fn(usize) -> [u8; 3]) -> Result<ColorType> {
        let drawn = |i: usize| match i % 7 {
            0 => color(i / 7),
            _ => [255; 3],
        };
        let file = encode(200, 90, |top, rows| {
            for (i, pixel) in rows.chunks_mut(4).enumerate() {
                let [r, g, b] = drawn(200 * top as usize + i);
                pixel.copy_from_slice(&[r, g, b, 255]);
            }
            Ok(())
        })?;

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
