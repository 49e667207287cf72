//! `framewright models list --server`: the models of a running server, from `GET /models`.
//!
//! It must not know how a server works: it reads the documented fields and omits missing ones, so that it also works with servers of other
//! versions.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    client::{Client, text},
    output::{self, size},
    settings::ClientSettings,
};

/// Lists the models.
///
/// # Errors
/// If the server cannot be reached, refuses the request, or does not answer like a framewright server.
pub(crate) fn list(settings: &ClientSettings, as_json: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime for requests")?;
    let client = Client::new(settings)?;
    let answer = runtime.block_on(client.get("/models", &[]))?;
    let models = answer.get("models").and_then(Value::as_array).ok_or_else(|| client.not_understood())?;
    if as_json {
        return Ok(output::json(&answer)?);
    }
    for line in lines(models) {
        output::result(line)?;
    }
    Ok(())
}

/// A line with the columns' names, then one line per model.
fn lines(models: &[Value]) -> Vec<String> {
    let mut rows = vec![["MODEL", "STATE", "MEMORY", "PRECISION", "SIZE", ""].map(str::to_owned)];
    rows.extend(models.iter().map(|model| {
        let number = |key: &str| model.get(key).and_then(Value::as_u64);
        let progress = number("progress").map_or_else(String::new, |percent| format!(" {percent} %"));
        let shape = number("width").zip(number("height")).map_or_else(String::new, |(width, height)| format!("{width}x{height}"));
        let default = if model.get("default").and_then(Value::as_bool) == Some(true) { "default" } else { "" };
        let notes: Vec<_> = [default.to_owned(), text(model, "reason")].into_iter().filter(|note| !note.is_empty()).collect();
        let state = format!("{}{progress}", text(model, "state"));
        let memory = number("memory_bytes").map_or_else(String::new, size);
        [text(model, "name"), state, memory, text(model, "precision"), shape, notes.join(", ")]
    }));
    output::table(&rows, &[2])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_model_has_a_line() {
        let models = [
            json!({"name": "nano-sd", "default": true, "state": "ready", "memory_bytes": 30_100_000, "loads": 1, "precision": "bf16",
                   "width": 128, "height": 128}),
            json!({"name": "turbo", "default": false, "state": "loading", "progress": 42, "memory_bytes": 2_100_000_000_u64, "loads": 0,
                   "precision": "f32", "width": 512, "height": 512}),
            json!({"name": "broken", "default": false, "state": "failed", "reason": "config.json:\u{1b}[31m truncated",
                   "memory_bytes": null, "loads": 0, "precision": null, "width": null, "height": null}),
            // From a server of another version.
            json!({"name": "other", "state": "resting"}),
        ];
        let expected = [
            "MODEL    STATE          MEMORY  PRECISION  SIZE",
            "nano-sd  ready         30.1 MB  bf16       128x128  default",
            "turbo    loading 42 %   2.1 GB  f32        512x512",
            "broken   failed                                     config.json:[31m truncated",
            "other    resting",
        ];
        assert_eq!(lines(&models), expected);
    }
}
