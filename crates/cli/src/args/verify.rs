//! `framewright verify`, as `--help` shows it.

use std::path::PathBuf;

use clap::Args;

/// `framewright verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// PNG, JPEG, WebP, GIF, MP4 and WebM files; that of a WebM file lies beside it and ends in .c2pa.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Print the whole manifests, as JSON.
    #[arg(long)]
    pub json: bool,
}
