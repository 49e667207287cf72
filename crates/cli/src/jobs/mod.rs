//! `framewright jobs`: a client of a running server's Tasks API.
//!
//! It must not know how a server works: it reads the fields that the API documents and skips missing ones, so that it also works with
//! servers of other versions.

mod events;
mod table;
mod watch;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    args::{JobsArgs, JobsCommand},
    client::Client,
    failure::Usage,
    output,
    settings::ClientSettings,
};

/// Runs one of the commands.
///
/// # Errors
/// [`Usage`] for an invalid job id; otherwise if the server cannot be reached or refuses, or the watched job fails.
pub(crate) fn run(args: &JobsArgs, settings: &ClientSettings) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime for requests")?;
    runtime.block_on(async {
        let client = Client::new(settings)?;
        let as_json = args.client.json;
        match &args.command {
            JobsCommand::List { limit, status } => list(&client, *limit, status.as_deref(), as_json).await,
            JobsCommand::Show { id } => show(&client, checked(id)?, as_json).await,
            JobsCommand::Cancel { ids } => cancel(&client, ids, as_json).await,
            JobsCommand::Watch { id } => watch::run(&client, checked(id)?, as_json).await,
        }
    })
}

/// An id that is safe in a URL path.
fn checked(id: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !id.is_empty() && id.bytes().all(plain) { Ok(id) } else { Err(Usage(format!("{id:?} is no job's id")).into()) }
}

async fn list(client: &Client, limit: u32, status: Option<&str>, as_json: bool) -> Result<()> {
    let limit = limit.to_string();
    let query: Vec<_> = [("limit", limit.as_str())].into_iter().chain(status.map(|status| ("status", status))).collect();
    let jobs = client.get("/api/v1/tasks", &query).await?;
    if as_json {
        return Ok(output::json(&jobs)?);
    }
    let rows = jobs.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        output::remark("no jobs");
        return Ok(());
    }
    for line in table::list(rows, table::now()) {
        output::result(line)?;
    }
    Ok(())
}

async fn show(client: &Client, id: &str, as_json: bool) -> Result<()> {
    let job = client.get(&path(id), &[]).await?;
    if as_json {
        return Ok(output::json(&job)?);
    }
    for line in table::one(&job, table::now()) {
        output::result(line)?;
    }
    Ok(())
}

/// Cancels all of them; reports the first failure after all were tried.
async fn cancel(client: &Client, ids: &[String], as_json: bool) -> Result<()> {
    for id in ids {
        checked(id)?;
    }
    let mut cancelled: Vec<Value> = Vec::new();
    let mut failed = None;
    for id in ids {
        match client.delete(&path(id)).await {
            Ok(answer) if as_json => cancelled.push(answer),
            Ok(_) => output::result(format_args!("{id}  cancelled"))?,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if as_json {
        output::json(&json!(cancelled))?;
    }
    failed.map_or(Ok(()), Err)
}

fn path(id: &str) -> String {
    format!("/api/v1/tasks/{id}")
}
