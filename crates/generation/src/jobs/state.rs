//! Where a job stands, and the one function that says which way it may go from there.
//!
//! The invariant: a job that has ended stays as it ended.

use std::{fmt, str::FromStr};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// The device works on it.
    Running,
    /// It is done, and its files are in place.
    Completed,
    /// It could not be done.
    Failed,
    /// Its owner called it off.
    Cancelled,
}

/// What happens to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The device takes it.
    Start,
    /// The device lets go of it before its end: the program goes down, or went down.
    Requeue,
    /// Its files are in place.
    Complete,
    /// It cannot be done.
    Fail,
    /// Its owner calls it off.
    Cancel,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// The state after a transition; `None` if that cannot happen to a job that stands here.
    pub const fn after(self, transition: Transition) -> Option<Self> {
        match (self, transition) {
            (Self::Queued, Transition::Start) => Some(Self::Running),
            (Self::Running, Transition::Requeue) => Some(Self::Queued),
            (Self::Running, Transition::Complete) => Some(Self::Completed),
            // One that waits can fail too: where what was stored of it cannot be read any more.
            (Self::Queued | Self::Running, Transition::Fail) => Some(Self::Failed),
            (Self::Queued | Self::Running, Transition::Cancel) => Some(Self::Cancelled),
            (Self::Queued, Transition::Requeue | Transition::Complete)
            | (Self::Running, Transition::Start)
            | (Self::Completed | Self::Failed | Self::Cancelled, _) => None,
        }
    }

    /// Whether nothing can happen to it any more.
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

/// A name that no state has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no state of a job: {0:?}; there are queued, running, completed, failed and cancelled")]
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
    fn what_has_ended_stays_as_it_is() {
        let transitions = [Transition::Start, Transition::Requeue, Transition::Complete, Transition::Fail, Transition::Cancel];
        for state in JobState::ALL {
            assert_eq!(state.name().parse::<JobState>().unwrap(), state);
            let onward = transitions.into_iter().filter_map(|transition| state.after(transition)).count();
            assert_eq!(onward == 0, state.is_final(), "{state}");
        }
    }

    #[test]
    fn nothing_is_done_that_did_not_run() {
        assert_eq!(JobState::Queued.after(Transition::Complete), None);
        assert_eq!(JobState::Running.after(Transition::Start), None);
    }
}
