//! Videos and captions from remote providers.
//!
//! Each provider has one file that builds its requests and interprets its answers ([`Provider`]); one loop ([`run()`]) polls, retries,
//! times out, cancels and resumes for all of them. The crate knows no jobs, stores or HTTP server, and reads neither the environment nor
//! the clock: keys, addresses and model names are arguments. (Only the roof may request the AWS SDK's own credentials chain.)
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
pub use run::{Durability, Finished, Lost, RemoteState, RemoteStateStore, Run, RunError, Stop, run};
pub use veo::{GoogleAccess, VeoGoogle, VeoGoogleSettings, VeoRelay, VeoRelaySettings};
