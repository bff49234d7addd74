//! From an SVG to the file of a picture: resvg paints, png writes.

use super::{Figure, SIZE};
use anyhow::{Context, Result, bail};
use png::{BitDepth, BlendOp, ColorType, Compression, Encoder};
use rayon::prelude::*;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use std::path::Path;
use std::time::Duration;

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

/// The bytes of a PNG of what `svg` shows, two pixels a point: crisp on a screen of high density.
pub(super) fn png(svg: &str) -> Result<Vec<u8>> {
    let mut file = vec![];
    let mut encoder = encoder(&mut file, 2);
    encoder.set_compression(Compression::Fast);
    encoder.write_header()?.write_image_data(&paint(svg, 2)?)?;
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
    if frames.is_empty() {
        bail!("animation: no figure")
    }
    let figures: Vec<_> = frames.iter().map(|(figure, _)| figure).collect();
    let painted = figures.par_iter().map(|f| paint(&f.svg(&figures)?, 1));
    let painted = painted.collect::<Result<Vec<_>>>()?;
    let mut file = vec![];
    let mut encoder = encoder(&mut file, 1);
    encoder.set_compression(Compression::High);
    encoder.set_animated(u32::try_from(frames.len())?, 0)?;
    encoder.set_blend_op(BlendOp::Over)?;
    let mut writer = encoder.write_header()?;
    let mut before = vec![0; painted[0].len()];
    for (rgba, (_, time)) in painted.into_iter().zip(frames) {
        let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        writer.set_frame_delay(milliseconds, 1000)?;
        writer.write_image_data(&difference(&before, &rgba))?;
        before = rgba;
    }
    writer.finish()?;
    Ok(file)
}

/// The pixels of `now`, transparent where they are those `before`.
fn difference(before: &[u8], now: &[u8]) -> Vec<u8> {
    let pixels = before.chunks_exact(4).zip(now.chunks_exact(4));
    let changed = pixels.flat_map(|(b, n)| if b == n { &[0; 4] } else { n });
    changed.copied().collect()
}

fn encoder(file: &mut Vec<u8>, scale: u32) -> Encoder<'static, &mut Vec<u8>> {
    let mut encoder = Encoder::new(file, SIZE.0 * scale, SIZE.1 * scale);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    encoder
}

/// Red, green, blue and opacity of each pixel, `scale` pixels a point, row by row. The ground of an SVG
/// of ours is white: nothing shines through.
fn paint(svg: &str, scale: u32) -> Result<Vec<u8>> {
    let mut options = Options::default();
    options.fontdb_mut().load_font_data(super::FONT.to_vec());
    let tree = Tree::from_str(svg, &options)?;
    let (width, height) = (SIZE.0 * scale, SIZE.1 * scale);
    let mut pixmap = Pixmap::new(width, height).context("a picture without pixels")?;
    let scale = width as f32 / tree.size().width();
    let transform = Transform::from_scale(scale, scale);
    resvg::render(&tree, transform, &mut pixmap.as_mut());
    Ok(pixmap.take())
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

    #[test]
    fn a_viewer_sees_each_figure_on_the_same_axes() {
        let figures = [figure("low", 1.), figure("low", 1.), figure("high", 3.)];
        let frames = figures.clone().map(|f| (f, Duration::from_millis(100)));
        let all: Vec<_> = figures.iter().collect();
        let file = animation(&frames).unwrap();
        let mut reader = Decoder::new(Cursor::new(file)).read_info().unwrap();
        assert_eq!(reader.info().animation_control().unwrap().num_frames, 3);
        let mut seen = vec![0; reader.output_buffer_size().unwrap()];
        for figure in &figures {
            let mut over = vec![0; seen.len()];
            reader.next_frame(&mut over).unwrap();
            for (seen, over) in seen.chunks_mut(4).zip(over.chunks(4)) {
                if over[3] == 255 {
                    seen.copy_from_slice(over);
                }
            }
            assert!(seen == paint(&figure.svg(&all).unwrap(), 1).unwrap());
        }
        // 2.5 is a tick of the higher one alone, and of both here.
        let has_tick = |svg: String| svg.contains("\n2.5\n");
        assert!(!has_tick(figures[0].svg(&[&figures[0]]).unwrap()));
        assert!(has_tick(figures[0].svg(&all).unwrap()));
    }

    #[test]
    fn small_subplots_and_impossible_limits_are_drawn() {
        for rows in [1, 12, 40] {
            let mut plt = Figure::new();
            plt.subplot(rows, 3, 3 * rows);
            plt.semilogy();
            plt.ylim(0., 1.);
            plt.plot(&[0., 1., 2.], &[0.5, -1., 0.2])
                .unwrap()
                .label("y");
            plt.legend();
            assert!(plt.svg(&[&plt]).unwrap().contains("\ny\n"), "{rows}");
        }
    }

    #[test]
    fn no_figure_is_an_error() {
        let error = animation(&[]).unwrap_err();
        assert_eq!(error.to_string(), "animation: no figure");
    }
}
