//! Settings of tasks, of their webhooks, and of requests to addresses that callers name.

use serde::Deserialize;
use server::{AllowedHost, webhooks::WebhookSecret};

use super::values;

/// The Tasks API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TasksSettings {
    /// How much of its image a clip's prompt repaints before it moves: 0 (nothing: the prompt has no effect), or 0.04 to 1.
    #[serde(deserialize_with = "values::repaint_strength")]
    pub repaint_strength: f64,
}

/// Callbacks of tasks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebhookSettings {
    /// The secret that signs callbacks, `whsec_` and base64. Absent: generated at the first start and kept in the data folder as
    /// `webhook-secret`. Never printed.
    #[serde(deserialize_with = "values::webhook_secret")]
    pub secret: Option<WebhookSecret>,
}

/// Requests to addresses that callers name: images and callbacks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RequestsSettings {
    /// Hosts that are allowed although they are private, or on another port than usual: names, `*.example.com`, addresses and networks,
    /// each with `:port` or without.
    #[serde(deserialize_with = "values::asked_hosts")]
    pub allowed_hosts: Vec<AllowedHost>,
}
