//! Reads the orientation in an Exif block as Pillow 13 does.
//!
//! Exif is a TIFF directory of tags (CIPA DC-008). This module reads one tag, and must not know where the block came from. Invariants:
//! nothing outside the block is read, whatever its offsets are; the work is linear in the block's length. The tolerance for damage is that
//! of Pillow's `ImageFileDirectory_v2.load`: a value of another integer type counts, the first of several values counts, and a truncated
//! directory counts up to the cut.

use std::collections::BTreeSet;

/// The prefix of the directory in JPEG files, and in WebP and PNG files of some writers.
pub(super) const PREFIX: &[u8] = b"Exif\0\0";

/// The orientation tag.
const ORIENTATION: u16 = 0x0112;

/// The block is not a TIFF directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The orientation in a block: `None` if it has none, `Some(0)` if the value is not one of the eight.
///
/// # Errors
/// [`Unreadable`] if the block does not begin with a TIFF header. Pillow raises an error then and looks no further.
pub(super) fn orientation(block: &[u8]) -> Result<Option<u8>, Unreadable> {
    // Removed up to twice: some writers add the prefix to a block that already has it.
    let block = block.strip_prefix(PREFIX).unwrap_or(block);
    let block = block.strip_prefix(PREFIX).unwrap_or(block);
    if block.is_empty() {
        return Ok(None);
    }
    let big_endian = match block.get(..4) {
        // The second of each pair has its 42 in the wrong byte order, which Pillow accepts too.
        Some(b"MM\0\x2a" | b"MM\x2a\0") => true,
        Some(b"II\x2a\0" | b"II\0\x2a") => false,
        _ => return Err(Unreadable),
    };
    let block = Block { bytes: block, big_endian };
    let directory = block.u32(4).ok_or(Unreadable)?;
    Ok(block.orientation(directory as usize))
}

#[derive(Clone, Copy)]
struct Block<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Block<'a> {
    fn slice(&self, start: usize, length: usize) -> Option<&'a [u8]> {
        self.bytes.get(start..start.checked_add(length)?)
    }

    fn array<const N: usize>(&self, start: usize) -> Option<[u8; N]> {
        let mut bytes: [u8; N] = self.slice(start, N)?.try_into().ok()?;
        if !self.big_endian {
            bytes.reverse();
        }
        Some(bytes)
    }

    fn u16(&self, start: usize) -> Option<u16> {
        self.array(start).map(u16::from_be_bytes)
    }

    fn u32(&self, start: usize) -> Option<u32> {
        self.array(start).map(u32::from_be_bytes)
    }

    /// The orientation in the directory at this offset. `None` if the directory is cut off before it.
    fn orientation(&self, directory: usize) -> Option<u8> {
        let mut seen = BTreeSet::new();
        // The bytes of all values outside the directory: together they cannot be longer than the block.
        let mut outside = 0_u64;
        for index in 0..usize::from(self.u16(directory)?) {
            let entry = directory + 2 + 12 * index;
            let (tag, kind, count) = (self.u16(entry)?, self.u16(entry + 2)?, self.u32(entry + 4)?);
            // The whole entry has to be present.
            self.slice(entry, 12)?;
            let Some(kind) = Kind::of(kind) else { continue };
            if seen.contains(&tag) {
                continue;
            }
            let bytes = u64::from(count) * kind.bytes();
            let at = if bytes > 4 {
                outside += bytes;
                if outside > self.bytes.len() as u64 {
                    continue;
                }
                let at = self.u32(entry + 8)? as usize;
                self.slice(at, usize::try_from(bytes).ok()?)?;
                at
            } else {
                entry + 8
            };
            if bytes == 0 {
                continue;
            }
            if tag == ORIENTATION {
                return (1..=8).find(|orientation| self.is(kind, at, *orientation)).or(Some(0));
            }
            seen.insert(tag);
        }
        None
    }

    /// Whether the (first) value here equals this number.
    fn is(&self, kind: Kind, at: usize, number: u8) -> bool {
        let integer = match kind {
            Kind::Bytes => None,
            Kind::SignedByte => self.array(at).map(i8::from_be_bytes).map(i64::from),
            Kind::Short => self.u16(at).map(i64::from),
            Kind::SignedShort => self.array(at).map(i16::from_be_bytes).map(i64::from),
            Kind::Long => self.u32(at).map(i64::from),
            Kind::SignedLong => self.array(at).map(i32::from_be_bytes).map(i64::from),
            Kind::Long8 => self.array(at).map(u64::from_be_bytes).and_then(|value| i64::try_from(value).ok()),
            Kind::Rational => self.ratio(self.u32(at).map(i64::from), self.u32(at + 4).map(i64::from)),
            Kind::SignedRational => {
                let part = |at| self.array(at).map(i32::from_be_bytes).map(i64::from);
                self.ratio(part(at), part(at + 4))
            }
            Kind::Float => return self.array(at).map(f32::from_be_bytes) == Some(f32::from(number)),
            Kind::Double => return self.array(at).map(f64::from_be_bytes) == Some(f64::from(number)),
        };
        integer == Some(i64::from(number))
    }

    /// A fraction, if it is a whole number.
    fn ratio(&self, numerator: Option<i64>, denominator: Option<i64>) -> Option<i64> {
        let (numerator, denominator) = (numerator?, denominator?);
        (denominator != 0 && numerator % denominator == 0).then(|| numerator / denominator)
    }
}

/// TIFF's value types.
#[derive(Clone, Copy)]
enum Kind {
    /// Bytes, text and undefined data, which are never a number to Pillow.
    Bytes,
    Short,
    Long,
    Rational,
    SignedByte,
    SignedShort,
    SignedLong,
    SignedRational,
    Float,
    Double,
    Long8,
}

impl Kind {
    fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 | 2 | 7 => Self::Bytes,
            3 => Self::Short,
            // 13 is the offset of a directory.
            4 | 13 => Self::Long,
            5 => Self::Rational,
            6 => Self::SignedByte,
            8 => Self::SignedShort,
            9 => Self::SignedLong,
            10 => Self::SignedRational,
            11 => Self::Float,
            12 => Self::Double,
            16 => Self::Long8,
            _ => return None,
        })
    }

    fn bytes(self) -> u64 {
        match self {
            Self::Bytes | Self::SignedByte => 1,
            Self::Short | Self::SignedShort => 2,
            Self::Long | Self::SignedLong | Self::Float => 4,
            Self::Rational | Self::SignedRational | Self::Double | Self::Long8 => 8,
        }
    }
}
