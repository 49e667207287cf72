//! Colour round trips: a decoder that honours the file's tags returns the original colours.

use image::{Rgb, RgbImage};
use video_encode::{Container, VideoEncoder};

use crate::{decoded, place, settings};

/// Limited range has 219 steps for 255 levels, and each of the three planes is rounded.
const LEVELS: u8 = 2;

#[test]
fn flat_colours_come_back() {
    let colours = [
        [0, 0, 0],
        [255, 255, 255],
        [128, 128, 128],
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 0],
        [224, 172, 140],
        [20, 60, 120],
        [3, 250, 200],
    ];
    for container in [Container::Mp4, Container::WebM] {
        let (_folder, path) = place(&format!("a.{container}"));
        let mut encoder = VideoEncoder::open(&path, &settings(64, 64, "10", container)).unwrap();
        for colour in colours {
            encoder.push(&RgbImage::from_pixel(64, 64, Rgb(colour))).unwrap();
        }
        encoder.finish().unwrap();
        let frames = decoded(&path, 64, 64);
        assert_eq!(frames.len(), colours.len());
        for (frame, colour) in frames.iter().zip(colours) {
            let worst = frame.pixels().flat_map(|pixel| pixel.0.into_iter().zip(colour)).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(worst <= LEVELS, "{container} {colour:?}: {worst} levels off, {:?}", frame.get_pixel(32, 32));
        }
    }
}
