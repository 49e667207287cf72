//! The metadata that each API stores with its jobs, for later answers: a kind, which is a column of the store, and the data of that kind.

use generation::jobs::{Job, Metadata};
use serde::Serialize;
use serde_json::Value;

use crate::api::{
    characters::metadata::CharacterMetadata, i2v::metadata::I2vMetadata, openai::videos::metadata::OpenAiVideoMetadata,
    tasks::metadata::TaskMetadata, text_video::metadata::TextVideoMetadata,
};

/// An API's metadata of a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JobMetadata {
    /// A task, or any other job that is polled as one.
    Task(TaskMetadata),
    TextVideo(TextVideoMetadata),
    Character(CharacterMetadata),
    I2v(I2vMetadata),
    OpenAiVideo(Box<OpenAiVideoMetadata>),
}

impl JobMetadata {
    /// The kind of character jobs, used to list them.
    pub(crate) const CHARACTER: &str = "character";
    /// The kind of OpenAI's videos, used to list them.
    pub(crate) const OPENAI_VIDEO: &str = "openai_video";
    const I2V: &str = "i2v";
    const TASK: &str = "task";
    const TEXT_VIDEO: &str = "text_video";

    /// A job's metadata; `None` if it belongs to no API of this version.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        let data = job.metadata.data.clone();
        match job.metadata.kind.as_str() {
            Self::TASK => serde_json::from_value(data).ok().map(Self::Task),
            Self::TEXT_VIDEO => serde_json::from_value(data).ok().map(Self::TextVideo),
            Self::CHARACTER => serde_json::from_value(data).ok().map(Self::Character),
            Self::I2V => serde_json::from_value(data).ok().map(Self::I2v),
            Self::OPENAI_VIDEO => serde_json::from_value(data).ok().map(Self::OpenAiVideo),
            _ => None,
        }
    }
}

impl From<JobMetadata> for Metadata {
    fn from(metadata: JobMetadata) -> Self {
        // They contain nothing that JSON cannot represent.
        fn data(data: &impl Serialize) -> Value {
            serde_json::to_value(data).unwrap_or_default()
        }
        let (kind, data) = match &metadata {
            JobMetadata::Task(of) => (JobMetadata::TASK, data(of)),
            JobMetadata::TextVideo(of) => (JobMetadata::TEXT_VIDEO, data(of)),
            JobMetadata::Character(of) => (JobMetadata::CHARACTER, data(of)),
            JobMetadata::I2v(of) => (JobMetadata::I2V, data(of)),
            JobMetadata::OpenAiVideo(of) => (JobMetadata::OPENAI_VIDEO, data(of)),
        };
        Self { kind: kind.to_owned(), data, ..Self::default() }
    }
}
