//! The remark on a job that overflowed to a service because this machine was too busy.

use generation::jobs::Job;

/// Replaces the remarks that were made for a video of this machine by one remark if a service makes it instead, because they do not apply
/// there.
pub(crate) fn tell(job: &Job, by_service: bool, remarks: &mut Vec<String>) {
    let Some(remote) = job.remote.as_ref().filter(|_| !by_service) else { return };
    *remarks = vec![format!(
        "{} makes the video, because this machine would have taken longer than the operator allows (routing.overflow_after_seconds).",
        remote.provider
    )];
}
