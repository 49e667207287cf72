//! `framewright jobs`, as `--help` shows it.

use clap::{Args, Subcommand};

use crate::settings::Layer;

/// `framewright jobs`.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct JobsArgs {
    #[command(flatten)]
    pub client: ClientArgs,

    /// What to do.
    #[command(subcommand)]
    pub command: JobsCommand,
}

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List the jobs of a running server, the newest first.
    List {
        /// How many at most, 1 to 1000.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
        /// Only jobs with this status: pending, processing, completed, failed or cancelled.
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
    },
    /// Show one job.
    Show {
        /// Its id.
        id: String,
    },
    /// Cancel jobs: waiting ones at once, a running one at its next step.
    Cancel {
        /// Their ids.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Follow a job until it finishes; the exit code is 1 if it fails or is cancelled.
    Watch {
        /// Its id.
        id: String,
    },
}

/// The server, and how its answers are printed; accepted before or after the subcommand.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// The server's address [default: http://127.0.0.1:8000]. Its API key is the setting client.api_key.
    #[arg(long, value_name = "URL", global = true)]
    pub server: Option<String>,

    /// Print what the server says, as JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

impl ClientArgs {
    /// The flags given, as settings layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        self.server.as_ref().map(|server| Layer::flag("--server", "client.server", server.as_str())).into_iter().collect()
    }
}
