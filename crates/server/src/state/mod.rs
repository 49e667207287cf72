//! State that the handlers share.
//!
//! The modules below own its parts and must not know it: they take what they need.

mod machine_probe;
mod services;
mod store_check;
mod web_ui;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{HttpRequest, web::Bytes};
use generation::{Limits, LocalBackend, ModelInfo, Refusal, jobs::Jobs};
use guarded_http::{Guard, GuardSettings};

pub use self::{
    machine_probe::MachineProbe,
    services::{Service, Services},
    store_check::StoreCheck,
    web_ui::WebUiSessions,
};
pub(crate) use self::{services::Maker, web_ui::Seen};
use crate::{
    access::{Access, OpenStreams},
    files::{
        thumbnails::Thumbnails,
        uploads::{UploadLimits, UploadStore},
    },
    http::{
        HeldMemory, Problem, RequestBody, idempotency::IDEMPOTENCY_KEY, metrics::RequestMetrics, repeated_requests::RepeatedRequests,
        request_body::announced, request_memory::RequestMemory,
    },
    inputs::ImageSource,
};

/// State that the handlers share; cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// Runs jobs.
    pub jobs: Jobs,
    /// The limits of requests.
    pub limits: Limits,
    /// The maximum size of a request body, in bytes.
    pub body_limit: usize,
    /// The time within which a request body must arrive.
    pub body_timeout: Duration,
    /// The maximum size of a body with a picture, in bytes.
    pub image_body_limit: usize,
    /// The folder for videos while they are written and sent, each in its own subfolder.
    pub scratch: PathBuf,
    /// Access control.
    pub access: Arc<Access>,
    /// Uploaded pictures.
    pub uploads: UploadStore,
    /// Fetches addresses named by callers.
    pub guard: Guard,
    /// Settings of the Tasks API.
    pub tasks: TasksSettings,
    /// The open event streams.
    pub streams: OpenStreams,
    /// Small pictures of jobs' files.
    pub thumbnails: Thumbnails,
    /// The requests that an OpenAI client may send again.
    pub repeats: RepeatedRequests,
    /// The options and running jobs of AUTOMATIC1111's clients.
    pub web_ui: WebUiSessions,
    /// When the server was set up.
    pub started: SystemTime,
    /// How much of a character's picture its script repaints, 0 (nothing) to 1.
    pub repaint_strength: f64,
    /// The providers beside this machine.
    pub services: Arc<Services>,
    /// The last check of the job store.
    pub store_check: StoreCheck,
    /// The memory budget of large request bodies.
    pub memory: RequestMemory,
    /// Metrics of the requests answered so far.
    pub requests: RequestMetrics,
    /// The resident memory of this process in bytes, if the system reports it.
    pub resident_memory: fn() -> Option<u64>,
    /// Asks the system about the machine.
    pub machine: MachineProbe,
}

/// The default share of a character's picture that its script repaints: its look changes, its composition stays.
pub const DEFAULT_REPAINT_STRENGTH: f64 = 0.4;

/// The default maximum size of a request body: two prompts of maximum length take under 100 kB, however they are escaped.
pub(crate) const DEFAULT_BODY_LIMIT: usize = 1 << 20;

/// The default maximum size of a body with a picture: a camera's JPEG in base64.
pub(crate) const DEFAULT_IMAGE_BODY_LIMIT: usize = 32 << 20;

/// The time for which a request waits until its model's files are open. Files on a disk take less; a download from the hub takes longer.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The default time within which a request body must arrive: the longest does at 300 kbit/s, and most are a packet.
pub(crate) const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(30);

impl ApiState {
    /// A state with the default limits, for callers on this machine; `scratch` is the folder for videos in progress and, in a subfolder,
    /// uploads.
    pub fn new(jobs: Jobs, scratch: PathBuf) -> Self {
        Self {
            jobs,
            limits: Limits::default(),
            body_limit: DEFAULT_BODY_LIMIT,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            image_body_limit: DEFAULT_IMAGE_BODY_LIMIT,
            uploads: UploadStore::new(scratch.join("uploads"), UploadLimits::default()),
            scratch,
            access: Arc::new(Access::loopback()),
            guard: Guard::new(GuardSettings::default()),
            tasks: TasksSettings::default(),
            streams: OpenStreams::default(),
            thumbnails: Thumbnails::default(),
            repeats: RepeatedRequests::default(),
            web_ui: WebUiSessions::default(),
            started: SystemTime::now(),
            repaint_strength: DEFAULT_REPAINT_STRENGTH,
            services: Arc::default(),
            store_check: StoreCheck::default(),
            memory: RequestMemory::default(),
            requests: RequestMetrics::default(),
            resident_memory: || None,
            machine: MachineProbe::default(),
        }
    }

    /// The backend of this machine's device.
    pub(crate) fn local(&self) -> &LocalBackend {
        self.jobs.local()
    }

    /// The default model, or another one of this machine by its name; or the reason why it is unavailable. Waits a moment for a model whose
    /// files are still being opened.
    pub(crate) async fn ready_model(&self, name: Option<&str>) -> Result<Arc<ModelInfo>, Problem> {
        let opened = tokio::time::timeout(OPEN_TIMEOUT, self.local().opened_model(name)).await;
        Ok(opened.unwrap_or(Err(Refusal::Loading))?)
    }

    /// Waits a moment for the files of a request's refiner; whether it can be one is judged when the job is submitted.
    pub(crate) async fn await_refiner(&self, name: Option<&str>) {
        if let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) {
            let _judged_later: Result<Arc<ModelInfo>, Problem> = self.ready_model(Some(name)).await;
        }
    }

    /// The source of pictures for a job of this machine.
    pub(crate) fn images(&self) -> ImageSource<'_> {
        ImageSource {
            jobs: &self.jobs,
            guard: &self.guard,
            memory: &self.memory,
            service: None,
            byte_limit: self.image_body_limit,
            patience: self.body_timeout,
        }
    }

    /// Whether bodies of images may hold control images, so that they may be as large as those with a picture.
    pub(crate) fn takes_control_images(&self) -> bool {
        self.local().models().iter().any(|view| view.info.as_ref().is_some_and(|info| info.controlnets.is_some()))
    }

    /// The source of pictures for a job of this maker.
    pub(crate) fn images_for<'a>(&'a self, maker: &'a Maker) -> ImageSource<'a> {
        let service = match maker {
            Maker::Local(_) => None,
            Maker::Remote(model) => model.split('/').next(),
        };
        ImageSource { service, ..self.images() }
    }

    /// Reads a body with a picture, of at most [`Self::image_body_limit`] bytes. The returned memory is to be held until the picture is
    /// part of a job. A long body is not read if the queue would refuse the caller's job, except with an `Idempotency-Key`: then the answer
    /// may exist already.
    pub(crate) async fn read_large(
        &self,
        body: &mut RequestBody,
        request: &HttpRequest,
        owner: &str,
    ) -> Result<(Bytes, HeldMemory), Problem> {
        let limit = self.image_body_limit;
        let is_long = announced(request.headers()).unwrap_or(limit) > self.body_limit;
        // With providers, only the body says what makes the job.
        if is_long && self.services.services.is_empty() && !request.headers().contains_key(IDEMPOTENCY_KEY) {
            self.jobs.check_room(owner)?;
        }
        let mut held = self.memory_for(request, limit).await?;
        let bytes = body.read(limit, self.body_timeout).await?;
        held.shrink_to(bytes.len());
        Ok((bytes, held))
    }

    /// Reads a body with a picture that no job gets, of at most [`Self::image_body_limit`] bytes. The returned memory is to be held until the
    /// picture is dropped.
    pub(crate) async fn read_picture(&self, body: &mut RequestBody, request: &HttpRequest) -> Result<(Bytes, HeldMemory), Problem> {
        let mut held = self.memory_for(request, self.image_body_limit).await?;
        let bytes = body.read(self.image_body_limit, self.body_timeout).await?;
        held.shrink_to(bytes.len());
        Ok((bytes, held))
    }

    /// Memory for reading a body of at most `most` bytes; an ordinary body needs none.
    ///
    /// # Errors
    /// 503 if none becomes free within the time that a body has to arrive.
    pub(crate) async fn memory_for(&self, request: &HttpRequest, most: usize) -> Result<HeldMemory, Problem> {
        let bytes = announced(request.headers()).map_or(most, |announced| announced.min(most));
        if bytes <= self.body_limit { Ok(HeldMemory::default()) } else { Ok(self.memory.take(bytes, self.body_timeout).await?) }
    }
}

/// The operator's settings of the Tasks API.
#[derive(Clone, Debug)]
pub struct TasksSettings {
    /// The share of the given picture that a clip's prompt repaints before it moves, 0 to 1. With 0 the prompt has no effect, because a
    /// motion model reads no text.
    pub repaint_strength: f64,
    /// The interval of heartbeats in an event stream.
    pub heartbeat: Duration,
    /// The maximum number of open event streams per owner.
    pub streams_per_owner: usize,
}

impl Default for TasksSettings {
    fn default() -> Self {
        Self { repaint_strength: 0.0, heartbeat: Duration::from_secs(15), streams_per_owner: 16 }
    }
}
