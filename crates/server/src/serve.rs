//! The server: its address, its workers, and its graceful shutdown.
//!
//! It shuts down on Ctrl-C, SIGTERM or SIGHUP (a terminal that closes; if SIGHUP is ignored, as under `nohup`, it stays ignored), or when
//! the model fails. From then on it accepts no jobs; the running stored job gets a while to finish, and is then put back; held jobs are
//! cancelled, so that their clients get an answer. Open connections have [`SHUTDOWN_SECONDS`] to receive their answers.

use std::{
    env,
    future::Future,
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use actix_web::{App, HttpServer, dev, middleware::from_fn};
use generation::{Limits, jobs::Jobs};
use guarded_http::{Guard, GuardSettings};

use crate::{
    access::{Access, AccessSettings, LinkSecret},
    api::{i2v, metadata::JobMetadata, tasks::webhook},
    files::uploads::{UploadLimits, UploadStore},
    http::request_log,
    routes,
    state::{
        ApiState, DEFAULT_BODY_LIMIT, DEFAULT_BODY_TIMEOUT, DEFAULT_IMAGE_BODY_LIMIT, DEFAULT_REPAINT_STRENGTH, MachineProbe, Services,
        TasksSettings,
    },
    webhooks::{self, WebhookSecret, WebhookSettings},
};

/// The time that open connections have after a shutdown begins.
const SHUTDOWN_SECONDS: u64 = 5;

/// HTTP worker threads. Longer work (long bodies, pictures, files) runs on other threads, so two are enough beside the device's thread.
const WORKERS: usize = 2;

/// The time within which request headers must arrive: they are a packet or two, so this allows for retransmissions but not for idle
/// clients.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The operator's server settings.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The name or address to listen on.
    pub host: String,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The maximum size of a request body, in bytes.
    pub body_limit: usize,
    /// The time within which a request body must arrive; after that the answer is 408.
    pub body_timeout: Duration,
    /// The maximum size of a body with a picture, in bytes.
    pub image_body_limit: usize,
    /// The folder for videos while they are written and sent; by default the system's temporary folder.
    pub scratch: PathBuf,
    /// The time within which the headers of a connection's first request must arrive; after that actix answers 408 without a body, and
    /// closes.
    pub head_timeout: Duration,
    /// The limits of requests.
    pub limits: Limits,
    /// The access settings.
    pub access: AccessSettings,
    /// The key that signs links; random if absent, so that links become invalid with the server's exit.
    pub link_secret: Option<LinkSecret>,
    /// The folder of uploaded pictures.
    pub uploads: PathBuf,
    /// How many uploads are kept, and for how long.
    pub upload_limits: UploadLimits,
    /// How much of a character's picture its script repaints, 0 (nothing) to 1.
    pub repaint_strength: f64,
    /// The providers beside this machine.
    pub services: Services,
    /// The resident memory of this process in bytes, if the system reports it; for `/metrics`.
    pub resident_memory: fn() -> Option<u64>,
    /// Asks the system about the machine; for `GET /api/v1/machine`.
    pub machine: MachineProbe,
    /// The time that the running stored job has to finish on a shutdown.
    pub shutdown_limit: Duration,
    /// Which addresses named by callers may be fetched.
    pub guard: GuardSettings,
    /// Settings of the Tasks API.
    pub tasks: TasksSettings,
    /// Settings of callbacks.
    pub webhooks: WebhookSettings,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8000,
            body_limit: DEFAULT_BODY_LIMIT,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            image_body_limit: DEFAULT_IMAGE_BODY_LIMIT,
            scratch: env::temp_dir(),
            head_timeout: HEAD_TIMEOUT,
            limits: Limits::default(),
            access: AccessSettings::default(),
            link_secret: None,
            uploads: env::temp_dir().join("framewright-uploads"),
            upload_limits: UploadLimits::default(),
            repaint_strength: DEFAULT_REPAINT_STRENGTH,
            services: Services::default(),
            resident_memory: || None,
            machine: MachineProbe::default(),
            shutdown_limit: Duration::from_secs(10),
            guard: GuardSettings::default(),
            tasks: TasksSettings::default(),
            webhooks: WebhookSettings::new(WebhookSecret::random()),
        }
    }
}

/// A server that is bound, but does not serve yet.
pub struct Server {
    jobs: Jobs,
    shutdown_limit: Duration,
    uploads: UploadStore,
    addresses: Vec<SocketAddr>,
    /// Delivers callbacks.
    callbacks: Pin<Box<dyn Future<Output = ()> + Send>>,
    server: dev::Server,
}

impl Server {
    /// Binds the address. [`Self::run`] serves requests. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be bound (the message has it), or the access settings forbid it.
    pub fn bind(settings: &ServerSettings, jobs: Jobs) -> io::Result<Self> {
        let ServerSettings { host, port, head_timeout, shutdown_limit, access, link_secret, .. } = settings.clone();
        // Bind the same addresses that are checked: resolving a name twice could give two answers.
        let addresses: Vec<_> = (host.as_str(), port).to_socket_addrs().map_err(|error| explain_bind_error(&host, port, &error))?.collect();
        let ips: Vec<_> = addresses.iter().map(SocketAddr::ip).collect();
        let access = Access::new(access, &ips, link_secret.unwrap_or_else(LinkSecret::random)).map_err(io::Error::other)?;
        let state = ApiState {
            limits: settings.limits.clone(),
            body_limit: settings.body_limit,
            body_timeout: settings.body_timeout,
            image_body_limit: settings.image_body_limit,
            access: Arc::new(access),
            uploads: UploadStore::new(settings.uploads.clone(), settings.upload_limits.shared_by(settings.access.keys.len())),
            guard: Guard::new(settings.guard.clone()),
            tasks: settings.tasks.clone(),
            repaint_strength: settings.repaint_strength,
            services: Arc::new(settings.services.clone()),
            resident_memory: settings.resident_memory,
            machine: settings.machine,
            ..ApiState::new(jobs.clone(), settings.scratch.clone())
        };
        let (access, callback) = (Arc::clone(&state.access), state.services.callback.clone());
        let sender = webhooks::Sender {
            jobs: jobs.clone(),
            guard: state.guard.clone(),
            settings: settings.webhooks.clone(),
            message: Box::new(move |job, delivery| match JobMetadata::of(job) {
                Some(JobMetadata::I2v(metadata)) => i2v::callback::message(callback.as_ref()?, &access, (job, &metadata), &delivery.url),
                Some(JobMetadata::Task(_) | JobMetadata::TextVideo(_) | JobMetadata::Character(_) | JobMetadata::OpenAiVideo(_)) | None => {
                    Some(webhook::message(&access, job, &delivery.event))
                }
            }),
        };
        let uploads = state.uploads.clone();
        let server = HttpServer::new(move || {
            let state = state.clone();
            App::new().wrap(from_fn(request_log::log)).configure(move |config| routes::configure(config, state))
        })
        .workers(WORKERS)
        .client_request_timeout(head_timeout)
        // A client that closes its half of the connection has hung up; otherwise its job would run to the end without a receiver.
        .h1_allow_half_closed(false)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .bind(addresses.as_slice())
        .map_err(|error| explain_bind_error(&host, port, &error))?;
        let addresses = server.addrs();
        let callbacks = Box::pin(webhooks::deliver(sender));
        Ok(Self { jobs, shutdown_limit, uploads, addresses, callbacks, server: server.run() })
    }

    /// The bound addresses.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until Ctrl-C, SIGTERM or SIGHUP, or until the model fails.
    ///
    /// # Errors
    /// If the model fails, with its reason in one line: the server exits if its model cannot be loaded.
    pub async fn run(self) -> io::Result<()> {
        self.run_until(stop_signal()).await
    }

    /// Serves until `stop` completes, or until the model fails.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let Self { jobs, shutdown_limit, uploads, addresses, callbacks, server } = self;
        for address in &addresses {
            tracing::info!("listening on http://{address}");
        }
        let callbacks = tokio::spawn(callbacks);
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        let failure = tokio::select! {
            result = &mut server => {
                callbacks.abort();
                return result;
            }
            never = uploads.prune_periodically() => match never {},
            () = stop => None,
            reason = jobs.local().failed() => Some(reason),
        };
        tracing::info!("shutting down");
        // Waiting requests are answered before their connections are closed; the server serves them until then.
        let end = async {
            jobs.shut_down(shutdown_limit).await;
            handle.stop(true).await;
        };
        let ((), result) = tokio::join!(end, server);
        // The task has seen the shutdown, and releases the jobs.
        let _gone: Result<(), tokio::task::JoinError> = callbacks.await;
        match failure {
            Some(reason) => Err(io::Error::other(reason)),
            None => result,
        }
    }
}

fn explain_bind_error(host: &str, port: u16, error: &io::Error) -> io::Error {
    let kind = error.kind();
    let reason = if kind == io::ErrorKind::AddrInUse {
        format!("port {port} of {host} is in use; choose another with --port")
    } else if kind == io::ErrorKind::PermissionDenied {
        format!("no permission to listen on port {port} of {host}")
    } else if kind == io::ErrorKind::AddrNotAvailable {
        format!("{host} is no address of this machine")
    } else {
        format!("cannot listen on {host}, port {port}: {error}")
    };
    io::Error::new(kind, reason)
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        tracing::warn!("signals cannot be waited for; the program ends without an orderly shutdown");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = hung_up() => {}
    }
}

/// Waits for SIGHUP. Waiting for a signal installs a handler, so this does not wait if the parent process made it ignored.
#[cfg(unix)]
async fn hung_up() {
    use tokio::signal::unix::{SignalKind, signal};
    if is_hangup_ignored() {
        return std::future::pending().await;
    }
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => {
            hangup.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

/// Whether SIGHUP is ignored. Without `/proc` it counts as ignored: no handler is installed, and the signal keeps its default action.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    // One bit per signal; SIGHUP is signal 1.
    ignored.is_none_or(|ignored| ignored & 1 == 1)
}

#[cfg(not(unix))]
async fn stop_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
