//! From a raw request to finished images and videos: validation, jobs, and the backends that do the work.
//!
//! The walk, in the order of the modules:
//!
//! * [`ImageRequest`] is what a caller wrote; its `validate` turns it into an [`ImageSpec`], or into every [`FieldError`] at once; videos likewise;
//! * [`Work`] is either spec; [`jobs::Jobs::submit`] takes it, held or stored, which is the one way in;
//! * the dispatcher hands it to a [`Backend`] that accepts it, of which [`LocalBackend`] is this machine's device, and
//!   [`RemoteBackend`] a provider elsewhere;
//! * what comes back is put in an artifact store, or handed to the caller who waits;
//! * [`Previews`] are images of a job in the making, for as long as they are wanted.
//!
//! Nothing here reads the environment, the clock or a global random number generator: seeds, settings and the clock arrive as values.
//! Nothing here knows HTTP or the command line.
//!
//! Floors inside the crate (a module imports only modules further left; a test holds them):
//! artifact, histogram, model_info, png, sandbox -> preview, spec -> work -> backend -> dispatch -> jobs.

pub mod artifact;
pub mod backend;
mod dispatch;
mod histogram;
pub mod jobs;
mod model_info;
pub mod png;
pub mod preview;
pub mod sandbox;
pub mod spec;
mod work;

/// Videos: requests, validated specs, the file that one becomes, and how long one takes.
pub mod video {
    pub use crate::{
        backend::{
            local::timings::Timings,
            video_file::{GeneratedVideo, VideoOutput, VideoShape, VideoWriter},
        },
        spec::video::*,
    };
}

pub use artifact::ArtifactError;
pub use backend::{
    Backend, BackendError, GeneratedImage, JobContext, JobOutput, JobProgress, Readiness, Refusal,
    job::CancelSwitch,
    local::{
        LocalBackend, LocalSettings,
        memory::MemoryPlan,
        metrics::StepMetrics,
        model::{DeviceModel, LoadedModel, ModelState, ModelStatus, Picture},
        pool::{LoadWatch, ModelSetup, ModelView, PoolSettings},
    },
    remote::{RemoteBackend, RemoteSettings},
    too_large::{Asked, TooLarge},
};
pub use dispatch::metrics::JobMetrics;
pub use histogram::Histogram;
pub use jobs::{SubmitError, journal::FolderJournal};
pub use model_info::{ModelDefaults, ModelInfo, TruncatedText};
pub use preview::{Preview, PreviewOf, PreviewSlot, Previews};
pub use spec::{
    field_error::{self, FieldError, FieldErrorKind},
    given_picture,
    image::{ImageMode, ImageRequest, ImageSpec, validate},
    limits::{self, Limits, VideoLimits},
};
pub use work::{Priority, Work};
