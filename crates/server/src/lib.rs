//! The HTTP API over jobs: pictures, videos, their documentation, and the service itself.
//!
//! The wire format is that of a small FastAPI service for segmind/tiny-sd: same routes, same keys, same error bodies, so that its clients
//! keep working. Wire types exist in this crate only; they are converted to specs before they become jobs.
//!
//! * [`Server::bind`] binds the address, [`Server::run`] serves until a signal arrives or the model fails;
//! * [`routes::configure`] has the routes alone, for tests without a socket;
//! * `api` has a folder for each API.
//!
//! The invariants: no handler blocks (the device has its own thread), no handler panics on user input, every answer except files, pages,
//! scripts, metrics and event streams is JSON, and [`access::gate()`] stands before every route.
//!
//! Floors inside the crate (a module imports only modules further left; a test holds them):
//! http -> files -> access beside inputs beside webhooks -> state -> api -> routes -> serve.

pub mod access;
mod api;
mod files;
mod http;
mod inputs;
pub mod routes;
mod serve;
mod state;
pub mod webhooks;

pub use api::videos::scenes_body;
pub use files::{secret_file, thumbnails, uploads};
pub use guarded_http::{AllowedHost, GuardSettings};
pub use http::{metrics::RequestMetrics, multipart_file, problem::Problem, repeated_requests, request_memory, request_notes::IgnoredField};
pub use serve::{Server, ServerSettings};
pub use state::{ApiState, DEFAULT_REPAINT_STRENGTH, MachineProbe, Service, Services, StoreCheck, TasksSettings, WebUiSessions};
pub use webhooks::game::{GameCallback, InvalidCallback};

#[cfg(test)]
mod problem_tests;
