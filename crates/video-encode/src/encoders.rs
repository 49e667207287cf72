//! FFmpeg's encoders: the candidates for a codec in their order, and their options.
//!
//! The invariant: an encoder counts as available only once it has been opened, because FFmpeg also lists hardware encoders that the machine
//! lacks. The crate's README explains the value of each option.

use ffmpeg_next::{
    self as ffmpeg, Dictionary, Rational,
    codec::{self, Flags, encoder, threading},
    color,
    format::Pixel,
};

use crate::{Codec, Container, EncoderSettings, Error, FrameRate, Quality, Result, error::Tried, ffi};

/// FFmpeg's factor from a quantiser to `global_quality` (FF_QP2LAMBDA).
const LAMBDA: f64 = 118.0;
/// Bits per pixel for encoders without constant quality: generous for H.264.
const BITS_PER_PIXEL: f64 = 0.2;
/// H.264's constant rate factor; hard to distinguish from the source frames.
const H264_CRF: u8 = 18;
const VP9_CRF: u8 = 24;
const AV1_CRF: u8 = 22;
const WEBP_QUALITY: u32 = 90;
/// The worst value of H.264's constant quality, for mapping to other scales.
const H264_WORST: u8 = 51;

const LIBX264: &str = "libx264";
const OPENH264: &str = "libopenh264";
const MPEG4: &str = "mpeg4";
const NVENC: &str = "h264_nvenc";
const QSV: &str = "h264_qsv";
const VIDEOTOOLBOX: &str = "h264_videotoolbox";
const VP9: &str = "libvpx-vp9";
const AOM: &str = "libaom-av1";
const GIF: &str = "gif";
const WEBP: &str = "libwebp";
const APNG: &str = "apng";

/// An open encoder.
pub(crate) struct Opened {
    /// FFmpeg's name.
    pub(crate) name: &'static str,
    /// Its input pixel format.
    pub(crate) format: Pixel,
    /// The encoder itself.
    pub(crate) encoder: encoder::video::Encoder,
}

/// What [`probe`] found out about one encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// FFmpeg's name of the encoder.
    pub encoder: &'static str,
    /// Its name in the settings.
    pub codec: Codec,
    /// Why it cannot be used here; `None` if it can.
    pub reason: Option<String>,
}

/// Opens each encoder, hardware included, on a small video, and reports which ones this machine can use.
pub fn probe() -> Vec<Probed> {
    ffi::start();
    let all = [
        (Codec::Libx264, Container::Mp4),
        (Codec::Openh264, Container::Mp4),
        (Codec::Mpeg4, Container::Mp4),
        (Codec::Nvenc, Container::Mp4),
        (Codec::Qsv, Container::Mp4),
        (Codec::VideoToolbox, Container::Mp4),
        (Codec::Vp9, Container::WebM),
        (Codec::Av1, Container::WebM),
    ];
    let mut found = Vec::new();
    for (codec, container) in all {
        // Some hardware refuses smaller sizes.
        let settings = EncoderSettings { codec, ..EncoderSettings::new(256, 256, FrameRate::whole(24), container) };
        for encoder in candidates(&settings) {
            let reason = open_one(encoder, &settings, Rational(1, 24), true).err().map(|tried| tried.reason);
            found.push(Probed { encoder, codec, reason });
        }
    }
    found
}

/// Opens the first working encoder for the settings. Its clock ticks in `time_base`.
pub(crate) fn open(settings: &EncoderSettings, time_base: Rational, global_header: bool) -> Result<Opened> {
    first_of(candidates(settings), settings, time_base, global_header)
}

fn first_of(encoders: &[&'static str], settings: &EncoderSettings, time_base: Rational, global_header: bool) -> Result<Opened> {
    let mut tried = Vec::new();
    for encoder in encoders {
        match open_one(encoder, settings, time_base, global_header) {
            Ok(opened) => return Ok(opened),
            Err(reason) => tried.push(reason),
        }
    }
    Err(Error::NoEncoder { wanted: settings.codec, tried, package: package(settings) })
}

/// FFmpeg's names, best first.
fn candidates(settings: &EncoderSettings) -> &'static [&'static str] {
    match (settings.container, settings.codec) {
        (Container::Gif, _) => &[GIF],
        // Not libwebp_anim, which keeps the whole file in memory until the end and gives the last frame the mean duration of the others.
        (Container::WebP, _) => &[WEBP],
        (Container::Apng, _) => &[APNG],
        (Container::PngFolder, _) => &[],
        (Container::WebM, Codec::Auto) => &[VP9, AOM],
        (_, Codec::Auto | Codec::H264) => &[LIBX264, OPENH264],
        (_, Codec::Libx264) => &[LIBX264],
        (_, Codec::Openh264) => &[OPENH264],
        (_, Codec::Mpeg4) => &[MPEG4],
        (_, Codec::Hardware) => &[NVENC, QSV, VIDEOTOOLBOX],
        (_, Codec::Nvenc) => &[NVENC],
        (_, Codec::Qsv) => &[QSV],
        (_, Codec::VideoToolbox) => &[VIDEOTOOLBOX],
        (_, Codec::Vp9) => &[VP9],
        // Not libsvtav1: it prints to standard error regardless of settings, and closing one that took no frame hangs forever.
        (_, Codec::Av1) => &[AOM],
    }
}

fn package(settings: &EncoderSettings) -> &'static str {
    match settings.codec {
        Codec::Nvenc => "NVIDIA's driver with libnvidia-encode1, on a GPU that has an encoder",
        Codec::Qsv => "libmfx-gen1.2, on a machine with Intel's graphics",
        Codec::VideoToolbox => "nothing: it is part of macOS only",
        Codec::Hardware => "the graphics card's driver, or ask for h264",
        Codec::Openh264 => "an FFmpeg built with --enable-libopenh264, or ask for h264",
        Codec::Auto | Codec::H264 | Codec::Libx264 | Codec::Mpeg4 | Codec::Vp9 | Codec::Av1 => {
            "libavcodec-extra (Debian, Ubuntu) or another full build of FFmpeg"
        }
    }
}

fn open_one(name: &'static str, settings: &EncoderSettings, time_base: Rational, global_header: bool) -> Result<Opened, Tried> {
    ffi::forget();
    open_quietly(name, settings, time_base, global_header).map_err(|error| {
        let reason = match (error, ffi::logged()) {
            (ffmpeg::Error::EncoderNotFound, _) => "not in this build of FFmpeg".to_owned(),
            (error, said) if said.is_empty() => error.to_string(),
            (_, said) => said,
        };
        Tried { encoder: name, reason }
    })
}

fn open_quietly(name: &'static str, settings: &EncoderSettings, time_base: Rational, global_header: bool) -> Result<Opened, ffmpeg::Error> {
    let codec = encoder::find_by_name(name).ok_or(ffmpeg::Error::EncoderNotFound)?;
    let format = match name {
        GIF => Pixel::PAL8,
        WEBP => Pixel::BGRA,
        APNG => Pixel::RGB24,
        QSV => Pixel::NV12,
        _ => Pixel::YUV420P,
    };
    let mut context = codec::Context::new_with_codec(codec);
    context.set_threading(threading::Config::count(settings.threads as usize));
    let mut flags = Flags::BITEXACT;
    flags.set(Flags::GLOBAL_HEADER, global_header);
    let mut video = context.encoder().video()?;
    let (width, height) = settings.written_size();
    let rate = settings.frame_rate;
    video.set_width(width);
    video.set_height(height);
    video.set_format(format);
    video.set_time_base(time_base);
    video.set_frame_rate(Some(rational(rate)));
    video.set_aspect_ratio(Rational(1, 1));
    if settings.halves_colour() {
        video.set_colorspace(color::Space::BT709);
        video.set_color_primaries(color::Primaries::BT709);
        video.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
        video.set_color_range(color::Range::MPEG);
        // Players can seek to a key frame every two seconds.
        video.set_gop((rate.as_f64() * 2.0).round().clamp(1.0, 600.0) as u32);
    }
    let mut options = Dictionary::new();
    let bits = match settings.quality {
        Quality::BitRate(bits) => Some(bits),
        Quality::Auto | Quality::Crf(_) | Quality::Lossless => None,
    };
    let crf = |usual: u8| match settings.quality {
        Quality::Crf(crf) => crf,
        Quality::Auto | Quality::BitRate(_) | Quality::Lossless => usual,
    };
    let usual_bits = (f64::from(width) * f64::from(height) * rate.as_f64() * BITS_PER_PIXEL) as u64;
    if let Some(bits) = bits {
        video.set_bit_rate(usize::try_from(bits).unwrap_or(usize::MAX));
    }
    match name {
        LIBX264 => {
            // FFmpeg's own default for this encoder. Otherwise frames after a key frame may refer to frames before it, and browsers fail when
            // they seek there.
            flags |= Flags::CLOSED_GOP;
            options.set("preset", "medium");
            options.set("profile", "high");
            // Otherwise the bytes depend on the processor, and with AVX-512 on stale heap contents (r3095, widths that are no multiple of
            // 128): its fast estimates of how much later frames need a block are approximations.
            options.set("x264-params", "cpu-independent=1");
            if bits.is_none() {
                options.set("crf", &crf(H264_CRF).to_string());
            }
        }
        OPENH264 | VIDEOTOOLBOX => {
            options.set("profile", "high");
            video.set_bit_rate(usize::try_from(bits.unwrap_or(usual_bits)).unwrap_or(usize::MAX));
        }
        NVENC => {
            options.set("profile", "high");
            if bits.is_none() {
                options.set("rc", "vbr");
                options.set("cq", &crf(H264_CRF).to_string());
            }
        }
        QSV => {
            options.set("profile", "high");
            if bits.is_none() {
                video.set_global_quality(crf(H264_CRF).into());
            }
        }
        MPEG4 if bits.is_none() => {
            flags |= Flags::QSCALE;
            video.set_global_quality((mpeg4_quantiser(crf(H264_CRF)) * LAMBDA) as i32);
        }
        VP9 => {
            options.set("deadline", "good");
            options.set("cpu-used", "4");
            if bits.is_none() {
                options.set("crf", &crf(VP9_CRF).to_string());
                video.set_bit_rate(0);
            }
        }
        AOM => {
            options.set("cpu-used", "6");
            if bits.is_none() {
                options.set("crf", &crf(AV1_CRF).to_string());
                video.set_bit_rate(0);
            }
        }
        WEBP => match settings.quality {
            Quality::Lossless => {
                options.set("lossless", "1");
                // Effort: libwebp's preset for speed takes a quarter of the time for slightly more bytes.
                options.set("quality", "50");
            }
            Quality::Auto | Quality::Crf(_) | Quality::BitRate(_) => {
                options.set("quality", &webp_quality(settings.quality).to_string());
            }
        },
        _ => {}
    }
    video.set_flags(flags);
    Ok(Opened { name, format, encoder: video.open_as_with(codec, options)? })
}

/// The quantiser of MPEG-4 part 2 (1 to 31) whose step equals H.264's: H.264's step doubles every 6, MPEG-4's quantiser is half its step.
fn mpeg4_quantiser(crf: u8) -> f64 {
    (0.3125 * (f64::from(crf) / 6.0).exp2()).round().clamp(1.0, 31.0)
}

/// WebP's quality, 0 to 100 with 100 the best, from H.264's scale.
fn webp_quality(quality: Quality) -> u32 {
    match quality {
        Quality::Crf(crf) => 100 - u32::from(crf.min(H264_WORST)) * 100 / u32::from(H264_WORST),
        Quality::Auto | Quality::BitRate(_) | Quality::Lossless => WEBP_QUALITY,
    }
}

/// Converts to FFmpeg's fraction; its terms are signed, and [`FrameRate::new`] keeps ours far below their limit.
pub(crate) fn rational(rate: FrameRate) -> Rational {
    let term = |term: u32| i32::try_from(term).unwrap_or(i32::MAX);
    Rational(term(rate.numerator), term(rate.denominator))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_error_names_what_was_tried_and_what_to_install() {
        ffi::start();
        let settings = EncoderSettings::new(64, 64, FrameRate::whole(24), Container::Mp4);
        let error = first_of(&["libx999", "libx998"], &settings, Rational(1, 24), true).err().unwrap().to_string();
        assert!(error.contains("libx999 (not in this build of FFmpeg), libx998"), "{error}");
        assert!(error.contains("libavcodec-extra"), "{error}");
    }

    #[test]
    fn ffmpegs_message_is_the_reason() {
        ffi::start();
        let settings = EncoderSettings { quality: Quality::Crf(60), ..EncoderSettings::new(63, 64, FrameRate::whole(24), Container::Gif) };
        // GIF does not need even sides, so these stay odd, which libx264 refuses.
        let tried = open_one(LIBX264, &settings, Rational(1, 24), true).err().unwrap();
        assert!(tried.reason.contains("not divisible by 2"), "{tried}");
    }

    #[test]
    fn scales_of_quality_are_mapped() {
        assert_eq!([1, 18, 24, 30, 51].map(mpeg4_quantiser), [1.0, 3.0, 5.0, 10.0, 31.0]);
        assert_eq!([0, 51].map(|crf| webp_quality(Quality::Crf(crf))), [100, 0]);
    }

    #[test]
    fn probing_opens_what_this_machine_has() {
        let found = probe();
        let usable = |codec| found.iter().any(|probed| probed.codec == codec && probed.reason.is_none());
        assert!(usable(Codec::Libx264) && usable(Codec::Mpeg4) && usable(Codec::Vp9), "{found:?}");
        assert!(found.iter().filter_map(|probed| probed.reason.as_deref()).all(|reason| !reason.is_empty()));
    }
}
