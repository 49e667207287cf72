//! A folder of numbered PNG files, which another run can resume.
//!
//! The invariant: a file with a frame's name contains the whole frame. Each frame is written under a temporary name and then renamed. The
//! temporary name is always the same, so that a killed run leaves at most one such file and the next run overwrites it.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Cursor, Write as _},
    path::{Path, PathBuf},
};

use image::{
    DynamicImage, ImageDecoder as _, ImageEncoder as _, RgbImage,
    codecs::png::{PngDecoder, PngEncoder},
};

use crate::{Error, Result, ffi};

/// The staged frame; its name does not start like a frame's.
const STAGED: &str = ".frame.part";
/// The end of every PNG file: the empty chunk IEND and its checksum. Decoders do not insist on it.
const LAST_CHUNK: [u8; 12] = *b"\0\0\0\0IEND\xaeB\x60\x82";

/// A folder that frames are written to.
#[derive(Debug)]
pub struct PngFolder {
    path: PathBuf,
    width: u32,
    height: u32,
    next: u64,
    bytes: u64,
}

impl PngFolder {
    /// The name of a frame's file: `frame-000000.png`, counting from 0.
    pub fn frame_name(frame: u64) -> String {
        format!("frame-{frame:06}.png")
    }

    /// The number of complete frames of the same size in a folder, from the first on: a missing or undecodable frame ends the count. A
    /// missing folder has none.
    pub fn whole_frames(path: &Path) -> u64 {
        let mut size = None;
        let mut frames = 0;
        while let Some(found) = whole(&path.join(Self::frame_name(frames))) {
            if *size.get_or_insert(found) != found {
                break;
            }
            frames += 1;
        }
        frames
    }

    /// Creates the folder if necessary; the next frame gets the number `first_frame`. Existing frames stay until they are overwritten.
    ///
    /// # Errors
    /// [`Error::Size`], or [`Error::File`] if the folder cannot be created or written to.
    pub fn open(path: &Path, width: u32, height: u32, first_frame: u64) -> Result<Self> {
        // The process's file-size limit applies here too.
        ffi::ignore_file_size_signal();
        if width == 0 || height == 0 {
            return Err(Error::Size { width, height });
        }
        let failed = |source| Error::File { path: path.to_owned(), doing: "making the folder", source };
        fs::create_dir_all(path).map_err(failed)?;
        // Whether the folder is writable shows only by creating a file.
        let staged = path.join(STAGED);
        File::create(&staged).and_then(|_| fs::remove_file(&staged)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), width, height, next: first_frame, bytes: 0 })
    }

    /// Writes the next frame.
    ///
    /// # Errors
    /// [`Error::FrameSize`]; [`Error::File`] and [`Error::Image`] if it cannot be written. No part of the frame remains.
    pub fn push(&mut self, frame: &RgbImage) -> Result<()> {
        if frame.dimensions() != (self.width, self.height) {
            return Err(Error::FrameSize { expected: (self.width, self.height), found: frame.dimensions() });
        }
        let staged = self.path.join(STAGED);
        let target = self.path.join(Self::frame_name(self.next));
        let written = write_png(&staged, frame).and_then(|bytes| {
            fs::rename(&staged, &target).map_err(image::ImageError::IoError)?;
            Ok(bytes)
        });
        match written {
            Ok(bytes) => {
                self.bytes += bytes;
                self.next += 1;
                Ok(())
            }
            Err(error) => {
                // The file may not exist.
                let _ = fs::remove_file(&staged);
                Err(if let image::ImageError::IoError(source) = error {
                    Error::File { path: target, doing: "writing", source }
                } else {
                    Error::Image { path: target, source: error }
                })
            }
        }
    }

    /// Removes frames of an earlier, longer video after the last one; returns the number of bytes written.
    ///
    /// # Errors
    /// [`Error::File`] if one cannot be removed.
    pub fn finish(self) -> Result<u64> {
        for frame in self.next.. {
            let stale = self.path.join(Self::frame_name(frame));
            match fs::remove_file(&stale) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(source) => return Err(Error::File { path: stale, doing: "removing an earlier video's frame", source }),
            }
        }
        Ok(self.bytes)
    }
}

fn write_png(path: &Path, frame: &RgbImage) -> Result<u64, image::ImageError> {
    let mut writer = BufWriter::new(File::create(path)?);
    let (width, height) = frame.dimensions();
    PngEncoder::new(&mut writer).write_image(frame.as_raw(), width, height, image::ExtendedColorType::Rgb8)?;
    writer.flush()?;
    Ok(writer.get_ref().metadata()?.len())
}

/// The size of an image that is complete and decodes.
fn whole(path: &Path) -> Option<(u32, u32)> {
    // Opening a FIFO of that name would block.
    let bytes = path.is_file().then(|| fs::read(path).ok()).flatten().filter(|bytes| bytes.ends_with(&LAST_CHUNK))?;
    let decoder = PngDecoder::new(Cursor::new(bytes)).ok()?;
    let size = decoder.dimensions();
    DynamicImage::from_decoder(decoder).ok()?;
    Some(size)
}
