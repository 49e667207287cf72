//! Palettes for GIF: 256 colours for each frame, selected and dithered by FFmpeg's palettegen and paletteuse.
//!
//! The invariant: memory holds only a few frames, whatever the video's length. A palette for the whole video would need all frames first
//! and shows banding in scenes of other colours; one per frame looks best and costs 768 bytes a frame.

use ffmpeg_next::{self as ffmpeg, Rational, filter, format::Pixel, frame};

use crate::ffi;

/// The filter graph: each frame is split, its palette generated, and both are combined again.
pub(crate) struct Palettes {
    graph: filter::Graph,
    ready: frame::Video,
}

impl Palettes {
    /// The input format.
    pub(crate) const INPUT: Pixel = Pixel::RGB24;

    /// For frames of this size, with times in `time_base`.
    pub(crate) fn new(width: u32, height: u32, time_base: Rational) -> Result<Self, ffmpeg::Error> {
        let mut graph = filter::Graph::new();
        let find = |name| ffmpeg::filter::find(name).ok_or(ffmpeg::Error::FilterNotFound);
        let arguments = format!(
            "video_size={width}x{height}:pix_fmt=rgb24:time_base={}/{}:pixel_aspect=1/1",
            time_base.numerator(),
            time_base.denominator()
        );
        graph.add(&find("buffer")?, "in", &arguments)?;
        graph.add(&find("buffersink")?, "out", "")?;
        let chain = "[in]split[frame][sample];\
                     [sample]palettegen=stats_mode=single:reserve_transparent=0[palette];\
                     [frame][palette]paletteuse=new=1:dither=sierra2_4a,format=pal8[out]";
        graph.output("in", 0)?.input("out", 0)?.parse(chain)?;
        graph.validate()?;
        Ok(Self { graph, ready: frame::Video::empty() })
    }

    /// Adds a frame with its time.
    pub(crate) fn push(&mut self, frame: &frame::Video) -> Result<(), ffmpeg::Error> {
        // The graph keeps the frame, while the caller's buffer is overwritten with the next one.
        let mut own = ffi::new_frame(Self::INPUT, frame.width(), frame.height())?;
        own.clone_from(frame);
        own.set_pts(frame.pts());
        self.graph.get("in").ok_or(ffmpeg::Error::Bug)?.source().add(&own)
    }

    /// Signals the end of the frames.
    pub(crate) fn flush(&mut self) -> Result<(), ffmpeg::Error> {
        self.graph.get("in").ok_or(ffmpeg::Error::Bug)?.source().flush()
    }

    /// The next frame with its palette, in order; None if the graph needs more frames, or is flushed and empty.
    pub(crate) fn next(&mut self) -> Result<Option<&frame::Video>, ffmpeg::Error> {
        match self.graph.get("out").ok_or(ffmpeg::Error::Bug)?.sink().frame(&mut self.ready) {
            Ok(()) => Ok(Some(&self.ready)),
            Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
