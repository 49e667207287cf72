//! The fakes' clock, which tests can move: signatures and links expire by it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// The system's clock plus an offset that tests set. Clones share the offset.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Mutex<Moved>>);

#[derive(Debug, Default)]
struct Moved {
    ahead: Duration,
    behind: Duration,
}

impl Clock {
    /// The time.
    pub fn now(&self) -> SystemTime {
        let moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        SystemTime::now() + moved.ahead - moved.behind
    }

    /// Moves the clock ahead.
    pub fn advance(&self, by: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ahead += by;
    }

    /// Moves the clock back.
    pub fn turn_back(&self, by: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).behind += by;
    }
}
