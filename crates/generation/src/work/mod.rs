//! A job's work and its priority: plain data that travels between callers, stores and backends.
//!
//! It must not know how or where the work is done.

mod summary;

use std::str::FromStr;

pub(crate) use self::summary::folded;
pub use self::summary::{WorkKind, WorkSummary};

use serde::{Deserialize, Serialize};

use crate::spec::{
    UpscaleSpec,
    image::ImageSpec,
    video::{RemoteVideoSpec, VideoSpec},
};

/// What work that needs no model but an upscaler names as its model. No model can have this name: models' names have no spaces.
pub(crate) const UPSCALERS: &str = "an upscaler";

/// The work of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Images, as files `image-0.png`, `image-1.png`, .., or with the ending of another format.
    // The name under which stored jobs have it.
    #[serde(rename = "pictures")]
    Image(ImageSpec),
    /// A video, as `video.mp4`.
    Video(VideoSpec),
    /// An enlarged picture, as a file like those of [`Self::Image`].
    Upscale(UpscaleSpec),
}

impl Work {
    /// The number of images or scenes in which progress is counted.
    pub fn parts(&self) -> u32 {
        match self {
            Self::Image(spec) => spec.count(),
            Self::Video(spec) => spec.parts(),
            Self::Upscale(_) => 1,
        }
    }

    /// The local model that makes it, by the operator's name; `None` for the default model, or a provider's. An enlargement needs none, and
    /// has a name that no model has, so that it waits for no model.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Image(spec) => spec.model(),
            Self::Video(spec) => spec.model(),
            Self::Upscale(_) => Some(UPSCALERS),
        }
    }

    /// The provider's request, if a provider makes it.
    pub fn remote(&self) -> Option<&RemoteVideoSpec> {
        match self {
            Self::Image(_) | Self::Upscale(_) => None,
            Self::Video(spec) => spec.remote(),
        }
    }
}

/// The priority of a job: a higher one is served before all lower ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Only when nothing else waits.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before the others.
    High,
}

impl Priority {
    /// Every priority, the lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// Its name: "low", "normal" or "high".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// A name that is not a priority's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no priority: {0:?}; there are low, normal and high")]
pub struct UnknownPriority(pub String);

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(name: &str) -> Result<Self, UnknownPriority> {
        Self::ALL.into_iter().find(|priority| priority.name() == name).ok_or_else(|| UnknownPriority(name.to_owned()))
    }
}
