//! The edge to FFmpeg's C where its Rust wrapper has no word for what is needed: the scaler's colours, flags, frames that may be shared,
//! the log, and one signal.
//!
//! The only file of the crate with `unsafe` in it. The invariant: no pointer leaves it, and each block says why it is sound.
#![expect(unsafe_code, reason = "calls into FFmpeg's C libraries; each block says why it is sound")]

use std::{
    cell::RefCell,
    ffi::{CStr, c_char, c_int, c_void},
    mem, ptr,
    sync::Once,
};

use ffmpeg_next::{
    self as ffmpeg, ffi,
    format::{Pixel, context::Output},
    frame, log,
    software::scaling,
};

/// Longest reason that is kept of the log.
const LOG_BYTES: usize = 400;

/// Makes the libraries ready, once for the process. Everything that calls FFmpeg calls this first.
///
/// FFmpeg's log is kept for [`said`] instead of being printed, and where nobody has decided what SIGXFSZ does, it is ignored from here on:
/// without that a write beyond the limit of file sizes ends the process instead of failing.
pub(crate) fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        // Fills tables of error texts; it has no way to fail.
        let _ = ffmpeg::init();
        log::set_level(log::Level::Error);
        // SAFETY: `keep` has the signature that the C side declares (its last parameter's type is inferred from there), may be called
        // from any thread, and does not unwind.
        unsafe { ffi::av_log_set_callback(Some(keep)) };
        ignore_file_size_signal();
    });
}

/// Makes a write beyond the limit of file sizes (`ulimit -f`) fail with an error, like a full disk, where its signal would end the
/// process. Leaves a handler that is set already.
#[cfg(unix)]
pub fn ignore_file_size_signal() {
    // SAFETY: `current` is valid for writes, all zeros are a valid value of it, and SIG_IGN is a valid disposition of this signal.
    unsafe {
        let mut current: libc::sigaction = mem::zeroed();
        if libc::sigaction(libc::SIGXFSZ, ptr::null(), &raw mut current) == 0 && current.sa_sigaction == libc::SIG_DFL {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        }
    }
}

/// Nothing to do: this system has no such signal.
#[cfg(not(unix))]
pub fn ignore_file_size_signal() {}

thread_local! {
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Forgets what FFmpeg said on this thread.
pub(crate) fn forget() {
    let _ = SAID.try_with(|said| said.try_borrow_mut().map(|mut said| said.clear()));
}

/// What FFmpeg said on this thread since [`forget`]: its errors, one after another. Threads of an encoder have logs of their own, which
/// nobody reads.
pub(crate) fn said() -> String {
    SAID.try_with(|said| said.try_borrow().map(|said| said.clone()).unwrap_or_default()).unwrap_or_default()
}

/// Takes a line of FFmpeg's log. `V` is the platform's `va_list`, which has no name that is the same everywhere.
unsafe extern "C" fn keep<V>(object: *mut c_void, level: c_int, format: *const c_char, arguments: V) {
    // The upper bits are a colour.
    if level & 0xff > ffi::AV_LOG_ERROR {
        return;
    }
    type Format<V> = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, V, *mut c_char, c_int, *mut c_int) -> c_int;
    let mut line: [c_char; LOG_BYTES] = [0; LOG_BYTES];
    let mut no_prefix = 0;
    // SAFETY: the function has just this type, `V` being what the same bindings declare for `av_log_set_callback`. The object, the format
    // and its arguments come from FFmpeg for this call; the line is valid for its length, and ends in a zero byte afterwards.
    let text = unsafe {
        let format_line = mem::transmute::<*const (), Format<V>>(ffi::av_log_format_line2 as *const ());
        format_line(object, level, format, arguments, line.as_mut_ptr(), LOG_BYTES as c_int, &raw mut no_prefix);
        CStr::from_ptr(line.as_ptr()).to_string_lossy()
    };
    let _ = SAID.try_with(|said| {
        if let Ok(mut said) = said.try_borrow_mut()
            && said.len() < LOG_BYTES
        {
            if !said.is_empty() && !said.ends_with(' ') {
                said.push(' ');
            }
            said.push_str(text.trim());
        }
    });
}

/// Asks a muxer for bytes without version strings and clocks.
pub(crate) fn make_bitexact(output: &mut Output) {
    // SAFETY: the context is live as long as the output that owns it, which is borrowed for this.
    unsafe { (*output.as_mut_ptr()).flags |= ffi::AVFMT_FLAG_BITEXACT };
}

/// Tells GIF's muxer how long the last frame stands, in its ticks. It does not look at the packet's duration.
pub(crate) fn set_final_delay(output: &mut Output, ticks: i64) -> Result<(), ffmpeg::Error> {
    // SAFETY: the context is live; the muxer's options are an object that starts with its class, or null, which is left alone.
    let code = unsafe {
        let options = (*output.as_mut_ptr()).priv_data;
        if options.is_null() { 0 } else { ffi::av_opt_set_int(options, c"final_delay".as_ptr(), ticks, 0) }
    };
    if code < 0 { Err(code.into()) } else { Ok(()) }
}

/// A frame of this format and size with memory of its own; none if there is no memory.
pub(crate) fn new_frame(format: Pixel, width: u32, height: u32) -> Result<frame::Video, ffmpeg::Error> {
    let frame = frame::Video::new(format, width, height);
    // Where the allocation failed, the frame has no planes, and touching one would panic.
    if frame.planes() == 0 { Err(ffmpeg::Error::Other { errno: ffmpeg::error::ENOMEM }) } else { Ok(frame) }
}

/// Makes sure that nobody else (an encoder that keeps references) sees what is written to the frame from here on.
pub(crate) fn make_writable(frame: &mut frame::Video) -> Result<(), ffmpeg::Error> {
    // SAFETY: the pointer is the frame's own, live while it is borrowed.
    let code = unsafe { ffi::av_frame_make_writable(frame.as_mut_ptr()) };
    if code < 0 { Err(code.into()) } else { Ok(()) }
}

/// Turns pictures of one pixel format into another of the same size.
pub(crate) struct Converter(scaling::Context);

// SAFETY: a scaler of one thread is plain memory behind a pointer, with nothing tied to the thread that made it; it is not shared.
unsafe impl Send for Converter {}

impl Converter {
    /// From full-range RGB. Formats with luma and chroma get BT.709's coefficients and limited range (swscale's own are BT.601's).
    ///
    /// The flags ask for the best filter for chroma, the same bytes on every processor, and no shortcut in rounding.
    pub(crate) fn from_rgb24(width: u32, height: u32, to: Pixel) -> Result<Self, ffmpeg::Error> {
        let flags = scaling::Flags::BICUBIC
            | scaling::Flags::ACCURATE_RND
            | scaling::Flags::FULL_CHR_H_INP
            | scaling::Flags::FULL_CHR_H_INT
            | scaling::Flags::BITEXACT;
        let mut context = scaling::Context::get(Pixel::RGB24, width, height, to, width, height, flags)?;
        if matches!(to, Pixel::YUV420P | Pixel::NV12) {
            let (full, limited) = (1, 0);
            let (brightness, unity) = (0, 1 << 16);
            // SAFETY: the context is live; the tables are constants of the library.
            let code = unsafe {
                let bt709 = ffi::sws_getCoefficients(ffi::SWS_CS_ITU709);
                ffi::sws_setColorspaceDetails(context.as_mut_ptr(), bt709, full, bt709, limited, brightness, unity, unity)
            };
            if code < 0 {
                return Err(code.into());
            }
        }
        Ok(Self(context))
    }

    /// Writes `source` to `target`, both of the formats and size that this was made for.
    pub(crate) fn run(&mut self, source: &frame::Video, target: &mut frame::Video) -> Result<(), ffmpeg::Error> {
        for (frame, made_for) in [(source, self.0.input()), (&*target, self.0.output())] {
            if (frame.format(), frame.width(), frame.height()) != (made_for.format, made_for.width, made_for.height) {
                return Err(ffmpeg::Error::InvalidData);
            }
        }
        let height = self.0.input().height as c_int;
        // SAFETY: both frames have the format and size that the context was made for (just checked) and memory (`new_frame`), and are
        // borrowed; source and target are different frames.
        let rows = unsafe {
            let (from, to) = (source.as_ptr(), target.as_mut_ptr());
            ffi::sws_scale(
                self.0.as_mut_ptr(),
                (*from).data.as_ptr().cast(),
                (*from).linesize.as_ptr(),
                0,
                height,
                (*to).data.as_ptr(),
                (*to).linesize.as_ptr(),
            )
        };
        match rows {
            code if code < 0 => Err(code.into()),
            rows if rows == height => Ok(()),
            _ => Err(ffmpeg::Error::Bug),
        }
    }
}
