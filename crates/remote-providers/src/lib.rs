//! Videos and captions from other people's services.
//!
//! One file a provider says how its requests look and what its answers mean ([`Provider`]); one loop ([`run()`]) waits, retries, gives up,
//! cancels and resumes for all of them. It knows no jobs, stores or HTTP server, and reads neither environment nor clock of its own: keys,
//! addresses and model names are values. (The AWS SDK's own chain of credentials is asked for by the roof.)
//!
//! Module floors: error, request -> endpoint, fields, http, provider -> the providers (never each other), run, download -> caption

mod bedrock;
mod caption;
mod download;
mod endpoint;
mod error;
mod fields;
mod http;
mod hugging_face;
mod pika;
mod provider;
mod replicate;
mod request;
mod run;
mod veo;

pub use bedrock::{AwsKeys, Bedrock, BedrockSettings};
pub use caption::{Interrogator, ReplicateInterrogator, ReplicateInterrogatorSettings};
pub use download::{DownloadError, DownloadLimits, download};
pub use error::{ErrorKind, ProviderError, Result};
pub use guarded_http::{Guard, GuardSettings};
pub use hugging_face::{HuggingFace, HuggingFaceSettings};
pub use pika::{PikaFal, PikaFalSettings, PikaWeb, PikaWebSettings};
pub use provider::{Pace, Provider, Source, Started, Status};
pub use replicate::{Replicate, ReplicateSettings};
pub use request::{ImageFormat, InputImage, Shot, VideoRequest};
pub use run::{Finished, Lost, Outlives, RemoteMemory, RemoteState, Run, RunError, Stop, run};
pub use veo::{GoogleAccess, VeoGoogle, VeoGoogleSettings, VeoRelay, VeoRelaySettings};
