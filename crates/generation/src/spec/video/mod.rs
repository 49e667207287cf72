//! Videos: from an unchecked request to a validated spec, and from frames to a file.
//!
//! * [`ScenesRequest`], [`AnimationRequest`] and [`ClipRequest`] are what a caller sent; their `validate` returns the three local kinds of
//!   a [`VideoSpec`];
//! * [`VideoOutput`](crate::video::VideoOutput) tells where and how a file is written; [`VideoWriter`](crate::video::VideoWriter) writes
//!   it, and is opened before the first frame is made;
//! * [`Timings`](crate::video::Timings) are this machine's measured speeds, from which the duration of a video is estimated.

mod clip;
mod instead;
mod remote;
mod request;
mod spec;
mod validate;
mod validate_clip;

pub(crate) use self::remote::provider_of;
pub use self::{
    clip::{ClipRequest, ClipRules, ClipSpec, RepaintSpec},
    remote::RemoteVideoSpec,
    request::{AnimationRequest, FpsRequest, MotionRequest, SceneRequest, ScenesRequest},
    spec::{AnimationSpec, MotionSpec, SceneSpec, ScenesSpec, VideoSpec},
    validate::{
        DEFAULT_CONDITIONING_FPS, DEFAULT_FPS, DEFAULT_MOTION_BUCKET_ID, DEFAULT_MOTION_GUIDANCE, DEFAULT_NOISE_AUG_STRENGTH,
        DEFAULT_SCENE_SECONDS, DEFAULT_SIDE, DEFAULT_TRANSITION_FRAMES, JOINS, SOURCES,
    },
};
