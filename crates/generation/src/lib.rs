//! From a raw request to finished images and videos: validation, jobs, and the backends that do the work.
//!
//! A request's path, in the order of the modules:
//!
//! * [`ImageRequest`] is what the caller sent; its `validate` turns it into an [`ImageSpec`], or returns every [`FieldError`] at once;
//!   videos likewise;
//! * [`UpscaleRequest`] becomes an [`UpscaleSpec`] in the same way;
//! * [`Work`] is one of these specs; [`jobs::Jobs::submit`], the only way in, takes it, held or stored;
//! * the dispatcher hands it to a [`Backend`] that accepts it: [`LocalBackend`] is this machine's device, [`RemoteBackend`] a provider
//!   elsewhere;
//! * the output goes into an artifact store, or to the caller who waits for it;
//! * [`Previews`] are images of a running job, made only while a client wants them.
//!
//! Nothing here reads the environment, the clock or a global random number generator: seeds, settings and the clock arrive as values.
//! Nothing here knows HTTP or the command line.
//!
//! Floors inside the crate (a module imports only modules further left; a test checks this):
//! artifact, histogram, model_identity, model_info, png, sandbox -> image_file -> preview, spec -> work -> backend -> dispatch -> jobs.

pub mod artifact;
pub mod backend;
mod dispatch;
mod histogram;
mod image_file;
pub mod jobs;
mod model_identity;
mod model_info;
pub mod png;
pub mod preview;
pub mod sandbox;
pub mod spec;
mod work;

/// Videos: requests, validated specs, the output file, and timings.
pub mod video {
    pub use crate::{
        backend::{
            local::timings::Timings,
            parts::{PartCounts, PartKind, ScenePart},
            video_file::{GeneratedVideo, VideoOutput, VideoShape, VideoWriter},
        },
        spec::video::*,
    };
    pub use video_encode::{ContactSheet, decode};
}

pub use artifact::ArtifactError;
pub use backend::{
    Backend, BackendError, GeneratedImage, JobContext, JobOutput, JobProgress, Readiness, Refusal,
    job::CancelSwitch,
    local::{
        LocalBackend, LocalSettings,
        local_model::Adapters,
        memory::MemoryPlan,
        metrics::StepMetrics,
        model::{DeviceModel, ImageOutput, LoadedModel, ModelState, ModelStatus},
        parameters::sampler,
        pool::{LoadWatch, ModelSetup, ModelView, MotionView, OpenModel, PoolSettings},
        upscalers::Upscalers,
    },
    remote::{RemoteBackend, RemoteSettings},
    too_large::{MemoryRequest, TooLarge},
};
pub use dispatch::metrics::JobMetrics;
pub use histogram::Histogram;
pub use image_file::ImageFormat;
pub use jobs::{SubmitError, journal::FolderJournal};
pub use model_identity::ModelIdentity;
pub use model_info::{ModelDefaults, ModelInfo, TruncatedText, is_controlnet};
pub use preview::{Preview, PreviewOf, PreviewSlot, Previews};
pub use spec::{
    UpscaleRequest, UpscaleSpec, UpscaledSize,
    choices::Choices,
    field_error::{self, FieldError, FieldErrorKind},
    given_image,
    image::{
        CannySpec, ControlRequest, ControlSpec, ControlsSpec, HiresRequest, HiresSpec, ImageMode, ImageRequest, ImageSpec, MaskContent,
        MaskRequest, MaskSpec, RefinerSpec, ResizeMode, SdxlRequest, SdxlSpec, UnknownUpscaler, Upscaler, validate,
    },
    limits::{self, Limits, VideoLimits},
    upscale,
};
pub use work::{Priority, Work, WorkKind, WorkSummary};
