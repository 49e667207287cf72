//! What the handlers share.
//!
//! The rooms below it own its parts and must not know it: they take what they need.

mod services;
mod store_check;

use std::{path::PathBuf, sync::Arc, time::Duration};

use actix_web::{HttpRequest, web::Bytes};
use generation::{Limits, LocalBackend, ModelInfo, jobs::Jobs};
use guarded_http::{Guard, GuardSettings};

pub(crate) use self::services::Maker;
pub use self::{
    services::{Service, Services},
    store_check::StoreCheck,
};
use crate::{
    access::{Access, OpenStreams},
    files::uploads::{UploadLimits, UploadStore},
    http::{
        HeldMemory, Problem, RequestBody, idempotency::IDEMPOTENCY_KEY, metrics::RequestMetrics, request_body::announced,
        request_memory::RequestMemory,
    },
    inputs::PictureSource,
};

/// What the handlers share; cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// Makes images and videos.
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
    /// Who makes what beside this machine.
    pub services: Arc<Services>,
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
pub(crate) const DEFAULT_BODY_LIMIT: usize = 1 << 20;

/// The longest body with a picture unless the operator says otherwise: a camera's JPEG in base64.
pub(crate) const DEFAULT_PICTURE_BODY_LIMIT: usize = 32 << 20;

/// How long a request body may take to arrive, unless the operator says otherwise: the longest does at 300 kbit/s, and most are a packet.
pub(crate) const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(30);

impl ApiState {
    /// The state with the limits that the service ships with, for callers on this machine; videos lie in `scratch` while they are written,
    /// and uploads in a folder of it.
    pub fn new(jobs: Jobs, scratch: PathBuf) -> Self {
        Self {
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
            services: Arc::default(),
            store_check: StoreCheck::default(),
            memory: RequestMemory::default(),
            requests: RequestMetrics::default(),
            resident_memory: || None,
        }
    }

    /// The backend of this machine's device.
    pub(crate) fn local(&self) -> &LocalBackend {
        self.jobs.local()
    }

    /// The default model, or another of this machine by its name, if it can be asked for, and if not why.
    pub(crate) fn ready_model(&self, name: Option<&str>) -> Result<Arc<ModelInfo>, Problem> {
        Ok(self.local().model_named(name)?)
    }

    /// What pictures are fetched with.
    pub(crate) fn pictures(&self) -> PictureSource<'_> {
        PictureSource {
            jobs: &self.jobs,
            guard: &self.guard,
            memory: &self.memory,
            service: None,
            byte_limit: self.picture_body_limit,
            patience: self.body_timeout,
        }
    }

    /// The same, for a job that this one makes.
    pub(crate) fn pictures_for<'a>(&'a self, maker: &'a Maker) -> PictureSource<'a> {
        let service = match maker {
            Maker::Local(_) => None,
            Maker::Remote(model) => model.split('/').next(),
        };
        PictureSource { service, ..self.pictures() }
    }

    /// Reads a body that carries a picture, of at most [`Self::picture_body_limit`] bytes, and gives the memory that it was given: to be
    /// held until the picture is a part of a job. One that is long is not read for a caller whose job would not be taken; a request with a
    /// name of its own may be answered all the same, so it is read.
    pub(crate) async fn read_large(
        &self,
        body: &mut RequestBody,
        request: &HttpRequest,
        owner: &str,
    ) -> Result<(Bytes, HeldMemory), Problem> {
        let limit = self.picture_body_limit;
        let is_long = announced(request.headers()).unwrap_or(limit) > self.body_limit;
        // Where there are services, the body says who makes it.
        if is_long && self.services.services.is_empty() && !request.headers().contains_key(IDEMPOTENCY_KEY) {
            self.jobs.check_room(owner)?;
        }
        let mut held = self.memory_for(request, limit).await?;
        let bytes = body.read(limit, self.body_timeout).await?;
        held.shrink_to(bytes.len());
        Ok((bytes, held))
    }

    /// Memory for a body of which at most `most` bytes are read; one that is no longer than any body may be needs none.
    ///
    /// # Errors
    /// 503 if there is none for as long as a body may take to arrive.
    pub(crate) async fn memory_for(&self, request: &HttpRequest, most: usize) -> Result<HeldMemory, Problem> {
        let bytes = announced(request.headers()).map_or(most, |announced| announced.min(most));
        if bytes <= self.body_limit { Ok(HeldMemory::default()) } else { Ok(self.memory.take(bytes, self.body_timeout).await?) }
    }
}

/// How the Tasks API works; the operator's choice.
#[derive(Clone, Debug)]
pub struct TasksSettings {
    /// How much of the given picture a clip's prompt repaints before it moves, 0 to 1; 0 leaves it as it is, for a motion model knows no
    /// texts.
    pub repaint_strength: f64,
    /// How often a stream of events says that it is alive.
    pub heartbeat: Duration,
    /// How many streams of events an owner may have open.
    pub streams_per_owner: usize,
}

impl Default for TasksSettings {
    fn default() -> Self {
        Self { repaint_strength: 0.0, heartbeat: Duration::from_secs(15), streams_per_owner: 16 }
    }
}
