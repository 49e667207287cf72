//! Direct calls into FFmpeg's C libraries where the Rust wrapper lacks a function: the scaler's colours, flags, frames that may be shared,
//! the log, and one signal.
//!
//! The only file of the crate with `unsafe`. The invariant: no pointer leaves it, and each block says why it is sound.
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

/// Maximum length of a reason taken from the log.
const LOG_BYTES: usize = 400;

/// Initializes the libraries, once per process. Every user of FFmpeg calls this first.
///
/// FFmpeg's log is kept for [`logged`] instead of being printed. SIGXFSZ is ignored from here on unless it has a handler: otherwise a write
/// beyond the file-size limit would end the process instead of failing.
pub(crate) fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        // Fills tables of error texts; cannot fail.
        let _ = ffmpeg::init();
        log::set_level(log::Level::Error);
        // SAFETY: `keep` has the signature that the C side declares (its last parameter's type is inferred from there), may be called from
        // any thread, and does not unwind.
        unsafe { ffi::av_log_set_callback(Some(keep)) };
        ignore_file_size_signal();
    });
}

/// Makes a write beyond the file-size limit (`ulimit -f`) fail with an error, like a full disk, instead of ending the process with a
/// signal. Leaves an existing handler alone.
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

/// Clears FFmpeg's log of this thread.
pub(crate) fn forget() {
    let _ = SAID.try_with(|said| said.try_borrow_mut().map(|mut said| said.clear()));
}

/// FFmpeg's errors on this thread since [`forget`], one after another. An encoder's own threads have separate logs, which are not read.
pub(crate) fn logged() -> String {
    SAID.try_with(|said| said.try_borrow().map(|said| said.clone()).unwrap_or_default()).unwrap_or_default()
}

/// Receives a line of FFmpeg's log. `V` is the platform's `va_list`, whose name differs between platforms.
unsafe extern "C" fn keep<V>(object: *mut c_void, level: c_int, format: *const c_char, arguments: V) {
    // The upper bits encode a colour.
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

/// Makes a muxer omit version strings and timestamps.
pub(crate) fn make_bitexact(output: &mut Output) {
    // SAFETY: the context is live as long as the output that owns it, which is borrowed for this.
    unsafe { (*output.as_mut_ptr()).flags |= ffi::AVFMT_FLAG_BITEXACT };
}

/// Sets how long the last frame of a GIF is shown, in ticks; GIF's muxer ignores the packet's duration.
pub(crate) fn set_final_delay(output: &mut Output, ticks: i64) -> Result<(), ffmpeg::Error> {
    // SAFETY: the context is live; the muxer's options are an object that starts with its class, or null, which is left alone.
    let code = unsafe {
        let options = (*output.as_mut_ptr()).priv_data;
        if options.is_null() { 0 } else { ffi::av_opt_set_int(options, c"final_delay".as_ptr(), ticks, 0) }
    };
    if code < 0 { Err(code.into()) } else { Ok(()) }
}

/// A frame of this format and size with its own memory; fails if there is no memory.
pub(crate) fn new_frame(format: Pixel, width: u32, height: u32) -> Result<frame::Video, ffmpeg::Error> {
    let frame = frame::Video::new(format, width, height);
    // If the allocation failed, the frame has no planes, and touching one would panic.
    if frame.planes() == 0 { Err(ffmpeg::Error::Other { errno: ffmpeg::error::ENOMEM }) } else { Ok(frame) }
}

/// Makes the frame's memory exclusive, so that no other holder (an encoder that keeps references) sees later writes.
pub(crate) fn make_writable(frame: &mut frame::Video) -> Result<(), ffmpeg::Error> {
    // SAFETY: the pointer is the frame's own, live while it is borrowed.
    let code = unsafe { ffi::av_frame_make_writable(frame.as_mut_ptr()) };
    if code < 0 { Err(code.into()) } else { Ok(()) }
}

/// Converts frames from one pixel format to another of the same size.
pub(crate) struct Converter(scaling::Context);

// SAFETY: a scaler of one thread is plain memory behind a pointer, with nothing tied to the thread that made it; it is not shared.
unsafe impl Send for Converter {}

impl Converter {
    /// From full-range RGB. Formats with luma and chroma get BT.709's coefficients and limited range (swscale defaults to BT.601).
    ///
    /// The flags select the best chroma filter, the same bytes on every processor, and exact rounding.
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

    /// To full-range RGB, from limited-range BT.709 unless the format says otherwise.
    pub(crate) fn to_rgb24(width: u32, height: u32, from: Pixel) -> Result<Self, ffmpeg::Error> {
        let flags = scaling::Flags::BICUBIC | scaling::Flags::ACCURATE_RND | scaling::Flags::FULL_CHR_H_INT | scaling::Flags::BITEXACT;
        let mut context = scaling::Context::get(from, width, height, Pixel::RGB24, width, height, flags)?;
        if matches!(from, Pixel::YUV420P | Pixel::NV12) {
            let (full, limited) = (1, 0);
            let (brightness, unity) = (0, 1 << 16);
            // SAFETY: the context is live; the tables are constants of the library.
            let code = unsafe {
                let bt709 = ffi::sws_getCoefficients(ffi::SWS_CS_ITU709);
                ffi::sws_setColorspaceDetails(context.as_mut_ptr(), bt709, limited, bt709, full, brightness, unity, unity)
            };
            if code < 0 {
                return Err(code.into());
            }
        }
        Ok(Self(context))
    }

    /// Converts `source` into `target`; both must have the formats and size of this converter.
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
