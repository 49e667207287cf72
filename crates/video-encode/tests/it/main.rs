//! video-encode against files that FFmpeg's own programs read.
