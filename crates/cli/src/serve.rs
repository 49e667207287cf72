//! `framewright serve`: runs the HTTP server until Ctrl-C, SIGTERM or a model failure.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use generation::{
    Limits, LocalSettings,
    jobs::{Jobs, JobsSettings, Retention},
};
use server::{
    GuardSettings, MachineProbe, Server, ServerSettings, Services, TasksSettings,
    access::LinkSecret,
    uploads::UploadLimits,
    webhooks::{WebhookSecret, WebhookSettings},
};

use crate::{
    ALLOCATOR, args::ServeArgs, engine, failure::Usage, log::Log, memory, output, providers::Providers, serving_models, settings::Settings,
    signing, threads,
};

/// How long startup waits for the model before it reports that the model is still loading. Most model faults show sooner, and then the
/// error is the program's only output.
const PATIENCE: Duration = Duration::from_secs(1);

/// The data folder if none is set and the user has no standard one.
const DATA_DIR: &str = "framewright-data";

/// How often the allocator's cached memory is checked: a server that is idle for this long returns it to the system.
const IDLE: Duration = Duration::from_secs(10);

/// Serves until stopped.
///
/// # Errors
/// If the address cannot be listened on, or the model cannot be loaded.
pub(crate) fn run(args: &ServeArgs, settings: &Settings) -> Result<()> {
    let log = Log::new(&settings.server)?.keep();
    let access = settings.access.resolved(settings.server.public_url.as_ref()).map_err(|error| Usage(error.to_string()))?;
    // Checked before a model is loaded, which may take a while; the server checks again.
    access.check(&[settings.server.host]).map_err(|error| Usage(error.to_string()))?;
    let exposed = access.keys.is_empty() && !settings.server.host.to_canonical().is_loopback();
    let (local, signing) = signing::local_settings(settings)?;
    let local = LocalSettings { build: build(), ..local };
    let local = serving_models::start(settings, args.prediction_type.as_deref(), local)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let folder = data_folder(settings);
        let guard = GuardSettings { allow: settings.requests.allowed_hosts.clone(), ..GuardSettings::default() };
        let Providers { backends, services, spend, routing, remarks } = Providers::connect(settings, &guard).await?;
        let jobs = JobsSettings { spend, routing, ..jobs_settings(settings, folder.clone()) };
        let jobs = Jobs::open_with(jobs, local.clone(), backends).await.context("cannot serve")?;
        let link_secret = match &settings.access.link_secret {
            Some(secret) => secret.clone(),
            None => kept_secret(&folder.join("link-secret"))?,
        };
        let webhook_secret = match &settings.webhooks.secret {
            Some(secret) => secret.clone(),
            None => {
                let path = folder.join("webhook-secret");
                WebhookSecret::load_or_create(&path).with_context(|| format!("cannot serve: {}", path.display()))?
            }
        };
        let routes = routes(&services);
        let server_settings = ServerSettings {
            guard,
            tasks: TasksSettings { repaint_strength: settings.tasks.repaint_strength, ..TasksSettings::default() },
            webhooks: WebhookSettings::new(webhook_secret),
            access,
            link_secret: Some(link_secret),
            uploads: folder.join("uploads"),
            upload_limits: UploadLimits {
                bytes: settings.uploads.max_bytes,
                age: Duration::from_secs(settings.uploads.keep_days * 24 * 3600),
                total_bytes: settings.uploads.keep_bytes,
                owner_bytes: settings.uploads.keep_bytes,
            },
            host: settings.server.host.to_string(),
            port: settings.server.port,
            body_timeout: Duration::from_secs(settings.server.body_timeout_seconds),
            limits: Limits::DEFAULT,
            shutdown_limit: Duration::from_secs(settings.jobs.shutdown_seconds),
            repaint_strength: settings.characters.repaint_strength,
            services,
            resident_memory: memory::resident,
            machine: MachineProbe {
                total_memory: memory::of_the_machine,
                available_memory: memory::available,
                free_disk: memory::free_on_disk,
                threads: threads::count,
            },
            ..ServerSettings::default()
        };
        tokio::spawn(async {
            let mut ticks = tokio::time::interval(IDLE);
            loop {
                ticks.tick().await;
                // The system may take a while to release gigabytes, so this blocks.
                if tokio::task::spawn_blocking(|| ALLOCATOR.trim_if_idle()).await.is_err() {
                    return;
                }
            }
        });
        let server = Server::bind(&server_settings, jobs).context("cannot serve")?;
        let loaded = tokio::time::timeout(PATIENCE, local.loaded()).await;
        let state = match loaded {
            // With other models configured, the server still has something to serve, and `GET /models` shows the error.
            Ok(Err(_)) if settings.other_models().next().is_none() => return engine::loaded(&local).await.map(drop),
            Ok(Err(reason)) => format!("{} cannot be used: {reason}", settings.model.name),
            Ok(Ok(model)) => engine::about(&model),
            Err(_) => {
                let local = local.clone();
                tokio::spawn(async move {
                    // If the model fails to load, the server stops and reports the error itself.
                    if let Ok(model) = local.loaded().await {
                        output::remark(format_args!("model: {}", engine::about(&model)));
                    }
                });
                format!("{}, which is still being loaded", settings.model.name)
            }
        };
        for address in server.addresses().iter().copied() {
            let here = openable(address);
            output::remark(format_args!("serving http://{here} (try it out: http://{here}/docs)"));
            if here != address {
                let from_others = outward(address).map(|there| format!(": http://{there}")).unwrap_or_default();
                output::remark(format_args!("listening on every address of this machine{from_others}"));
            }
        }
        output::remark(format_args!("model: {state}"));
        for model in settings.other_models() {
            output::remark(format_args!("model {}: {}, loaded on the first request", model.name, model.source));
        }
        if exposed {
            output::remark(format_args!("other machines can reach this server, and it requires no key"));
        }
        for remark in remarks.iter().chain(&routes).chain(&signing) {
            output::remark(remark);
        }
        log.start();
        Ok(server.run().await?)
    })
}

/// This build and the instructions that it uses here, which decide the bits of its results: what another build has made of a video is made
/// again, also during development, where the version stays the same.
fn build() -> String {
    let program = std::env::current_exe().and_then(std::fs::metadata);
    let program = program.map(|program| (program.len(), program.modified().ok()));
    format!("{} {:?} {:?}", env!("CARGO_PKG_VERSION"), cpu_kernels::engine().level(), program.ok())
}

/// Where jobs, their files and the server's secrets are kept.
pub(crate) fn data_folder(settings: &Settings) -> PathBuf {
    settings.jobs.data_dir.clone().unwrap_or_else(|| PathBuf::from(DATA_DIR))
}

/// One line per kind of request that leaves this machine: its content goes to a third party.
fn routes(services: &Services) -> Vec<String> {
    let routes = [
        ("videos from texts", &services.text),
        ("images for /api/v1/i2v", &services.i2v),
        ("videos of characters", &services.characters),
        ("videos of tasks", &services.tasks),
    ];
    routes.into_iter().filter_map(|(what, route)| Some(format!("{what} go to {}", route.as_ref()?))).collect()
}

/// An address that a browser on this machine can open: an unspecified address becomes loopback.
fn openable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        one @ (IpAddr::V4(_) | IpAddr::V6(_)) => one,
    };
    SocketAddr::new(ip, address.port())
}

/// This machine's outward address, if it has a route to the network.
fn outward(address: SocketAddr) -> Option<SocketAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): connecting a datagram socket sends nothing, it only selects a route.
    let elsewhere: SocketAddr = if address.is_ipv4() { ([192, 0, 2, 1], 9).into() } else { ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9).into() };
    let socket = UdpSocket::bind((address.ip(), 0)).ok()?;
    socket.connect(elsewhere).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then(|| SocketAddr::new(ip, address.port()))
}

/// The link-signing secret that the data folder keeps.
fn kept_secret(path: &Path) -> Result<LinkSecret> {
    LinkSecret::load_or_create(path).with_context(|| format!("cannot serve: {}", path.display()))
}

fn jobs_settings(settings: &Settings, folder: PathBuf) -> JobsSettings {
    let capacity = settings.server.queue_capacity;
    // Otherwise one owner could refill the queue again and again and leave the others no slot.
    let shared = if settings.access.several_keys() { capacity.div_ceil(2) } else { capacity };
    JobsSettings {
        queue_capacity: capacity,
        capacity_per_owner: settings.jobs.waiting_per_key.unwrap_or(shared),
        keep: Retention { age: Duration::from_secs(settings.jobs.keep_days * 24 * 3600), bytes: settings.jobs.keep_bytes },
        parts_bytes: settings.jobs.parts_bytes,
        ..JobsSettings::new(folder, SystemTime::now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_shown_as_loopback() {
        let shown = |address: &str| address.parse().map(|address| openable(address).to_string()).unwrap_or_default();
        for (address, expected) in [
            ("0.0.0.0:8000", "127.0.0.1:8000"),
            ("[::]:8000", "[::1]:8000"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("192.168.1.5:80", "192.168.1.5:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(shown(address), expected, "{address}");
        }
    }
}
