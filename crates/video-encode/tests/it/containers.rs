//! The other containers: WebM, GIF, animated WebP, animated PNG.

use image::{
    AnimationDecoder as _,
    codecs::{png::PngDecoder, webp::WebPDecoder},
};
use video_encode::{Codec, Container, EncoderSettings, Quality};

use crate::{decoded, output, painted, place, probe, psnr, settings, write};

#[test]
fn webm_holds_vp9_or_av1() {
    for (codec, name) in [(Codec::Auto, "vp9"), (Codec::Vp9, "vp9"), (Codec::Av1, "av1")] {
        let (_folder, path) = place("a.webm");
        write(&path, &EncoderSettings { codec, ..settings(96, 64, "24000/1001", Container::WebM) }, 24);
        let found = probe(&path);
        for (key, expected) in [
            ("codec_name", name),
            ("color_range", "tv"),
            ("color_space", "bt709"),
            ("avg_frame_rate", "24000/1001"),
            ("r_frame_rate", "24000/1001"),
            ("nb_read_frames", "24"),
            ("format_name", "matroska,webm"),
        ] {
            assert_eq!(found.get(key).map(String::as_str), Some(expected), "{name} {key}");
        }
        // The file's duration, because a WebM stream has none.
        let arguments = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path.to_str().unwrap()];
        assert_eq!(String::from_utf8(output("ffprobe", &arguments)).unwrap().trim(), "1.001000");
        for (number, frame) in decoded(&path, 96, 64).iter().enumerate() {
            let found = psnr(frame, &painted(96, 64, number as u32));
            assert!(found > 30.0, "{name} frame {number}: {found} dB");
        }
    }
}

/// Delays of a GIF's frames in hundredths of a second, and whether it loops forever, from its blocks (GIF89a, 23 and application
/// extension).
fn gif_delays(bytes: &[u8]) -> (Vec<u16>, bool) {
    let loops = bytes.windows(16).any(|window| window.starts_with(b"NETSCAPE2.0") && window[11..] == [3, 1, 0, 0, 0]);
    let control = bytes.windows(8).filter(|window| window[..3] == [0x21, 0xf9, 4] && window[7] == 0);
    (control.map(|window| u16::from_le_bytes([window[4], window[5]])).collect(), loops)
}

#[test]
fn gif_keeps_the_mean_rate_and_loops() {
    let (_folder, path) = place("a.gif");
    let video = write(&path, &settings(90, 61, "24", Container::Gif), 24);
    assert_eq!((video.width, video.height, video.codec), (90, 61, "gif"));
    let (delays, loops) = gif_delays(&std::fs::read(&path).unwrap());
    assert!(loops);
    assert_eq!(delays.len(), 24);
    assert_eq!(delays.iter().sum::<u16>(), 100);
    assert!(delays.iter().all(|delay| [4, 5].contains(delay)), "{delays:?}");
    for (number, frame) in decoded(&path, 90, 61).iter().enumerate() {
        let found = psnr(frame, &painted(90, 61, number as u32));
        assert!(found > 30.0, "frame {number}: {found} dB");
    }
}

#[test]
fn a_still_gif_has_one_frame_and_its_delay() {
    let (_folder, path) = place("a.gif");
    write(&path, &settings(32, 32, "2", Container::Gif), 1);
    let (delays, _) = gif_delays(&std::fs::read(&path).unwrap());
    assert_eq!(delays, [50]);
    assert_eq!(probe(&path)["nb_read_frames"], "1");
}

#[test]
fn lossless_webp_is_lossless() {
    // A single frame, which is a still: the tests' decoder blends the frames of an animation, and rounds.
    let (_folder, path) = place("a.webp");
    write(&path, &EncoderSettings { quality: Quality::Lossless, ..settings(77, 50, "24", Container::WebP) }, 1);
    assert_eq!(image::open(&path).unwrap().to_rgb8(), painted(77, 50, 0));
}

#[test]
fn webp_counts_thousandths_and_loops() {
    for (quality, decibels) in [(Quality::Auto, 30.0), (Quality::Crf(40), 24.0), (Quality::Lossless, 45.0)] {
        let (_folder, path) = place("a.webp");
        write(&path, &EncoderSettings { quality, ..settings(77, 50, "24", Container::WebP) }, 24);
        let bytes = std::fs::read(&path).unwrap();
        // The ANIM chunk: length 6, background, number of loops (0: forever).
        let animation = bytes.windows(14).find(|window| window.starts_with(b"ANIM")).unwrap();
        assert_eq!((&animation[4..8], &animation[12..]), (&[6, 0, 0, 0][..], &[0, 0][..]));
        let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        assert_eq!(length + 8, bytes.len());
        let decoder = WebPDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        let frames: Vec<_> = decoder.into_frames().map(Result::unwrap).collect();
        assert_eq!(frames.len(), 24);
        let milliseconds: Vec<u32> = frames.iter().map(|frame| frame.delay().numer_denom_ms().0).collect();
        assert_eq!(milliseconds.iter().sum::<u32>(), 1000, "{milliseconds:?}");
        assert!(milliseconds.iter().all(|delay| [41, 42].contains(delay)), "{milliseconds:?}");
        for (number, frame) in frames.into_iter().enumerate() {
            let frame = image::DynamicImage::from(frame.into_buffer()).to_rgb8();
            let found = psnr(&frame, &painted(77, 50, number as u32));
            assert!(found >= decibels, "{quality:?} frame {number}: {found} dB");
        }
    }
}

#[test]
fn animated_png_keeps_every_pixel_and_loops() {
    for (rate, milliseconds) in [("25", 40.0), ("30000/1001", 1001.0 / 30.0)] {
        let (_folder, path) = place("a.png");
        write(&path, &settings(77, 50, rate, Container::Apng), 12);
        let bytes = std::fs::read(&path).unwrap();
        // The acTL chunk: number of frames, and of loops (0: forever).
        let control = bytes.windows(12).find(|window| window.starts_with(b"acTL")).unwrap();
        assert_eq!(&control[4..], [0, 0, 0, 12, 0, 0, 0, 0]);
        let decoder = PngDecoder::new(std::io::Cursor::new(bytes)).unwrap().apng().unwrap();
        let frames: Vec<_> = decoder.into_frames().map(Result::unwrap).collect();
        assert_eq!(frames.len(), 12);
        for (number, frame) in frames.into_iter().enumerate() {
            let (numerator, denominator) = frame.delay().numer_denom_ms();
            assert!(
                (f64::from(numerator) / f64::from(denominator) - milliseconds).abs() < 0.5,
                "frame {number}: {numerator}/{denominator}"
            );
            let frame = image::DynamicImage::from(frame.into_buffer()).to_rgb8();
            assert!(frame == painted(77, 50, number as u32), "frame {number}");
        }
    }
}
