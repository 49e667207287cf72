//! Strict fakes of remote providers, for tests: real HTTP servers on loopback.
//!
//! A fake refuses the requests that the provider refuses, with the provider's own status and texts; it records each request as it arrived,
//! byte for byte ([`Recorded`]), and fails on demand ([`Faults`]). It must not share code with the clients under test: it computes
//! everything that it checks, signatures included, itself. The server is hand-written on httparse because tests need raw paths and broken
//! connections, and because hyper's own server would be compiled into every other user of hyper through Cargo's feature unification.
//!
//! Module floors: clock, faults, recording, sample -> server -> job, links, multipart, aws -> s3 -> the providers (never each other)

pub mod aws;
pub mod bedrock;
mod clock;
mod fal;
mod faults;
mod google;
mod hugging_face;
mod job;
mod links;
pub mod multipart;
mod pika_web;
mod recording;
mod replicate;
pub mod s3;
mod sample;
mod server;
mod veo_relay;

pub use clock::Clock;
pub use fal::FalFake;
pub use faults::{Fault, Faults};
pub use google::{GoogleOptions, GoogleResult, VeoGoogleFake};
pub use hugging_face::HuggingFaceFake;
pub use pika_web::PikaWebFake;
pub use recording::Recorded;
pub use replicate::{INTERROGATOR, ReplicateFake, STABLE_VIDEO_DIFFUSION};
pub use sample::sample_video;
pub use server::{Reply, Server};
pub use veo_relay::{RelayOptions, RelayResult, VeoRelayFake};
