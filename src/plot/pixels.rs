//! The bytes of pictures that are made of pixels: plotters draws, png writes.

use super::chart::Paper;
use super::{Figure, SIZE};
use anyhow::Result;
use plotters::prelude::{BitMapBackend, IntoDrawingArea};
use png::{BlendOp, ColorType, Compression, Encoder};
use rayon::prelude::*;
use std::time::Duration;

/// plotters' pixels have no shades between a line and its ground: so many of them along x and y are averaged.
const FINER: usize = 3;

/// The bytes of a PNG, two pixels a point: crisp on a screen of high density.
pub(super) fn png(figure: &Figure) -> Result<Vec<u8>> {
    let mut file = vec![];
    let mut encoder = Encoder::new(&mut file, SIZE.0 * 2, SIZE.1 * 2);
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&paint(figure, 2, &[figure])?)?;
    writer.finish()?;
    Ok(file)
}

/// The bytes of an animated PNG (APNG) that shows each figure for its time and then begins again:
/// matplotlib's `FuncAnimation(...).save(...)`. It is 640 by 480 pixels. A viewer that knows only PNG
/// shows the first figure.
///
/// The axes stay where they are: a subplot has room for what any of the figures shows there.
///
/// ```
/// use candle_sine::plot::{Figure, animation};
/// use std::time::Duration;
///
/// let mut frames = vec![];
/// for slope in [0., 0.5, 1.] {
///     let mut plt = Figure::new();
///     plt.title(&format!("slope {slope}"));
///     plt.plot(&[0., 1.], &[0., slope])?;
///     frames.push((plt, Duration::from_millis(500)));
/// }
/// assert!(animation(&frames)?.starts_with(b"\x89PNG"));
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Errors
/// No figure at all; those of [`Figure::render`].
pub fn animation(frames: &[(Figure, Duration)]) -> Result<Vec<u8>> {
    let figures: Vec<_> = frames.iter().map(|(figure, _)| figure).collect();
    let painted = figures.par_iter().map(|f| paint(f, 1, &figures));
    let painted = painted.collect::<Result<Vec<_>>>()?;
    let mut file = vec![];
    let mut encoder = Encoder::new(&mut file, SIZE.0, SIZE.1);
    encoder.set_color(ColorType::Rgba);
    encoder.set_compression(Compression::High);
    encoder.set_animated(u32::try_from(frames.len())?, 0)?;
    encoder.set_blend_op(BlendOp::Over)?;
    let mut writer = encoder.write_header()?;
    let mut before = &vec![];
    for (rgb, (_, time)) in painted.iter().zip(frames) {
        let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        writer.set_frame_delay(milliseconds, 1000)?;
        writer.write_image_data(&difference(before, rgb))?;
        before = rgb;
    }
    writer.finish()?;
    Ok(file)
}

/// Red, green, blue and opacity of the pixels of `now`, transparent where they are those `before`.
fn difference(before: &[u8], now: &[u8]) -> Vec<u8> {
    let before = before
        .chunks_exact(3)
        .map(Some)
        .chain(std::iter::repeat(None));
    let pixels = before.zip(now.chunks_exact(3));
    let changed = pixels.flat_map(|(before, now)| match before == Some(now) {
        true => [0; 4],
        false => [now[0], now[1], now[2], 255],
    });
    changed.collect()
}

/// Red, green and blue of each pixel, `scale` pixels a point, row by row.
fn paint(figure: &Figure, scale: u32, figures: &[&Figure]) -> Result<Vec<u8>> {
    let units = scale * FINER as u32;
    let (width, height) = (SIZE.0 * units, SIZE.1 * units);
    let mut fine = vec![255; 3 * (width * height) as usize];
    let area = BitMapBackend::with_buffer(&mut fine, (width, height)).into_drawing_area();
    // ab_glyph makes letters of the size 1 from DejaVu Sans of the height 1.164, and plotters writes them too high.
    let paper = Paper {
        units,
        font: 1.164,
        lift: 0.16,
    };
    figure.draw(&area, paper, figures)?;
    drop(area);
    let row = 3 * width as usize;
    let mut pixels = Vec::with_capacity(fine.len() / (FINER * FINER));
    for rows in fine.chunks_exact(FINER * row) {
        let mut sums = vec![0; row / FINER];
        for line in rows.chunks_exact(row) {
            for (sum, many) in sums.chunks_exact_mut(3).zip(line.chunks_exact(3 * FINER)) {
                for pixel in many.chunks_exact(3) {
                    sum.iter_mut()
                        .zip(pixel)
                        .for_each(|(s, v)| *s += u16::from(*v));
                }
            }
        }
        let count = (FINER * FINER) as u16;
        pixels.extend(sums.iter().map(|sum| ((sum + count / 2) / count) as u8));
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    #[test]
    fn small_subplots_and_impossible_limits_are_drawn() {
        for rows in [1, 12, 40] {
            let mut plt = Figure::new();
            plt.subplot(rows, 3, 3 * rows);
            plt.semilogy();
            plt.ylim(0., 1.);
            let line = plt.plot(&[0., 1., 2.], &[0.5, -1., 0.2]).unwrap();
            line.label("y");
            plt.legend();
            let svg = String::from_utf8(plt.render(Format::Svg).unwrap()).unwrap();
            assert!(svg.contains("\ny\n"), "{rows}");
            assert!(!png(&plt).unwrap().is_empty());
        }
    }

    #[test]
    fn no_figure_is_an_error() {
        assert!(animation(&[]).is_err());
    }
}
