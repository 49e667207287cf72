//! Compares our encoder with the `ffmpeg` command: the same raw frames from the same file, the same settings, alternating.
//!
//! `cargo bench -p benches --bench encoder [-- SECONDS]`. Each round runs both, and the order changes with each round; the ratio is of the
//! medians. The command's time includes its start, which is why a clip has several seconds. The decoded frames of both files must be
//! bit-identical: otherwise the two would do different work. Results are in `results/`.

use std::{
    fs::File,
    io::{BufWriter, Read as _, Write as _},
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use image::{Rgb, RgbImage};
use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder};

const SIDE: u32 = 512;
const RATE: u32 = 24;
const ROUNDS: usize = 5;

/// A panning landscape, a moving sun and a little grain: roughly like a model's output.
fn frame(number: u32) -> RgbImage {
    let mut grain = number.wrapping_mul(2_654_435_761);
    let time = number as f32 / RATE as f32;
    let sun = (256.0 + 180.0 * time.sin(), 140.0 + 60.0 * time.cos());
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (fx, fy) = (x as f32, y as f32);
        let hill = 330.0 + 60.0 * ((fx + 20.0 * time) / 70.0).sin() + 8.0 * ((fx + 20.0 * time) / 9.0).sin();
        let glow = (1.0 - ((fx - sun.0).hypot(fy - sun.1) / 120.0)).max(0.0);
        let base = if fy > hill {
            let leaf = 20.0 * ((fx + 20.0 * time) / 3.0).sin() * (fy / 5.0).cos();
            [40.0 + leaf, 90.0 + leaf, 30.0]
        } else {
            [110.0 + 0.2 * fy + 130.0 * glow, 150.0 + 0.1 * fy + 90.0 * glow, 230.0 - 0.2 * fy]
        };
        Rgb(base.map(|value| (value + (grain >> 30) as f32).clamp(0.0, 255.0) as u8))
    })
}

fn ours(raw: &Path, target: &Path, settings: &EncoderSettings) -> Result<u64> {
    let mut encoder = VideoEncoder::open(target, settings)?;
    let mut file = File::open(raw)?;
    let mut image = RgbImage::new(SIDE, SIDE);
    for _ in 0..file.metadata()?.len() / image.as_raw().len() as u64 {
        file.read_exact(&mut image)?;
        encoder.push(&image)?;
    }
    Ok(encoder.finish()?.frames)
}

fn command(raw: &Path, target: &Path, settings: &EncoderSettings) -> Result<()> {
    let size = format!("{SIDE}x{SIDE}");
    let (rate, gop, threads) = (RATE.to_string(), (2 * RATE).to_string(), settings.threads.to_string());
    let scale = "scale=in_range=full:out_range=limited:out_color_matrix=bt709:\
                 flags=bicubic+accurate_rnd+full_chroma_inp+full_chroma_int+bitexact,format=yuv420p";
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-r", &rate, "-i"]).arg(raw);
    command.args(["-vf", scale, "-c:v", "libx264", "-preset", "medium", "-profile:v", "high", "-crf", "18", "-g", &gop]);
    command.args(["-threads", &threads, "-x264-params", "cpu-independent=1", "-flags", "bitexact", "-fflags", "bitexact"]);
    command.args(["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]);
    let status = command.args(["-movflags", "+faststart"]).arg(target).status().context("the ffmpeg command")?;
    ensure!(status.success(), "ffmpeg: {status}");
    Ok(())
}

/// Timestamps and hashes of the decoded frames, from the ffmpeg command.
fn images(path: &Path) -> Result<Vec<String>> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(path).args(["-f", "framemd5", "-"]).output()?;
    // The header has versions, and the square pixels that only our files declare.
    Ok(String::from_utf8(output.stdout)?.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect())
}

/// CPU seconds of this process and of its waited-for children, on Linux (proc(5): fields 14 to 17 of stat).
fn processor_seconds() -> Option<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may contain spaces.
    let fields: Vec<f64> = text.rsplit_once(')')?.1.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // The state is not a number, so that the first field here is the parent's id.
    let [user, system, child_user, child_system] = *fields.get(10..14)? else { return None };
    // Ticks of 1/100 s, as on every current Linux.
    Some(((user + system) / 100.0, (child_user + child_system) / 100.0))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::print_stdout, reason = "a bench prints its results")]
fn main() -> Result<()> {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse::<u32>().ok()).unwrap_or(10);
    let folder = tempfile::tempdir()?;
    let raw = folder.path().join("frames.rgb");
    let frames = seconds * RATE;
    let mut writer = BufWriter::new(File::create(&raw)?);
    for number in 0..frames {
        writer.write_all(&frame(number))?;
    }
    writer.flush()?;

    let settings = EncoderSettings::new(SIDE, SIDE, FrameRate::whole(RATE), Container::Mp4);
    let (our_file, their_file) = (folder.path().join("ours.mp4"), folder.path().join("theirs.mp4"));
    let (mut our_seconds, mut their_seconds) = (Vec::new(), Vec::new());
    let before = processor_seconds();
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let start = Instant::now();
            if (round + turn) % 2 == 0 {
                ensure!(ours(&raw, &our_file, &settings)? == u64::from(frames), "not all frames were written");
                our_seconds.push(start.elapsed().as_secs_f64());
            } else {
                command(&raw, &their_file, &settings)?;
                their_seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    let after = processor_seconds();
    ensure!(images(&our_file)? == images(&their_file)?, "the two files show different pictures: the settings are not the same");
    let (our_rate, their_rate) = (f64::from(frames) / median(our_seconds), f64::from(frames) / median(their_seconds));
    println!("{frames} frames of {SIDE}x{SIDE}, libx264 medium, crf 18, {} threads, median of {ROUNDS}", settings.threads);
    println!("video-encode    {our_rate:8.1} frames/s");
    println!("ffmpeg command  {their_rate:8.1} frames/s");
    println!("ratio           {:8.3}", our_rate / their_rate);
    // CPU time, which other load on the machine disturbs less.
    if let (Some(before), Some(after)) = (before, after) {
        let (ours, theirs) = (after.0 - before.0, after.1 - before.1);
        println!("processor time  {ours:.2} s and {theirs:.2} s, ratio {:.3}", theirs / ours);
    }
    Ok(())
}
