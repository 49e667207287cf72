//! Waiting for the effect of another task or thread.

use std::time::{Duration, Instant};

/// Long enough for any machine, short enough to fail before a person gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until the condition holds, at most [`PATIENCE`].
///
/// # Panics
/// The condition does not hold in that time; `what` describes it.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
