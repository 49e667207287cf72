//! Videos: from a raw request to a validated one, and from frames to a file.
//!
//! * [`ScenesRequest`] and [`AnimationRequest`] are what a caller wrote; their `validate` makes a [`VideoSpec`]'s two kinds of them;
//! * [`VideoOutput`] says which file is written and how; [`VideoWriter`] writes it, and is opened before the first frame is made;
//! * [`Timings`] is how fast this machine has been, and what a video will take.

mod estimate;
pub(crate) mod output;
mod request;
mod spec;
mod validate;

pub use self::{
    estimate::Timings,
    output::{GeneratedVideo, VideoOutput, VideoShape, VideoWriter},
    request::{AnimationRequest, FpsRequest, MotionRequest, SceneRequest, ScenesRequest},
    spec::{AnimationSpec, MotionSpec, SceneSpec, ScenesSpec, VideoSpec},
};
