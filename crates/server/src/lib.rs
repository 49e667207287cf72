//! The HTTP API over jobs: pictures, videos, their documentation, and what the service is.
//!
//! The wire format is that of a small FastAPI service for segmind/tiny-sd: same routes, same keys, same error bodies, so that its
//! clients keep working. Wire types live here and nowhere below; they are turned into specs before they become jobs.
//!
//! * [`Server::bind`] takes the address, [`Server::run`] serves until a signal comes or the model fails;
//! * [`routes::configure`] is the routes alone, for tests that need no socket;
//! * `api` has a folder for each API.
//!
//! The invariants: no handler blocks (the device has its own thread), no handler panics on user input, every answer but a picture, a page
//! or a script is JSON, and [`access::gate()`] stands before every route.
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
pub use files::uploads;
pub use guarded_http::{AllowedHost, GuardSettings};
pub use http::{metrics::RequestMetrics, multipart_file, problem::Problem, request_memory, request_notes::IgnoredField};
pub use serve::{Server, ServerSettings};
pub use state::{ApiState, DEFAULT_REPAINT_STRENGTH, Service, Services, StoreCheck, TasksSettings};
pub use webhooks::game::{GameCallback, InvalidCallback};

#[cfg(test)]
mod problem_tests;
