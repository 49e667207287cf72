//! A kept part as a file: the images that a model made of it, with a digest at the end.
//!
//! It must not know where the file lies. The invariant: a file that is cut, damaged or another part's is refused before an image is read.
//!
//! The file begins with [`MAGIC`] and the part's key. Each image follows as a tag, two numbers, a length and a PNG file: lossless, some ten
//! times smaller than its pixels, and read at the speed of a few milliseconds an image. The last 32 bytes are the SHA-256 of all before.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
};

use diffusion_core::journal::Run;
use image::{ImageFormat, RgbImage};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::keys::PartKey;
use crate::png;

const MAGIC: &[u8; 20] = b"framewright part 1\n\0";
const DIGEST: u64 = 32;
/// The longest image: more than the largest one has as plain pixels.
const MOST_BYTES: u32 = 1 << 30;

/// An image's place in its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    tag: u8,
    run: u32,
    frame: u32,
}

impl Label {
    /// The place of a run's image, whichever scene it is; `None` if it is no image of a video of scenes.
    pub(super) fn of(run: Run, frame: usize) -> Option<Self> {
        let (tag, run, frame) = match run {
            Run::Image { .. } => return None,
            Run::Scene { .. } => (1, 0, frame),
            Run::Motion { run, .. } => (2, run, frame),
            // A run between two scenes makes one image.
            Run::Between { frame, .. } => (3, 0, frame),
        };
        Some(Self { tag, run: u32::try_from(run).ok()?, frame: u32::try_from(frame).ok()? })
    }
}

/// A part that is being written.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) key: PartKey,
    pub(super) images: usize,
    pub(super) bytes: u64,
    file: BufWriter<NamedTempFile>,
    hasher: Sha256,
}

impl Recording {
    /// Begins a part in this file, which is removed unless the part is finished.
    ///
    /// # Errors
    /// For all of these: the operating system's.
    pub(super) fn begin(file: NamedTempFile, key: PartKey) -> io::Result<Self> {
        let mut recording = Self { key, images: 0, bytes: 0, file: BufWriter::new(file), hasher: Sha256::new() };
        recording.write(MAGIC)?;
        recording.write(key.bytes())?;
        Ok(recording)
    }

    /// Adds an image.
    pub(super) fn add(&mut self, label: Label, image: &RgbImage) -> io::Result<()> {
        let png = png::encode_fast(image).map_err(io::Error::other)?;
        let length = u32::try_from(png.len()).ok().filter(|length| *length <= MOST_BYTES);
        let length = length.ok_or_else(|| io::Error::other("the image is too large"))?;
        self.write(&[label.tag])?;
        for number in [label.run, label.frame, length] {
            self.write(&number.to_le_bytes())?;
        }
        self.write(&png)?;
        self.images += 1;
        Ok(())
    }

    /// The complete file, under its temporary name.
    pub(super) fn end(mut self) -> io::Result<(NamedTempFile, u64)> {
        let digest = std::mem::take(&mut self.hasher).finalize();
        self.file.write_all(&digest)?;
        Ok((self.file.into_inner().map_err(io::IntoInnerError::into_error)?, self.bytes + DIGEST))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

/// A kept part that is open: it stays readable if its file is removed.
#[derive(Debug)]
pub(super) struct Entry {
    file: File,
    images: Vec<(Label, u64, u32)>,
}

impl Entry {
    /// Opens a part's file, and checks all of it.
    ///
    /// # Errors
    /// The operating system's; [`io::ErrorKind::InvalidData`] for a file that is not whole, or another part's.
    pub(super) fn open(file: File, key: PartKey) -> io::Result<Self> {
        let end = file.metadata()?.len().saturating_sub(DIGEST);
        let mut reader = Hashing { reader: BufReader::with_capacity(1 << 16, &file), hasher: Sha256::new(), at: 0 };
        let mut magic = [0; MAGIC.len()];
        reader.fill(&mut magic)?;
        let mut of_key = [0; 32];
        reader.fill(&mut of_key)?;
        if magic != *MAGIC || of_key != *key.bytes() {
            return Err(invalid("it is no kept part of this key"));
        }
        let mut images = Vec::new();
        while reader.at < end {
            let mut tag = [0];
            reader.fill(&mut tag)?;
            let [tag] = tag;
            let (run, frame, length) = (reader.number()?, reader.number()?, reader.number()?);
            if length > MOST_BYTES || reader.at.saturating_add(u64::from(length)) > end {
                return Err(invalid("an image is cut"));
            }
            images.push((Label { tag, run, frame }, reader.at, length));
            reader.skip(length)?;
        }
        let found = reader.hasher.finalize();
        let mut digest = [0; DIGEST as usize];
        reader.reader.read_exact(&mut digest)?;
        if digest[..] != found[..] {
            return Err(invalid("its digest differs"));
        }
        drop(reader.reader);
        Ok(Self { file, images })
    }

    /// An image of the part.
    ///
    /// # Errors
    /// The operating system's, and for an image that cannot be decoded.
    pub(super) fn image(&mut self, label: Label) -> io::Result<Option<RgbImage>> {
        let Some((_, at, length)) = self.images.iter().find(|(of, ..)| *of == label) else { return Ok(None) };
        let mut png = vec![0; *length as usize];
        self.file.seek(SeekFrom::Start(*at))?;
        self.file.read_exact(&mut png)?;
        let image = image::load_from_memory_with_format(&png, ImageFormat::Png).map_err(io::Error::other)?;
        Ok(Some(image.into_rgb8()))
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Hashes what it reads.
struct Hashing<'a> {
    reader: BufReader<&'a File>,
    hasher: Sha256,
    at: u64,
}

impl Hashing<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(bytes)?;
        self.hasher.update(&*bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn number(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn skip(&mut self, length: u32) -> io::Result<()> {
        let (mut left, mut buffer) = (length as usize, [0; 1 << 14]);
        while left > 0 {
            let take = left.min(buffer.len());
            self.fill(buffer.get_mut(..take).unwrap_or_default())?;
            left -= take;
        }
        Ok(())
    }
}
