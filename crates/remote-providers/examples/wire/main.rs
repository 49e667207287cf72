//! Sends the requests of a provider through this crate, so that `scripts/check-remote-wire` can record them.
//!
//!     wire PROVIDER BASE
//!
//! BASE replaces the provider's address. Each line of standard input is a [`Call`] in JSON; the line of standard output that answers it has
//! the result. Each kind of provider has a file with a function that connects it.

mod bedrock;
mod keyed;

use std::{
    io::{self, BufRead as _, Write as _},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use guarded_http::{AllowedHost, GuardSettings};
use remote_providers::{
    DownloadError, DownloadLimits, ErrorKind, Guard, InputImage, Provider, ProviderError, Source, Started, Status, VideoRequest, download,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// One call.
#[derive(Debug, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
enum Call {
    /// Starts a video.
    Start {
        #[serde(default)]
        model: String,
        request: Box<VideoRequest>,
        token: String,
    },
    /// Polls its status.
    Poll { id: String },
    /// Cancels it.
    Cancel { id: String },
    /// Makes a link to it.
    Link { id: String },
    /// Captions an image with Replicate's interrogator.
    Caption { image: InputImage },
    /// Polls its status, and downloads the finished video into a file.
    Download { id: String, file: PathBuf },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [name, base] = arguments.as_slice() else { bail!("usage: wire PROVIDER BASE") };
    let provider: Arc<dyn Provider> = match name.as_str() {
        "bedrock" => bedrock::connect().await?,
        _ => keyed::connect(name, base)?.with_context(|| format!("the provider {name:?} is not known (for {base})"))?,
    };
    let mut out = io::stdout();
    for line in io::stdin().lock().lines() {
        let call = serde_json::from_str(&line?).context("a line is no call")?;
        let result = make(provider.as_ref(), base, call).await.unwrap_or_else(|error| failed(&error));
        writeln!(out, "{result}")?;
    }
    Ok(())
}

async fn make(provider: &dyn Provider, base: &str, call: Call) -> Result<Value, ProviderError> {
    match call {
        Call::Start { model, request, token } => {
            provider.check(&model, &request)?;
            Ok(match provider.start(&model, &request, &token).await? {
                Started::Pending(id) => json!({"id": id}),
                Started::Finished(id, source) => json!({"id": id, "url": url(&source)}),
            })
        }
        Call::Poll { id } => match provider.poll(&id).await? {
            Status::Pending(percent) => Ok(json!({"status": "pending", "percent": percent})),
            Status::Finished(source) => Ok(json!({"status": "finished", "url": url(&source)})),
            Status::Failed(error) => Err(error),
        },
        Call::Cancel { id } => provider.cancel(&id).await.map(|()| json!({})),
        Call::Caption { image } => Ok(json!({"caption": keyed::caption(base, &image).await?})),
        Call::Link { id } => Ok(json!({"url": provider.link(&id).await?.map(String::from)})),
        Call::Download { id, file } => match provider.poll(&id).await? {
            Status::Pending(_) => Ok(json!({"status": "pending"})),
            Status::Finished(source) => {
                let length =
                    download(provider.name(), source, &guard(), &DownloadLimits::default(), &file).await.map_err(|error| match error {
                        DownloadError::Provider(error) => error,
                        DownloadError::Disk(error) => ProviderError::new(provider.name(), ErrorKind::Result, error.to_string()),
                    })?;
                Ok(json!({"status": "finished", "length": length}))
            }
            Status::Failed(error) => Err(error),
        },
    }
}

/// Allows downloads from any port of this machine.
fn guard() -> Guard {
    let allow: Vec<AllowedHost> = ["127.0.0.1"].iter().filter_map(|host| host.parse().ok()).collect();
    Guard::new(GuardSettings { allow, ports: (1..=u16::MAX).collect(), ..GuardSettings::default() })
}

fn url(source: &Source) -> Option<&str> {
    match source {
        Source::Url { url, .. } => Some(url),
        Source::Bytes(_) => None,
    }
}

fn failed(error: &ProviderError) -> Value {
    json!({"error": error.to_string(), "kind": format!("{:?}", error.kind)})
}
