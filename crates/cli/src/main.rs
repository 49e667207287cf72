//! The `framewright` program: reads flags and settings, runs one command, and prints one line on failure.

mod adapters;
mod animate;
mod args;
mod bench;
mod client;
mod controls;
mod engine;
mod failure;
mod flags;
mod frames;
mod hub;
mod image;
mod jobs;
mod log;
mod memory;
mod model;
mod models;
mod output;
mod output_check;
mod parts;
mod providers;
mod serve;
mod serving_models;
mod settings;
mod signing;
mod threads;
mod unknown_fields;
mod upscale;
mod verify;
mod video;

use std::{
    env,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::Result;
use clap::Parser as _;
use cpu_kernels::Priority;

use crate::{
    args::{Cli, Command, ModelsCommand},
    failure::Usage,
    settings::{Layer, Settings},
};

/// Reuses the memory of large activations from one layer to the next.
#[global_allocator]
static ALLOCATOR: recycler::CachingAllocator = recycler::CachingAllocator::new();

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && error.kind() != clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = writeln!(io::stderr(), "error: {}", failure::usage_line(&error));
            return ExitCode::from(2);
        }
        // --help and --version.
        Err(error) => error.exit(),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output closed it early (`framewright models list | head -1`).
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", failure::one_line(&error));
            failure::exit_code(&error)
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Image(args) => {
            let settings = gather(config, args.layers())?;
            threads::settle(&settings, Priority::Usual)?;
            image::run(&args, &settings)
        }
        Command::Video(args) => {
            let settings = gather(config, args.engine.layers().into_iter().chain(args.scenes.layers()).collect())?;
            threads::settle(&settings, Priority::Usual)?;
            video::run(&args, &settings)
        }
        Command::Animate(args) => {
            let settings = gather(config, args.layers())?;
            threads::settle(&settings, Priority::Usual)?;
            animate::run(&args, &settings)
        }
        Command::Frames(args) => {
            let settings = gather(config, args.engine.layers().into_iter().chain(args.scenes.layers()).collect())?;
            threads::settle(&settings, Priority::Usual)?;
            frames::run(&args, &settings)
        }
        Command::Upscale(args) => {
            let settings = gather(config, args.layers())?;
            threads::settle(&settings, Priority::Usual)?;
            upscale::run(&args, &settings)
        }
        Command::Serve(args) => {
            let settings = gather(config, args.layers())?;
            threads::settle(&settings, Priority::Low)?;
            serve::run(&args, &settings)
        }
        Command::Jobs(args) => jobs::run(&args, &gather(config, args.client.layers())?.client),
        Command::Models(command) => {
            let settings = gather(config, command.layers())?;
            match command {
                ModelsCommand::List { server: None, json } => models::list(&settings, json),
                ModelsCommand::List { server: Some(_), json } => models::served::list(&settings.client, json),
                ModelsCommand::Inspect { model, json, .. } => models::inspect(&model, &settings, json),
                ModelsCommand::Pull { id, verify } => models::pull(&id, verify, &settings.hub),
            }
        }
        // It needs no settings.
        Command::Verify(args) => verify::run(&args),
        Command::Bench(args) => {
            let settings = gather(config, args.engine.layers())?;
            threads::settle(&settings, Priority::Usual)?;
            bench::run(&args, &settings)
        }
    }
}

/// The settings of this process, from its file, its environment and its flags.
fn gather(file: Option<&Path>, flags: Vec<Layer>) -> Result<Settings> {
    let default = Path::new(settings::DEFAULT_FILE);
    let file = file.or_else(|| default.exists().then_some(default));
    // A variable that is not Unicode cannot be one of ours.
    let variables = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let usage = |error: settings::SettingsError| Usage(error.to_string());
    let mut layers = settings::environment_layers(variables).map_err(usage)?;
    layers.extend(flags);
    Ok(Settings::resolve(file, layers).map_err(usage)?)
}
