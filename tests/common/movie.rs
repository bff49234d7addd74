//! What a viewer of an animated PNG sees.

use png::{BlendOp, Decoder};
use std::io::Cursor;

/// A picture, and how long it stays.
pub struct Frame {
    /// Red, green and blue of each pixel.
    pub rgb: Vec<u8>,
    pub milliseconds: u32,
}

/// The pictures that are seen one after the other.
pub fn frames(file: &[u8]) -> Vec<Frame> {
    let mut reader = Decoder::new(Cursor::new(file)).read_info().unwrap();
    let count = reader.info().animation_control().unwrap().num_frames;
    let mut canvas = vec![0; 3 * (reader.info().width * reader.info().height) as usize];
    let mut frames = vec![];
    for i in 0..count {
        let mut rgba = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut rgba).unwrap();
        let control = *reader.info().frame_control().unwrap();
        assert!(i == 0 || control.blend_op == BlendOp::Over);
        let pixels = (control.width * control.height) as usize;
        for (at, pixel) in rgba.chunks(4).take(pixels).enumerate() {
            let (x, y) = (at as u32 % control.width, at as u32 / control.width);
            let (x, y) = (x + control.x_offset, y + control.y_offset);
            let at = 3 * (y * reader.info().width + x) as usize;
            if pixel[3] == 255 {
                canvas[at..at + 3].copy_from_slice(&pixel[..3]);
            }
        }
        frames.push(Frame {
            rgb: canvas.clone(),
            milliseconds: 1000 * u32::from(control.delay_num) / u32::from(control.delay_den),
        });
    }
    frames
}
