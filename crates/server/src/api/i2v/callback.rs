//! The callback message to a G.A.M.E agent's requests API when a job has ended.
//!
//! It must not know the address or the key: [`GameCallback`] does.

use generation::jobs::{Job, JobState};
use serde_json::{Value, json};

use crate::{
    access::Access,
    api::{
        i2v::{metadata::I2vMetadata, title::title},
        tasks::task_view::Links,
    },
    webhooks::{Message, game::GameCallback},
};

/// The message; `None` if its address is no longer the operator's current one.
pub(crate) fn message(callback: &GameCallback, access: &Access, (job, metadata): (&Job, &I2vMetadata), url: &str) -> Option<Message> {
    let is_current = url == callback.url(&metadata.request_id);
    is_current.then(|| callback.message(body(job, Links { access, base_url: &metadata.base_url }).to_string().into_bytes()))
}

fn body(job: &Job, links: Links<'_>) -> Value {
    let url = (job.state == JobState::Completed).then(|| links.video(job)).flatten();
    match url {
        Some(url) => {
            let title = title(job.remote.as_ref().and_then(|remote| remote.prompt.as_deref()));
            let output = json!({"title": title, "type": "MEDIA", "category": "MARKETING_VIDEO", "url": url});
            json!({"data": {"addToInventory": true, "status": "COMPLETED", "output": output}})
        }
        None => json!({"data": {"addToInventory": false, "status": "FAILED", "output": null}}),
    }
}
