//! Encoder settings: size, rate, codec, quality.
//!
//! Plain values; nothing here opens anything. The invariant: settings accepted by [`EncoderSettings::check`] are within the container's
//! limits, so that only the machine (its libraries, its disk) can still fail.

use std::{fmt, str::FromStr};

use crate::{Container, Error, FrameRate, Result};

/// Longest side in pixels: H.264's and WebP's limit.
pub const MAX_SIDE: u32 = 16_383;
/// Maximum pixels of a frame: slightly over 8K (7680x4320).
pub const MAX_PIXELS: u64 = 1 << 25;
/// Default encoder threads. Fixed and independent of the machine, because the bytes depend on it.
pub(crate) const DEFAULT_THREADS: u32 = 2;
/// Maximum encoder threads.
pub(crate) const MAX_THREADS: u32 = 64;
/// GIF counts hundredths of a second, and browsers play a delay of one hundredth as ten.
pub(crate) const FASTEST_GIF: FrameRate = FrameRate::whole(50);

/// The codec. `auto`, `h264` and `hardware` stand for the first of several encoders that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// The most widely playable: [`Codec::H264`] in MP4, [`Codec::Vp9`] or else [`Codec::Av1`] in WebM. The only choice for GIF, WebP and
    /// PNG.
    Auto,
    /// libx264, else openh264. Never a hardware encoder, whose bytes differ between machines.
    H264,
    /// libx264 (GPL).
    Libx264,
    /// Cisco's openh264 (BSD). It has no constant quality.
    Openh264,
    /// MPEG-4 part 2, which every FFmpeg has and no browser plays.
    Mpeg4,
    /// The first H.264 encoder of [`Codec::Nvenc`], [`Codec::Qsv`] and [`Codec::VideoToolbox`] that can be opened.
    Hardware,
    /// NVIDIA's. (Data-centre GPUs such as H100 have none.)
    Nvenc,
    /// Intel's.
    Qsv,
    /// Apple's.
    VideoToolbox,
    /// libvpx's VP9.
    Vp9,
    /// libaom's AV1.
    Av1,
}

impl Codec {
    /// All codecs.
    pub const ALL: [Self; 11] = [
        Self::Auto,
        Self::H264,
        Self::Libx264,
        Self::Openh264,
        Self::Mpeg4,
        Self::Hardware,
        Self::Nvenc,
        Self::Qsv,
        Self::VideoToolbox,
        Self::Vp9,
        Self::Av1,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::H264 => "h264",
            Self::Libx264 => "libx264",
            Self::Openh264 => "openh264",
            Self::Mpeg4 => "mpeg4",
            Self::Hardware => "hardware",
            Self::Nvenc => "h264_nvenc",
            Self::Qsv => "h264_qsv",
            Self::VideoToolbox => "h264_videotoolbox",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
        }
    }
}

/// FFmpeg's names where they exist: `auto`, `h264`, `libx264`, `openh264`, `mpeg4`, `hardware`, `h264_nvenc`, `vp9`, ...
impl fmt::Display for Codec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Parses the names that [`fmt::Display`] gives.
impl FromStr for Codec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, "codec", text)
    }
}

/// How much detail is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quality {
    /// Visually lossless: see the crate's README for each codec.
    Auto,
    /// Constant quality, 0 is best: 1 to 51 for H.264 (and mapped to the scales of MPEG-4 and WebP), 0 to 63 for VP9 and AV1.
    Crf(u8),
    /// Bits per second, on average.
    BitRate(u64),
    /// Lossless: WebP, and the only quality of PNG.
    Lossless,
}

/// How an odd width or height is handled in a codec that stores colour for blocks of 2x2 pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OddSize {
    /// Repeat the last column or row once.
    Pad,
    /// Fail with an error.
    Refuse,
}

/// Everything that determines a file's bytes, except the frames.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EncoderSettings {
    /// Width of each frame, in pixels.
    pub width: u32,
    /// Height of each frame, in pixels.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: FrameRate,
    /// The container format.
    pub container: Container,
    /// The codec.
    pub codec: Codec,
    /// The quality.
    pub quality: Quality,
    /// How an odd width or height is handled.
    pub odd_size: OddSize,
    /// The encoder's threads, 1 to 64. The bytes depend on it, so it is a setting and not the machine's number of cores.
    pub threads: u32,
}

impl EncoderSettings {
    /// The container's default codec and quality, odd sizes padded, two threads.
    pub fn new(width: u32, height: u32, frame_rate: FrameRate, container: Container) -> Self {
        Self {
            width,
            height,
            frame_rate,
            container,
            codec: Codec::Auto,
            quality: Quality::Auto,
            odd_size: OddSize::Pad,
            threads: DEFAULT_THREADS,
        }
    }

    /// Checks whether a machine with every encoder could write this.
    ///
    /// # Errors
    /// [`Error::FrameRate`], [`Error::Size`], [`Error::OddSize`], [`Error::TooFast`], [`Error::Combination`], [`Error::Quality`] or
    /// [`Error::Threads`].
    pub fn check(&self) -> Result<()> {
        let rate = FrameRate::new(self.frame_rate.numerator, self.frame_rate.denominator)?;
        let (width, height) = (self.width, self.height);
        let pixels = u64::from(width) * u64::from(height);
        if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
            return Err(Error::Size { width, height });
        }
        if self.odd_size == OddSize::Refuse && self.halves_colour() && (width % 2 == 1 || height % 2 == 1) {
            return Err(Error::OddSize { width, height });
        }
        if self.container == Container::Gif && rate.as_f64() > FASTEST_GIF.as_f64() {
            return Err(Error::TooFast { rate });
        }
        if self.threads == 0 || self.threads > MAX_THREADS {
            return Err(Error::Threads { found: self.threads });
        }
        let holds = match self.container {
            Container::Mp4 => true,
            Container::WebM => matches!(self.codec, Codec::Auto | Codec::Vp9 | Codec::Av1),
            Container::Gif | Container::WebP | Container::Apng | Container::PngFolder => self.codec == Codec::Auto,
        };
        if !holds {
            return Err(Error::Combination { codec: self.codec, container: self.container });
        }
        let expressible = match (self.container, self.quality) {
            (_, Quality::Auto) | (Container::WebP | Container::Apng | Container::PngFolder, Quality::Lossless) => true,
            (Container::Mp4 | Container::WebM, Quality::BitRate(bits)) => (1_000..=10_000_000_000).contains(&bits),
            (Container::WebP, Quality::Crf(crf)) => crf <= 51,
            (Container::Mp4 | Container::WebM, Quality::Crf(crf)) => match self.codec {
                Codec::Vp9 | Codec::Av1 => crf <= 63,
                Codec::Auto if self.container == Container::WebM => crf <= 63,
                // H.264's 0 is lossless, in a profile that browsers do not play.
                Codec::Auto | Codec::H264 | Codec::Libx264 | Codec::Mpeg4 | Codec::Hardware | Codec::Nvenc | Codec::Qsv => {
                    (1..=51).contains(&crf)
                }
                Codec::Openh264 | Codec::VideoToolbox => false,
            },
            (Container::Mp4 | Container::WebM, Quality::Lossless)
            | (Container::WebP, Quality::BitRate(_))
            | (Container::Gif | Container::Apng | Container::PngFolder, _) => false,
        };
        if expressible { Ok(()) } else { Err(Error::Quality { quality: self.quality, codec: self.codec, container: self.container }) }
    }

    /// Whether colour is stored for blocks of 2x2 pixels, which requires even sides.
    pub(crate) fn halves_colour(&self) -> bool {
        matches!(self.container, Container::Mp4 | Container::WebM)
    }

    /// The size of the written video.
    pub(crate) fn written_size(&self) -> (u32, u32) {
        let even = |side: u32| if self.halves_colour() { side + side % 2 } else { side };
        (even(self.width), even(self.height))
    }
}

/// The value with this name.
pub(crate) fn named<T: Copy + fmt::Display>(all: &[T], what: &'static str, text: &str) -> Result<T> {
    let known = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    all.iter().copied().find(|value| value.to_string() == text).ok_or_else(|| Error::UnknownName {
        what,
        name: text.to_owned(),
        known: known(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_round_trip() {
        for codec in Codec::ALL {
            assert_eq!(codec.to_string().parse::<Codec>().unwrap(), codec);
        }
        for container in Container::ALL {
            assert_eq!(container.to_string().parse::<Container>().unwrap(), container);
        }
        let error = "h265".parse::<Codec>().unwrap_err().to_string();
        assert!(error.contains("h265") && error.contains("libx264"), "{error}");
    }

    #[test]
    fn unsupported_combinations_are_refused() {
        let good = |container| EncoderSettings::new(64, 48, FrameRate::whole(24), container);
        for container in Container::ALL {
            good(container).check().unwrap();
        }
        let size = |width, height| EncoderSettings { width, height, ..good(Container::Mp4) }.check();
        for (width, height) in [(0, 48), (64, 0), (16_384, 16), (8192, 8192), (u32::MAX, u32::MAX)] {
            assert!(matches!(size(width, height), Err(Error::Size { .. })), "{width}x{height}");
        }
        size(7680, 4320).unwrap();
        let with = |container, codec, quality| EncoderSettings { codec, quality, ..good(container) }.check();
        assert!(matches!(with(Container::WebM, Codec::Libx264, Quality::Auto), Err(Error::Combination { .. })));
        assert!(matches!(with(Container::Gif, Codec::Vp9, Quality::Auto), Err(Error::Combination { .. })));
        assert!(matches!(with(Container::Mp4, Codec::Auto, Quality::Crf(0)), Err(Error::Quality { .. })));
        assert!(matches!(with(Container::Mp4, Codec::Auto, Quality::Lossless), Err(Error::Quality { .. })));
        assert!(matches!(with(Container::Gif, Codec::Auto, Quality::Crf(20)), Err(Error::Quality { .. })));
        with(Container::WebM, Codec::Auto, Quality::Crf(63)).unwrap();
        with(Container::WebP, Codec::Auto, Quality::Lossless).unwrap();
        let fast = EncoderSettings { frame_rate: FrameRate::whole(60), ..good(Container::Gif) };
        assert!(matches!(fast.check(), Err(Error::TooFast { .. })));
        let never = EncoderSettings { frame_rate: FrameRate { numerator: 0, denominator: 0 }, ..good(Container::Mp4) };
        assert!(matches!(never.check(), Err(Error::FrameRate(_))));
        let threads = EncoderSettings { threads: 0, ..good(Container::Mp4) };
        assert!(matches!(threads.check(), Err(Error::Threads { found: 0 })));
    }

    #[test]
    fn odd_sides_are_padded_or_refused_where_they_matter() {
        let odd = |container, odd_size| EncoderSettings { odd_size, ..EncoderSettings::new(63, 48, FrameRate::whole(24), container) };
        assert_eq!(odd(Container::Mp4, OddSize::Pad).written_size(), (64, 48));
        assert_eq!(odd(Container::Gif, OddSize::Pad).written_size(), (63, 48));
        assert!(matches!(odd(Container::Mp4, OddSize::Refuse).check(), Err(Error::OddSize { .. })));
        odd(Container::Gif, OddSize::Refuse).check().unwrap();
    }
}
