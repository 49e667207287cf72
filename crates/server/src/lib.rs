//! The HTTP API over the generation engine: pictures, videos, their documentation, and what the service is.
//!
//! The wire format is that of a small FastAPI service for segmind/tiny-sd: same routes, same keys, same error bodies, so that its
//! clients keep working. Wire types live here and nowhere below; they are turned into specs before they reach the engine.
//!
//! * [`Server::bind`] takes the address, [`Server::run`] serves until a signal comes or the engine fails;
//! * [`app::configure`] is the routes alone, for tests that need no socket.
//!
//! The invariants: no handler blocks (the engine has its own thread), no handler panics on user input, every answer but a picture, a page
//! or a script is JSON, and [`access::gate`] stands before every route.

pub mod access;
mod animate_api;
pub mod app;
mod artifact_file;
mod body;
mod character_api;
mod character_body;
mod character_picture;
mod character_wire;
mod conditions;
mod dispatch_api;
mod docs_api;
pub mod error;
mod field_names;
mod fields;
mod file_answer;
mod generate_api;
mod head_answer;
mod health_api;
mod idempotency;
mod intake;
pub mod jail;
mod metrics;
mod metrics_format;
pub mod multipart_file;
mod non_finite;
mod ops_api;
mod other_protocols;
mod path_methods;
mod picture_source;
mod picture_text;
mod request_body;
mod request_fields;
pub mod request_id;
mod request_log;
pub mod request_memory;
mod request_metrics;
mod request_notes;
mod respond_async;
mod root_api;
mod scalars;
pub mod scenes_body;
mod secret_file;
mod serve;
mod stored_video;
pub mod tasks;
mod text_video_api;
mod text_wire;
pub mod uploads;
mod video_api;
pub mod video_wire;
pub mod webhooks;
pub mod wire;

pub use app::ApiState;
pub use guarded_http::{AllowedHost, GuardSettings};
pub use metrics::RequestMetrics;
pub use ops_api::StoreCheck;
pub use request_notes::IgnoredField;
pub use serve::{Server, ServerSettings};
pub use text_video_api::TextRoute;
