//! Start times and durations of frames, in a container's ticks.
//!
//! The invariant: only start times are rounded, never durations, so that errors do not accumulate.

use ffmpeg_next::Rational;

use crate::{Container, EncoderSettings, FrameRate, encoders};

/// GIF's clock: hundredths of a second.
const GIF_TICKS: u32 = 100;
/// WebP's clock: thousandths of a second.
const WEBP_TICKS: u32 = 1000;

/// Computes start times and durations of frames in an encoder's ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// One tick per frame.
    Frames(FrameRate),
    /// This many ticks a second, as GIF and WebP count; start times are rounded, so that the mean rate is exact.
    Ticks(FrameRate, u32),
}

impl Clock {
    /// The container's clock.
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

    /// The start time of a frame; frames count from 0.
    pub(crate) fn start_of(self, frame: u64) -> i64 {
        match self {
            Self::Frames(_) => i64::try_from(frame).unwrap_or(i64::MAX),
            Self::Ticks(rate, ticks) => rate.ticks(frame, ticks),
        }
    }

    /// The duration of a frame.
    pub(crate) fn duration_of(self, frame: u64) -> i64 {
        self.start_of(frame + 1) - self.start_of(frame)
    }
}
