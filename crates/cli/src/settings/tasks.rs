//! The settings of tasks, of the callbacks that are told of their end, and of the addresses that callers name.

use serde::Deserialize;
use server::{AllowedHost, webhooks::WebhookSecret};

use super::values;

/// Videos and pictures as tasks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TasksSettings {
    /// How much of a given picture a clip's prompt repaints before it moves, 0 (nothing: the prompt is not used) to 1.
    #[serde(deserialize_with = "values::repaint_strength")]
    pub repaint_strength: f64,
}

/// Telling callbacks that their tasks have ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebhookSettings {
    /// What messages are signed with, `whsec_` and base64; absent: drawn at the first start, and kept in the data folder as
    /// `webhook-secret`. Never printed.
    #[serde(deserialize_with = "values::webhook_secret")]
    pub secret: Option<WebhookSecret>,
}

/// Requests to the addresses that callers name: pictures and callbacks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RequestsSettings {
    /// Hosts that may be asked although they are private, or on a port of their own: names, `*.example.com`, networks, each with `:port`
    /// or without.
    #[serde(deserialize_with = "values::asked_hosts")]
    pub allowed_hosts: Vec<AllowedHost>,
}
