//! `framewright serve`: the HTTP server over the engine, until Ctrl-C, SIGTERM or a model that cannot be used.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, anyhow};
use generation::{
    Limits,
    jobs::{Jobs, JobsSettings, Retention},
};
use server::{Server, ServerSettings, TextRoute};

use crate::{ALLOCATOR, args::ServeArgs, engine, log::Log, memory, output, settings::Settings};

/// How long the server waits for the model before it answers that the model is still being loaded. Most that is wrong with a model
/// shows sooner, and is then the only thing the program says.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where jobs lie when nobody says where and the user has no folder for such things.
const DATA_DIR: &str = "framewright-data";

/// How often the memory of finished pictures is looked at: a server without work for so long gives it back.
const IDLE: Duration = Duration::from_secs(10);

/// Serves until it is stopped.
///
/// # Errors
/// If the address cannot be listened on, or the model cannot be loaded.
pub(crate) fn run(args: &ServeArgs, settings: &Settings) -> Result<()> {
    let log = Log::new(&settings.server)?;
    let engine = engine::start(settings, args.prediction_type.as_deref(), true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let server_settings = ServerSettings {
            host: settings.server.host.to_string(),
            port: settings.server.port,
            body_timeout: Duration::from_secs(settings.server.body_timeout_seconds),
            limits: Limits::DEFAULT,
            shutdown_limit: Duration::from_secs(settings.jobs.shutdown_seconds),
            repaint_strength: settings.characters.repaint_strength,
            text_route: if settings.text_is_bedrocks() { TextRoute::Bedrock } else { TextRoute::Local },
            resident_memory: memory::resident,
            ..ServerSettings::default()
        };
        tokio::spawn(async {
            let mut ticks = tokio::time::interval(IDLE);
            loop {
                ticks.tick().await;
                // The system takes its time over a gigabyte.
                if tokio::task::spawn_blocking(|| ALLOCATOR.trim_if_idle()).await.is_err() {
                    return;
                }
            }
        });
        let jobs = Jobs::open(jobs_settings(&settings.jobs), engine.clone()).context("cannot serve")?;
        let server = Server::bind(&server_settings, jobs).context("cannot serve")?;
        let loaded = tokio::time::timeout(PATIENCE, engine.loaded()).await;
        let state = match loaded {
            Ok(Err(reason)) => return Err(anyhow!(reason)),
            Ok(Ok(model)) => format!("{} on {}", model.name, model.device_reason),
            Err(_) => format!("{}, which is still being loaded", settings.model.name),
        };
        for address in server.addresses() {
            output::remark(format_args!("serving http://{address} (try it out: http://{address}/docs)"));
        }
        output::remark(format_args!("model: {state}"));
        log.start();
        Ok(server.run().await?)
    })
}

fn jobs_settings(settings: &crate::settings::JobsSettings) -> JobsSettings {
    let folder = settings.data_dir.clone().unwrap_or_else(|| PathBuf::from(DATA_DIR));
    JobsSettings {
        most_waiting: settings.waiting_per_key,
        keep: Retention { age: Duration::from_secs(settings.keep_days * 24 * 3600), bytes: settings.keep_bytes },
        ..JobsSettings::new(folder, SystemTime::now)
    }
}
