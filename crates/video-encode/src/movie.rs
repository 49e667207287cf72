//! Writes one file through FFmpeg: frames to packets, packets into a container.
//!
//! The invariant: frame i starts at i / rate and lasts until (i + 1) / rate, the last one too, to the precision of the container's clock;
//! as many frames come out as went in; the file is in place once [`Movie::finish`] has returned, and deleted if anything failed.

use std::{
    io,
    path::{Path, PathBuf},
};

use ffmpeg_next::{
    self as ffmpeg, Dictionary, Packet, Rational,
    format::{
        self,
        context::{Output, StreamIo},
        flag,
    },
};
use image::RgbImage;
use tempfile::NamedTempFile;

use crate::{
    Container, EncoderSettings, Error, Result,
    clock::Clock,
    encoders::{self, Opened},
    ffi,
    frame_converter::FrameConverter,
    gif::Palettes,
    staging::{Staged, WriteRecord},
};

/// FFmpeg's write buffer in bytes.
const BUFFER: usize = 1 << 18;
/// A video file being written. Dropping it deletes the incomplete file.
pub(crate) struct Movie {
    // Field order matters: the output's last bytes are flushed before the staged file is deleted.
    output: Output,
    opened: Opened,
    converter: FrameConverter,
    palettes: Option<Palettes>,
    staged: Staged,
    record: WriteRecord,
    target: PathBuf,
    clock: Clock,
    stream_time_base: Rational,
    pushed: u64,
    written: u64,
}

impl Movie {
    /// Opens the file, the encoder and the container, and writes the container's header.
    pub(crate) fn open(target: &Path, settings: &EncoderSettings) -> Result<Self> {
        ffi::start();
        ffi::forget();
        let staged = Staged::create(target)?;
        let (writer, record) = staged.writer()?;
        let failed = |doing, source| blame(target, &record, doing, source);
        // The colon keeps FFmpeg from parsing a part of the path as a protocol. FFmpeg opens the file a second time, by name, to make space
        // for the index in front.
        let staged_path = staged.path().to_str().ok_or_else(|| Error::NotUtf8 { path: target.to_owned() })?;
        let url = format!("file:{staged_path}");
        let muxer = match settings.container {
            Container::Mp4 => "mp4",
            Container::WebM => "webm",
            Container::WebP => "webp",
            Container::Apng => "apng",
            Container::Gif | Container::PngFolder => "gif",
        };
        let clock = Clock::of(settings);
        let stream = StreamIo::from_write_seek_with_capacity(writer, BUFFER).map_err(|error| failed("opening the file", error))?;
        let mut output = format::output_to_stream(stream, Some(&url), Some(muxer)).map_err(|error| failed("opening the file", error))?;
        ffi::make_bitexact(&mut output);
        let global_header = output.format().flags().contains(flag::Flags::GLOBAL_HEADER);
        let opened = encoders::open(settings, clock.time_base(), global_header)?;

        let rate = encoders::rational(settings.frame_rate);
        let mut stream = output.add_stream_with(&opened.encoder).map_err(|error| failed("adding the stream", error))?;
        stream.set_time_base(clock.time_base());
        stream.set_avg_frame_rate(rate);
        stream.set_rate(rate);
        let mut options = Dictionary::new();
        match settings.container {
            Container::Mp4 => options.set("movflags", "+faststart"),
            Container::WebP | Container::Gif => options.set("loop", "0"),
            Container::Apng => options.set("plays", "0"),
            Container::WebM | Container::PngFolder => {}
        }
        output.write_header_with(options).map_err(|error| failed("writing the header", error))?;
        let stream_time_base = output.stream(0).map_or(clock.time_base(), |stream| stream.time_base());

        let (width, height) = settings.written_size();
        let format = if settings.container == Container::Gif { Palettes::INPUT } else { opened.format };
        let converter = FrameConverter::new(width, height, format).map_err(|error| failed("making the scaler", error))?;
        let palettes = (settings.container == Container::Gif)
            .then(|| Palettes::new(width, height, clock.time_base()))
            .transpose()
            .map_err(|error| failed("making the palette filter", error))?;
        let movie = Self {
            output,
            opened,
            converter,
            palettes,
            staged,
            record,
            target: target.to_owned(),
            clock,
            stream_time_base,
            pushed: 0,
            written: 0,
        };
        movie.check_writes()?;
        Ok(movie)
    }

    /// FFmpeg's name of the encoder.
    pub(crate) fn encoder(&self) -> &'static str {
        self.opened.name
    }

    /// Adds a frame of the size that the video was opened for.
    pub(crate) fn push(&mut self, frame: &RgbImage) -> Result<()> {
        ffi::forget();
        let converted = match self.converter.convert(frame) {
            Ok(converted) => converted,
            Err(error) => return Err(self.failed("converting a frame", error)),
        };
        converted.set_pts(Some(self.clock.start_of(self.pushed)));
        let sent = match &mut self.palettes {
            Some(palettes) => palettes.push(converted),
            None => self.opened.encoder.send_frame(converted),
        };
        sent.map_err(|error| self.failed("encoding a frame", error))?;
        self.pushed += 1;
        self.encode_filtered()?;
        self.write_packets(false)
    }

    /// Writes the encoder's remaining frames and the container's trailer, and puts the file in place, or the one that `seal` makes of it.
    /// Returns its size in bytes.
    pub(crate) fn finish(mut self, seal: impl FnOnce(&Path) -> io::Result<Option<NamedTempFile>>) -> Result<u64> {
        ffi::forget();
        if let Some(palettes) = &mut self.palettes {
            palettes.flush().map_err(|error| self.failed("making the last palette", error))?;
            self.encode_filtered()?;
        }
        self.opened.encoder.send_eof().map_err(|error| self.failed("encoding the last frames", error))?;
        self.write_packets(true)?;
        if self.written != self.pushed {
            return Err(Error::Lost { path: self.target, pushed: self.pushed, written: self.written });
        }
        if self.palettes.is_some() {
            let last = self.clock.duration_of(self.pushed.saturating_sub(1));
            ffi::set_final_delay(&mut self.output, last).map_err(|error| self.failed("setting the last delay", error))?;
        }
        self.output.write_trailer().map_err(|error| self.failed("writing the end", error))?;
        self.check_writes()?;
        let Self { output, staged, record, target, .. } = self;
        // Flushes; errors show only in the record.
        drop(output);
        check_writes(&record, &target)?;
        staged.sealed(seal)?.persist()
    }

    /// Encodes the frames that the palette filter has ready.
    fn encode_filtered(&mut self) -> Result<()> {
        while let Some(palettes) = &mut self.palettes {
            let sent = match palettes.next() {
                Ok(Some(frame)) => self.opened.encoder.send_frame(frame),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            sent.map_err(|error| self.failed("encoding a frame", error))?;
            // GIF's encoder gives one packet per frame, and takes no second frame before that.
            self.write_packets(false)?;
        }
        Ok(())
    }

    /// Writes the packets that the encoder has ready; at the end of the stream (`last`), all of them.
    fn write_packets(&mut self, last: bool) -> Result<()> {
        loop {
            let mut packet = Packet::empty();
            match self.opened.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof) if last => break,
                Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) if !last => break,
                Err(error) => return Err(self.failed("encoding a frame", error)),
            }
            let mut packet = without_version(packet);
            packet.set_duration(self.clock.duration_of(self.written));
            packet.rescale_ts(self.clock.time_base(), self.stream_time_base);
            packet.set_stream(0);
            packet.write_interleaved(&mut self.output).map_err(|error| self.failed("writing a frame", error))?;
            self.written += 1;
        }
        self.check_writes()
    }

    fn check_writes(&self) -> Result<()> {
        check_writes(&self.record, &self.target)
    }

    fn failed(&self, doing: &'static str, source: ffmpeg::Error) -> Error {
        blame(&self.target, &self.record, doing, source)
    }
}

/// Removes libx264's version message. It puts its version and all its options before the first frame, as an unregistered SEI message
/// (H.264, D.1.6), but a video's bytes must depend only on its frames.
fn without_version(packet: Packet) -> Packet {
    const START: [u8; 3] = [0, 0, 1];
    const UNREGISTERED: [u8; 2] = [6, 5];
    // x264's own identifier.
    const X264: [u8; 16] = [0xdc, 0x45, 0xe9, 0xbd, 0xe6, 0xd9, 0x48, 0xb7, 0x96, 0x2c, 0xd8, 0x20, 0xd9, 0x23, 0xee, 0xef];
    let Some(data) = packet.data() else { return packet };
    let Some(start) = data.iter().position(|byte| *byte != 0) else { return packet };
    let Some(body) = data.get(start + 1..).filter(|_| start >= 2 && data.get(start) == Some(&1)) else { return packet };
    // The message's length, in bytes of 255 and a remainder, lies between the two.
    let is_version = body.starts_with(&UNREGISTERED) && body.get(..32).unwrap_or(body).windows(X264.len()).any(|bytes| bytes == X264);
    let next = body.windows(START.len()).position(|bytes| bytes == START);
    let Some(rest) = next.filter(|_| is_version).and_then(|next| body.get(next..)) else { return packet };
    let mut shorter = Packet::copy(rest);
    shorter.set_pts(packet.pts());
    shorter.set_dts(packet.dts());
    shorter.set_flags(packet.flags());
    shorter
}

/// The operating system's error if there was one, else FFmpeg's.
fn blame(path: &Path, record: &WriteRecord, doing: &'static str, source: ffmpeg::Error) -> Error {
    match record.take() {
        Some(source) => Error::File { path: path.to_owned(), doing, source },
        None => {
            let said = ffi::logged();
            let detail = if said.is_empty() { said } else { format!(" ({said})") };
            Error::Ffmpeg { path: path.to_owned(), doing, detail, source }
        }
    }
}

/// FFmpeg continues after some failed writes, so each call checks here for one.
fn check_writes(record: &WriteRecord, path: &Path) -> Result<()> {
    match record.take() {
        Some(source) => Err(Error::File { path: path.to_owned(), doing: "writing", source }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_is_removed() {
        let mut message = vec![0, 0, 0, 1, 6, 5, 0xff, 0x11];
        message.extend([0xdc, 0x45, 0xe9, 0xbd, 0xe6, 0xd9, 0x48, 0xb7, 0x96, 0x2c, 0xd8, 0x20, 0xd9, 0x23, 0xee, 0xef]);
        message.extend(b"x264 - core 164\x80");
        let image = [0, 0, 1, 0x65, 1, 2, 3, 0, 0, 1, 6, 5, 9];
        message.extend(image);
        assert_eq!(without_version(Packet::copy(&message)).data(), Some(&image[..]));
        for other in [&image[..], &[0, 0, 1, 6, 5, 3, 1, 2, 3, 0, 0, 1, 0x65], &[], &[0], &[1], &[0, 0, 1]] {
            assert_eq!(without_version(Packet::copy(other)).data().unwrap_or_default(), other);
        }
    }
}
