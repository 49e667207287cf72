//! Calendar months in UTC, by the store's clock. Budgets are counted per month.

use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::{Timestamp, tz::Offset};

/// A month of the Gregorian calendar, written as "2026-11".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// The year, from 1970 to 9999.
    pub year: u16,
    /// From 1 to 12.
    pub month: u8,
}

impl Month {
    /// The month in UTC of a time; times before 1970 count as its first month.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Times beyond the calendar's range count as its last month.
        let time = Timestamp::try_from(UNIX_EPOCH + since).unwrap_or(Timestamp::MAX);
        let date = Offset::UTC.to_datetime(time);
        Self { year: u16::try_from(date.year()).unwrap_or(9999), month: u8::try_from(date.month()).unwrap_or(1) }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// A text that is not a month.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a month: {0:?}; write it as 2026-11")]
pub struct InvalidMonth(pub String);

impl FromStr for Month {
    type Err = InvalidMonth;

    fn from_str(text: &str) -> Result<Self, InvalidMonth> {
        let invalid = || InvalidMonth(text.chars().take(20).collect());
        let (year, month) = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2).ok_or_else(invalid)?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(year) || !is_number(month) {
            return Err(invalid());
        }
        let (year, month) = (year.parse().map_err(|_| invalid())?, month.parse().map_err(|_| invalid())?);
        if (1970..=9999).contains(&year) && (1..=12).contains(&month) { Ok(Self { year, month }) } else { Err(invalid()) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;

    #[test]
    fn a_month_begins_at_midnight_in_utc() {
        // Seconds computed by GNU date: `date -u -d 2024-02-29 +%s`.
        for (seconds, expected) in [
            (0, "1970-01"),
            (2_678_399, "1970-01"),
            (2_678_400, "1970-02"),
            (951_782_400, "2000-02"),
            (951_868_800, "2000-03"),
            (1_709_164_800, "2024-02"),
            (1_709_251_200, "2024-03"),
            (1_764_547_199, "2025-11"),
            (1_764_547_200, "2025-12"),
            (1_767_225_600, "2026-01"),
            (4_107_542_399, "2100-02"),
            (4_107_542_400, "2100-03"),
            (u64::MAX >> 12, "9999-12"),
        ] {
            let month = Month::of(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(month.to_string(), expected, "{seconds}");
            assert_eq!(expected.parse::<Month>().unwrap(), month);
        }
        assert_eq!(Month::of(UNIX_EPOCH - Duration::from_secs(1)).to_string(), "1970-01");
        for text in ["", "2026", "2026-13", "2026-00", "26-11", "2026-1", "+026-11", "2026-11-01", "1969-12"] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
