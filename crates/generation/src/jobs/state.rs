//! The states of a job, and the one function that defines its transitions.
//!
//! Invariant: a final state never changes.

use std::{fmt, str::FromStr};

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// A backend works on it.
    Running,
    /// It is done, and its files are in place.
    Completed,
    /// It failed.
    Failed,
    /// Its owner cancelled it.
    Cancelled,
}

/// A transition of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A backend starts it.
    Start,
    /// A backend gives it back before its end: the program shuts down, or has crashed.
    Requeue,
    /// Its files are in place.
    Complete,
    /// It fails.
    Fail,
    /// Its owner cancels it.
    Cancel,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// The state after a transition; `None` if the transition is not possible from this state.
    pub const fn after(self, transition: Transition) -> Option<Self> {
        match (self, transition) {
            (Self::Queued, Transition::Start) => Some(Self::Running),
            (Self::Running, Transition::Requeue) => Some(Self::Queued),
            (Self::Running, Transition::Complete) => Some(Self::Completed),
            // A waiting job fails if its stored work cannot be read any more.
            (Self::Queued | Self::Running, Transition::Fail) => Some(Self::Failed),
            (Self::Queued | Self::Running, Transition::Cancel) => Some(Self::Cancelled),
            (Self::Queued, Transition::Requeue | Transition::Complete)
            | (Self::Running, Transition::Start)
            | (Self::Completed | Self::Failed | Self::Cancelled, _) => None,
        }
    }

    /// Whether no transition is possible any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Its name: "queued", "running", "completed", "failed" or "cancelled".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not a state's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a job state: {0:?}; use queued, running, completed, failed or cancelled")]
pub struct UnknownState(pub String);

impl FromStr for JobState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| UnknownState(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_final_state_has_no_transition() {
        let transitions = [Transition::Start, Transition::Requeue, Transition::Complete, Transition::Fail, Transition::Cancel];
        for state in JobState::ALL {
            assert_eq!(state.name().parse::<JobState>().unwrap(), state);
            let onward = transitions.into_iter().filter_map(|transition| state.after(transition)).count();
            assert_eq!(onward == 0, state.is_final(), "{state}");
        }
    }

    #[test]
    fn only_a_running_job_completes_and_only_a_queued_one_starts() {
        assert_eq!(JobState::Queued.after(Transition::Complete), None);
        assert_eq!(JobState::Running.after(Transition::Start), None);
    }
}
