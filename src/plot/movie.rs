//! Figures one after the other, in one file: an animated PNG.

use super::pixels::paint;
use super::{Figure, SIZE};
use anyhow::{Result, bail};
use png::{BitDepth, BlendOp, ColorType, Compression, Encoder, Writer};
use rayon::prelude::*;
use std::time::Duration;

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
    if frames.is_empty() {
        bail!("animation: no figure")
    }
    let figures: Vec<_> = frames.iter().map(|(figure, _)| figure).collect();
    let mut file = vec![];
    let mut encoder = Encoder::new(&mut file, SIZE.0, SIZE.1);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    encoder.set_animated(u32::try_from(frames.len())?, 0)?;
    let mut writer = encoder.write_header()?;
    let mut before = vec![];
    // As many at a time as there are cores: all of them would fill the memory.
    for some in frames.chunks(rayon::current_num_threads()) {
        let paint = |(figure, _): &(Figure, _)| paint(&figure.svg(&figures)?, SIZE.0, SIZE.1);
        let painted: Result<Vec<Vec<u8>>> = some.par_iter().map(paint).collect();
        for (rgb, (_, time)) in painted?.into_iter().zip(some) {
            write(&mut writer, &before, &rgb, *time)?;
            before = rgb;
        }
    }
    writer.finish()?;
    Ok(file)
}

/// A frame: of the pixels that differ from those `before` it the smallest rectangle, in which the
/// others are transparent.
fn write(
    writer: &mut Writer<&mut Vec<u8>>,
    before: &[u8],
    rgb: &[u8],
    time: Duration,
) -> Result<()> {
    let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
    writer.set_frame_delay(milliseconds, 1000)?;
    let (xs, ys) = changed(before, rgb);
    if !before.is_empty() {
        writer.set_frame_position(0, 0)?;
        writer.set_frame_dimension(xs.len() as u32, ys.len() as u32)?;
        writer.set_frame_position(xs.start as u32, ys.start as u32)?;
        writer.set_blend_op(BlendOp::Over)?;
    }
    let mut rgba = Vec::with_capacity(4 * xs.len() * ys.len());
    for y in ys {
        for x in xs.clone() {
            let pixel = pixel(rgb, x, y);
            match !before.is_empty() && pixel == self::pixel(before, x, y) {
                true => rgba.extend([0; 4]),
                false => rgba.extend(pixel.iter().chain(&[255])),
            }
        }
    }
    Ok(writer.write_image_data(&rgba)?)
}

fn pixel(rgb: &[u8], x: usize, y: usize) -> &[u8] {
    let at = 3 * (y * SIZE.0 as usize + x);
    &rgb[at..at + 3]
}

/// Columns and rows that hold all the pixels that differ; at least one of each, as a frame must have.
fn changed(before: &[u8], rgb: &[u8]) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    if before.is_empty() {
        return (0..width, 0..height);
    }
    let differs = |x: usize, y: usize| pixel(before, x, y) != pixel(rgb, x, y);
    let ys = hull((0..height).filter(|&y| (0..width).any(|x| differs(x, y))));
    let xs = hull((0..width).filter(|&x| ys.clone().any(|y| differs(x, y))));
    (xs, ys)
}

/// From the first to the last.
fn hull(mut places: impl Iterator<Item = usize>) -> std::ops::Range<usize> {
    let first = places.next().unwrap_or(0);
    first..places.last().unwrap_or(first) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::Decoder;
    use std::io::Cursor;

    fn figure(title: &str, height: f64) -> Figure {
        let mut plt = Figure::new();
        plt.title(title);
        plt.plot(&[0., 1., 2.], &[0., height, 0.]).unwrap();
        plt
    }

    /// The pictures that a viewer shows, red, green and blue.
    fn shown(file: Vec<u8>) -> Vec<Vec<u8>> {
        let mut reader = Decoder::new(Cursor::new(file)).read_info().unwrap();
        let frames = reader.info().animation_control().unwrap().num_frames;
        let mut canvas = vec![0; 3 * (SIZE.0 * SIZE.1) as usize];
        let mut shown = vec![];
        for _ in 0..frames {
            let mut rgba = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut rgba).unwrap();
            let control = *reader.info().frame_control().unwrap();
            for (i, pixel) in rgba
                .chunks(4)
                .enumerate()
                .take((control.width * control.height) as usize)
            {
                let (x, y) = (i as u32 % control.width, i as u32 / control.width);
                let at = 3 * ((y + control.y_offset) * SIZE.0 + x + control.x_offset) as usize;
                if pixel[3] == 255 {
                    canvas[at..at + 3].copy_from_slice(&pixel[..3]);
                }
            }
            shown.push(canvas.clone());
        }
        shown
    }

    #[test]
    fn a_viewer_sees_each_figure_on_the_same_axes() {
        let figures = [figure("low", 1.), figure("low", 1.), figure("high", 3.)];
        let frames = figures.clone().map(|f| (f, Duration::from_millis(100)));
        let all: Vec<_> = figures.iter().collect();
        let seen = shown(animation(&frames).unwrap());
        assert_eq!(seen.len(), 3);
        for (seen, figure) in seen.iter().zip(&figures) {
            let painted = paint(&figure.svg(&all).unwrap(), SIZE.0, SIZE.1).unwrap();
            assert!(*seen == painted);
        }
        // 2.5 is a tick of the higher one alone, and of both here.
        let has_tick = |svg: String| svg.contains("\n2.5\n");
        assert!(!has_tick(figures[0].svg(&[&figures[0]]).unwrap()));
        assert!(has_tick(figures[0].svg(&all).unwrap()));
    }

    #[test]
    fn no_figure_is_an_error() {
        let error = animation(&[]).unwrap_err();
        assert_eq!(error.to_string(), "animation: no figure");
    }
}
