//! Frames per second as an exact fraction.
//!
//! It must not know a container. The invariant: a requested fraction is never rounded; a decimal number becomes the fraction that it stands
//! for (29.97 is NTSC's 30000/1001, 12.5 is 25/2).

use std::{fmt, str::FromStr, time::Duration};

/// Maximum numerator and denominator: players store them in 32 bits, and multiply them.
const LARGEST_TERM: u32 = 1_000_000;
/// Allowed frames per second. Below, one frame would last minutes; above, no container keeps time well.
const SLOWEST: f64 = 0.01;
const FASTEST: f64 = 1000.0;
/// The nominal rates of television that are slower by 1001/1000.
const NTSC: [u32; 6] = [24, 30, 48, 60, 120, 240];

/// Frames per second: numerator / denominator, both positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    /// Frames in `denominator` seconds.
    pub numerator: u32,
    /// Seconds.
    pub denominator: u32,
}

/// An invalid frame rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no frame rate: give frames a second from 0.01 to 1000 as a number (24, 12.5) or a fraction (30000/1001)")]
pub struct InvalidFrameRate {
    /// The invalid value.
    pub found: String,
}

impl FrameRate {
    /// A whole number of frames per second.
    pub const fn whole(frames_per_second: u32) -> Self {
        Self { numerator: frames_per_second, denominator: 1 }
    }

    /// The fraction in lowest terms.
    ///
    /// # Errors
    /// If it is not within 0.01 to 1000, or a term is over a million in lowest terms.
    pub fn new(numerator: u32, denominator: u32) -> Result<Self, InvalidFrameRate> {
        let invalid = || InvalidFrameRate { found: format!("{numerator}/{denominator}") };
        let divisor = greatest_common_divisor(numerator, denominator);
        if numerator == 0 || denominator == 0 || divisor == 0 {
            return Err(invalid());
        }
        let rate = Self { numerator: numerator / divisor, denominator: denominator / divisor };
        let valid = rate.numerator <= LARGEST_TERM && rate.denominator <= LARGEST_TERM && (SLOWEST..=FASTEST).contains(&rate.as_f64());
        if valid { Ok(rate) } else { Err(invalid()) }
    }

    /// The fraction for a decimal number: NTSC's if one is within 0.005 (23.98, 29.97), else the simplest within a billionth.
    ///
    /// # Errors
    /// If it is not within 0.01 to 1000.
    pub fn from_f64(frames_per_second: f64) -> Result<Self, InvalidFrameRate> {
        let invalid = || InvalidFrameRate { found: frames_per_second.to_string() };
        if !(SLOWEST..=FASTEST).contains(&frames_per_second) {
            return Err(invalid());
        }
        let ntsc = |name: &&u32| (f64::from(**name) * 1000.0 / 1001.0 - frames_per_second).abs() < 0.005;
        if frames_per_second.fract() != 0.0
            && let Some(name) = NTSC.iter().find(ntsc)
        {
            return Self::new(name * 1000, 1001);
        }
        // A continued fraction: each step is the best approximation of its size.
        let (mut before, mut last) = ((0u64, 1u64), (1u64, 0u64));
        let mut rest = frames_per_second;
        loop {
            let whole = rest.floor() as u64;
            let next = (whole * last.0 + before.0, whole * last.1 + before.1);
            if next.0.max(next.1) > u64::from(LARGEST_TERM) {
                break;
            }
            (before, last) = (last, next);
            let error = (last.0 as f64 / last.1 as f64 - frames_per_second).abs();
            if error <= frames_per_second * 1e-9 || rest.fract() == 0.0 {
                break;
            }
            rest = 1.0 / rest.fract();
        }
        let term = |term: u64| u32::try_from(term).map_err(|_| invalid());
        Self::new(term(last.0)?, term(last.1)?).map_err(|_| invalid())
    }

    /// Frames per second as a floating-point number.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// The duration of this many frames, to the nearest nanosecond.
    pub fn duration_of(self, frames: u64) -> Duration {
        let nanoseconds = self.ticks(frames, 1_000_000_000);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// The start of a frame on a clock of `ticks_per_second`, to the nearest tick.
    pub(crate) fn ticks(self, frame: u64, ticks_per_second: u32) -> i64 {
        let (numerator, denominator) = (u128::from(self.numerator.max(1)), u128::from(self.denominator));
        let ticks = (u128::from(frame) * denominator * u128::from(ticks_per_second) + numerator / 2) / numerator;
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A number or a fraction.
impl FromStr for FrameRate {
    type Err = InvalidFrameRate;

    fn from_str(text: &str) -> Result<Self, InvalidFrameRate> {
        let invalid = || InvalidFrameRate { found: text.to_owned() };
        let rate = match text.split_once('/') {
            Some((numerator, denominator)) => {
                let term = |term: &str| term.trim().parse().map_err(|_| invalid());
                Self::new(term(numerator)?, term(denominator)?)
            }
            None => Self::from_f64(text.trim().parse().map_err(|_| invalid())?),
        };
        rate.map_err(|_| invalid())
    }
}

/// As [`FromStr`] reads it: `24`, `30000/1001`.
impl fmt::Display for FrameRate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.numerator)?;
        if self.denominator == 1 { Ok(()) } else { write!(formatter, "/{}", self.denominator) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_text_becomes_the_intended_fraction() {
        for (text, numerator, denominator) in [
            ("24", 24, 1),
            ("30000/1001", 30000, 1001),
            ("29.97", 30000, 1001),
            ("29.97002997", 30000, 1001),
            ("23.976", 24000, 1001),
            ("23.98", 24000, 1001),
            ("59.94", 60000, 1001),
            ("12.5", 25, 2),
            ("50/4", 25, 2),
            ("7.2", 36, 5),
            ("0.1", 1, 10),
            ("3.3333333333", 10, 3),
            ("14.985", 2997, 200),
            ("1000", 1000, 1),
        ] {
            let rate: FrameRate = text.parse().unwrap();
            assert_eq!((rate.numerator, rate.denominator), (numerator, denominator), "{text}");
            assert_eq!(rate.to_string().parse::<FrameRate>().unwrap(), rate);
        }
    }

    #[test]
    fn invalid_rates_are_refused() {
        for text in ["", "0", "-1", "0/1", "1/0", "0/0", "nan", "inf", "1e9", "1001", "0.001", "24/", "/1", "1/2/3", "4000000000/1"] {
            let error = text.parse::<FrameRate>().unwrap_err();
            assert!(error.to_string().contains("30000/1001"), "{text}: {error}");
        }
    }

    #[test]
    fn ticks_do_not_drift() {
        let rate = FrameRate { numerator: 30000, denominator: 1001 };
        assert_eq!(rate.ticks(30000, 100), 100_100);
        assert_eq!(rate.ticks(1, 100), 3);
        assert_eq!(FrameRate::whole(24).duration_of(48), Duration::from_secs(2));
    }
}
