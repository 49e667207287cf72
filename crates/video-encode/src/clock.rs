//! When frames start and how long they stay, in the ticks that a container counts.
//!
//! The invariant: starts are rounded, never lengths, so that no error adds up.

use ffmpeg_next::Rational;

use crate::{Container, EncoderSettings, FrameRate, encoders};

/// GIF counts hundredths of a second.
const GIF_TICKS: u32 = 100;
/// WebP counts thousandths.
const WEBP_TICKS: u32 = 1000;

/// When frames start and how long they stay, in an encoder's ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// A tick is a frame.
    Frames(FrameRate),
    /// So many ticks a second, which GIF and WebP count; starts are rounded, so that the mean rate is right.
    Ticks(FrameRate, u32),
}

impl Clock {
    /// The container's.
    pub(crate) fn of(settings: &EncoderSettings) -> Self {
        match settings.container {
            Container::Gif => Self::Ticks(settings.frame_rate, GIF_TICKS),
            Container::WebP => Self::Ticks(settings.frame_rate, WEBP_TICKS),
            Container::Mp4 | Container::WebM | Container::Apng | Container::PngFolder => Self::Frames(settings.frame_rate),
        }
    }

    /// A tick in seconds.
    pub(crate) fn time_base(self) -> Rational {
        match self {
            Self::Frames(rate) => encoders::rational(rate).invert(),
            Self::Ticks(_, ticks) => encoders::rational(FrameRate::whole(ticks)).invert(),
        }
    }

    /// When a frame starts; the first is number 0.
    pub(crate) fn start_of(self, frame: u64) -> i64 {
        match self {
            Self::Frames(_) => i64::try_from(frame).unwrap_or(i64::MAX),
            Self::Ticks(rate, ticks) => rate.ticks(frame, ticks),
        }
    }

    /// How long it stays.
    pub(crate) fn duration_of(self, frame: u64) -> i64 {
        self.start_of(frame + 1) - self.start_of(frame)
    }
}
