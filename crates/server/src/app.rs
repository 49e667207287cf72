//! The routes, and what their handlers share.
//!
//! A path answers a method that it lacks with 405 and an `Allow` header ([`crate::path_methods`]); every other path is 404, both as JSON.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actix_web::{
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use generation::{Engine, Limits, jobs::Jobs};
use guarded_http::{Guard, GuardSettings};

use crate::{
    access::{self, Access},
    animate_api, character_api, dispatch_api, docs_api,
    error::ApiError,
    generate_api, head_answer, health_api,
    metrics::RequestMetrics,
    ops_api::{self, StoreCheck},
    other_protocols,
    path_methods::path,
    request_memory::RequestMemory,
    request_metrics, request_notes, root_api, stored_video,
    tasks::{self, OpenStreams, TasksSettings},
    text_video_api::{self, TextRoute},
    uploads::{UploadLimits, UploadStore},
    video_api,
};

/// What the handlers share; cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// Makes the pictures and videos that a request waits for.
    pub engine: Engine,
    /// Those that outlive their request.
    pub jobs: Jobs,
    /// The bounds of a request.
    pub limits: Limits,
    /// The longest request body, in bytes.
    pub body_limit: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// The longest body of a request that carries a picture, in bytes.
    pub picture_body_limit: usize,
    /// Where videos lie while they are written and sent, each in a folder of its own.
    pub scratch: PathBuf,
    /// Who may ask what.
    pub access: Arc<Access>,
    /// The pictures that callers have sent.
    pub uploads: UploadStore,
    /// Asks the addresses that callers name.
    pub guard: Guard,
    /// How the Tasks API works.
    pub tasks: TasksSettings,
    /// The streams of events that are open.
    pub streams: OpenStreams,
    /// How much of a character's picture its script repaints, 0 (nothing) to 1.
    pub repaint_strength: f64,
    /// Where videos from texts are made.
    pub text_route: TextRoute,
    /// What was last found of the store of jobs.
    pub store_check: StoreCheck,
    /// What large bodies of requests may take.
    pub memory: RequestMemory,
    /// The requests that were answered so far.
    pub requests: RequestMetrics,
    /// The memory that this process holds, in bytes, where the system says.
    pub resident_memory: fn() -> Option<u64>,
}

/// How much of a character's picture its script repaints unless the operator says otherwise: its look changes, and what stands where stays.
pub const DEFAULT_REPAINT_STRENGTH: f64 = 0.4;

/// The longest request body unless the operator says otherwise: two prompts at their limit take under 100 kB, however they are escaped.
pub const DEFAULT_BODY_LIMIT: usize = 1 << 20;

/// The longest body with a picture unless the operator says otherwise: a camera's JPEG in base64.
pub const DEFAULT_PICTURE_BODY_LIMIT: usize = 32 << 20;

/// How long a request body may take to arrive, unless the operator says otherwise: the longest does at 300 kbit/s, and most are a packet.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(30);

impl ApiState {
    /// The state with the limits that the service ships with, for callers on this machine; videos lie in `scratch` while they are written,
    /// and uploads in a folder of it.
    pub fn new(jobs: Jobs, scratch: PathBuf) -> Self {
        Self {
            engine: jobs.engine().clone(),
            jobs,
            limits: Limits::default(),
            body_limit: DEFAULT_BODY_LIMIT,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            picture_body_limit: DEFAULT_PICTURE_BODY_LIMIT,
            uploads: UploadStore::new(scratch.join("uploads"), UploadLimits::default()),
            scratch,
            access: Arc::new(Access::loopback()),
            guard: Guard::new(GuardSettings::default()),
            tasks: TasksSettings::default(),
            streams: OpenStreams::default(),
            repaint_strength: DEFAULT_REPAINT_STRENGTH,
            text_route: TextRoute::default(),
            store_check: StoreCheck::default(),
            memory: RequestMemory::default(),
            requests: RequestMetrics::default(),
            resident_memory: || None,
        }
    }
}

/// Adds the routes to an actix app, each of them behind the gate.
pub fn configure(config: &mut ServiceConfig, state: ApiState) {
    // The last that is wrapped around stands first: what the gate refuses is counted, and told in the envelope too.
    let all = web::scope("")
        .configure(routes)
        .wrap(from_fn(access::gate))
        .wrap(from_fn(request_notes::add))
        .wrap(from_fn(tasks::envelope::add))
        .wrap(from_fn(head_answer::leave_body_out))
        .wrap(from_fn(other_protocols::decline))
        .wrap(from_fn(request_metrics::count));
    config.app_data(Data::new(state)).service(all);
}

fn routes(config: &mut ServiceConfig) {
    config
        .configure(tasks::configure)
        .service(path("/").get(root_api::root))
        .service(path("/health").get(health_api::health))
        .service(path("/generate").post(generate_api::generate))
        .service(path("/ready").get(ops_api::ready))
        .service(path("/metrics").get(ops_api::metrics))
        .service(path("/generate-video").post(dispatch_api::generate_video))
        .service(path("/generate-video/info").post(video_api::video_info))
        .service(path("/video-status").get(text_video_api::video_status))
        .service(path("/animate").post(animate_api::animate))
        .service(path("/upload-character").post(character_api::upload_character))
        .service(path("/generation/{id}").get(character_api::generation))
        .service(path("/generations").get(character_api::generations))
        .service(path("/uploads/{name}").get(character_api::uploaded))
        .service(path("/videos/{name}").get(stored_video::video))
        .service(path("/openapi.json").get(docs_api::openapi_json))
        .service(path("/docs").get(docs_api::swagger_page))
        .service(path("/docs/").get(docs_api::to_swagger_page))
        .service(path("/docs/{file}").get(docs_api::swagger_file))
        .service(path("/redoc").get(docs_api::redoc_page))
        .service(path("/redoc/").get(docs_api::to_redoc_page))
        .default_service(web::to(not_found));
}

async fn not_found() -> Result<&'static str, ApiError> {
    std::future::ready(Err(ApiError::NotFound)).await
}
