//! MP4: the stream's properties, and the position of the index.

use video_encode::{Codec, Container, EncoderSettings, FrameRate, OddSize, Quality, VideoEncoder};

use crate::{decoded, noise, output, painted, place, probe, psnr, settings, write};

/// The types of the file's outermost boxes, in order.
fn boxes(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some((head, _)) = rest.split_at_checked(8) {
        let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        assert!(length >= 8, "a box of {length} bytes");
        found.push(String::from_utf8_lossy(&head[4..]).into_owned());
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    found
}

#[test]
fn it_plays_in_browsers() {
    let (_folder, path) = place("a.mp4");
    let video = write(&path, &settings(128, 96, "24", Container::Mp4), 60);
    let found = probe(&path);
    for (key, expected) in [
        ("codec_name", "h264"),
        ("profile", "High"),
        ("pix_fmt", "yuv420p"),
        ("color_range", "tv"),
        ("color_space", "bt709"),
        ("color_transfer", "bt709"),
        ("color_primaries", "bt709"),
        ("width", "128"),
        ("height", "96"),
        ("sample_aspect_ratio", "1:1"),
        ("r_frame_rate", "24/1"),
        ("avg_frame_rate", "24/1"),
        ("nb_frames", "60"),
        ("nb_read_frames", "60"),
        ("duration", "2.500000"),
        ("start_time", "0.000000"),
    ] {
        assert_eq!(found.get(key).map(String::as_str), Some(expected), "{key}");
    }
    assert_eq!((video.codec, video.duration.as_secs_f64()), ("libx264", 2.5));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(video.bytes, bytes.len() as u64);
    let order = boxes(&bytes);
    let place_of = |name: &str| order.iter().position(|found| found == name).unwrap();
    assert!(place_of("ftyp") < place_of("moov") && place_of("moov") < place_of("mdat"), "{order:?}");
    // No library version, which would make the bytes differ where the frames do not.
    for version in ["x264", "Lavf", "Lavc"] {
        assert!(!bytes.windows(version.len()).any(|window| window == version.as_bytes()), "{version}");
    }
}

#[test]
fn players_can_start_at_every_key_frame() {
    let (_folder, path) = place("a.mp4");
    let mut encoder = VideoEncoder::open(&path, &settings(128, 96, "24", Container::Mp4)).unwrap();
    // Still scenes of these lengths, whose cuts become key frames.
    for (scene, frames) in [14, 17, 13].into_iter().enumerate() {
        let frame = noise(16, 12, scene as u32);
        let frame = image::imageops::resize(&frame, 128, 96, image::imageops::FilterType::Triangle);
        (0..frames).for_each(|_| encoder.push(&frame).unwrap());
    }
    encoder.finish().unwrap();
    for seconds in ["0.3", "0.6", "1.0", "1.3", "1.5"] {
        // As strict as a browser: frames that refer to what is missing are an error.
        let strict = ["-v", "error", "-xerror", "-err_detect", "explode", "-ss", seconds, "-i", path.to_str().unwrap(), "-f", "null", "-"];
        output("ffmpeg", &strict);
    }
}

#[test]
fn every_rate_is_exact() {
    for (rate, exact, seconds) in [
        ("24000/1001", "24000/1001", 37.0 * 1001.0 / 24000.0),
        ("29.97", "30000/1001", 37.0 * 1001.0 / 30000.0),
        ("12.5", "25/2", 37.0 / 12.5),
        ("7", "7/1", 37.0 / 7.0),
        ("60", "60/1", 37.0 / 60.0),
        ("1/2", "1/2", 74.0),
        ("10/3", "10/3", 11.1),
    ] {
        let (_folder, path) = place("a.mp4");
        let video = write(&path, &settings(64, 64, rate, Container::Mp4), 37);
        let found = probe(&path);
        assert_eq!((found["avg_frame_rate"].as_str(), found["r_frame_rate"].as_str()), (exact, exact), "{rate}");
        assert_eq!((found["nb_frames"].as_str(), found["nb_read_frames"].as_str()), ("37", "37"), "{rate}");
        let duration: f64 = found["duration"].parse().unwrap();
        assert!((duration - seconds).abs() < 1e-5 && (video.duration.as_secs_f64() - seconds).abs() < 1e-8, "{rate}: {duration}");
    }
}

#[test]
fn a_rate_need_not_be_in_lowest_terms() {
    let (_folder, path) = place("a.mp4");
    let frame_rate = FrameRate { numerator: 4_000_000_000, denominator: 160_000_000 };
    let video = write(&path, &EncoderSettings { frame_rate, ..settings(64, 64, "24", Container::Mp4) }, 5);
    assert_eq!((video.frame_rate, probe(&path)["r_frame_rate"].as_str()), (FrameRate::whole(25), "25/1"));
}

#[test]
fn the_last_frame_stays_as_long_as_the_others() {
    let (_folder, path) = place("a.mp4");
    write(&path, &settings(64, 64, "24000/1001", Container::Mp4), 10);
    let arguments = ["-v", "error", "-show_entries", "packet=pts,duration", "-of", "csv=p=0", path.to_str().unwrap()];
    let text = String::from_utf8(output("ffprobe", &arguments)).unwrap();
    let mut packets: Vec<(i64, i64)> = text
        .lines()
        .map(|line| {
            let mut fields = line.split(',').map(|field| field.parse().unwrap());
            (fields.next().unwrap(), fields.next().unwrap())
        })
        .collect();
    packets.sort_unstable();
    let expected: Vec<(i64, i64)> = (0..10).map(|frame| (frame * 1001, 1001)).collect();
    assert_eq!(packets, expected);
}

#[test]
fn one_frame_makes_a_video() {
    let (_folder, path) = place("a.mp4");
    write(&path, &settings(64, 64, "24", Container::Mp4), 1);
    let found = probe(&path);
    assert_eq!((found["nb_read_frames"].as_str(), found["avg_frame_rate"].as_str()), ("1", "24/1"));
}

#[test]
fn odd_sides_repeat_their_edge() {
    let (_folder, path) = place("a.mp4");
    let video = write(&path, &settings(65, 49, "24", Container::Mp4), 12);
    let found = probe(&path);
    assert_eq!((found["width"].as_str(), found["height"].as_str()), ("66", "50"));
    assert_eq!((video.width, video.height), (66, 50));
    for (number, frame) in decoded(&path, 66, 50).iter().enumerate() {
        let inside = image::imageops::crop_imm(frame, 0, 0, 65, 49).to_image();
        assert!(psnr(&inside, &painted(65, 49, number as u32)) > 30.0);
        let apart = |a: (u32, u32), b: (u32, u32)| {
            let (a, b) = (frame.get_pixel(a.0, a.1), frame.get_pixel(b.0, b.1));
            a.0.iter().zip(b.0).map(|(a, b)| a.abs_diff(b)).max().unwrap()
        };
        assert!((0..49).all(|y| apart((65, y), (64, y)) < 40) && (0..66).all(|x| apart((x, 49), (x, 48)) < 40));
    }
    let refusing = EncoderSettings { odd_size: OddSize::Refuse, ..settings(65, 48, "24", Container::Mp4) };
    let error = VideoEncoder::open(&path.with_extension("2.mp4"), &refusing).unwrap_err().to_string();
    assert!(error.contains("65x48"), "{error}");
}

#[test]
fn quality_and_bit_rate_have_an_effect() {
    let size = |quality| {
        let (_folder, path) = place("a.mp4");
        write(&path, &EncoderSettings { quality, ..settings(160, 120, "25", Container::Mp4) }, 50).bytes
    };
    let usual = size(Quality::Auto);
    assert_eq!(usual, size(Quality::Crf(18)));
    assert!(size(Quality::Crf(40)) < usual / 2 && size(Quality::Crf(5)) > usual);
    // Four seconds of content that uses every bit it gets.
    let (_folder, path) = place("a.mp4");
    let quality = Quality::BitRate(800_000);
    let mut encoder = VideoEncoder::open(&path, &EncoderSettings { quality, ..settings(160, 120, "25", Container::Mp4) }).unwrap();
    for frame in 0..100 {
        encoder.push(&noise(160, 120, frame)).unwrap();
    }
    let bytes = encoder.finish().unwrap().bytes;
    assert!((300_000..500_000).contains(&bytes), "{bytes}");
}

#[test]
fn mp4_holds_other_codecs_when_asked_by_name() {
    for (codec, name) in [(Codec::Mpeg4, "mpeg4"), (Codec::Libx264, "h264"), (Codec::Vp9, "vp9")] {
        let (_folder, path) = place("a.mp4");
        write(&path, &EncoderSettings { codec, ..settings(64, 64, "30000/1001", Container::Mp4) }, 9);
        let found = probe(&path);
        assert_eq!((found["codec_name"].as_str(), found["avg_frame_rate"].as_str()), (name, "30000/1001"));
        assert_eq!(found["nb_read_frames"], "9");
    }
}
