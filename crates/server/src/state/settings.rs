//! What the operator chooses of single APIs.

use std::time::Duration;

/// How the Tasks API works; the operator's choice.
#[derive(Clone, Debug)]
pub struct TasksSettings {
    /// How much of the given picture a clip's prompt repaints before it moves, 0 to 1; 0 leaves it as it is, for a motion model knows no
    /// texts.
    pub repaint_strength: f64,
    /// How often a stream of events says that it is alive.
    pub heartbeat: Duration,
    /// How many streams of events an owner may have open.
    pub streams_per_owner: usize,
}

impl Default for TasksSettings {
    fn default() -> Self {
        Self { repaint_strength: 0.0, heartbeat: Duration::from_secs(15), streams_per_owner: 16 }
    }
}

/// Where videos from texts are made; the operator's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextRoute {
    /// By this machine's own models.
    #[default]
    Local,
    /// By Amazon Bedrock.
    Bedrock,
}
