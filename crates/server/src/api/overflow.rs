//! What every API tells of a job that went to a service because this machine was too busy.

use generation::jobs::Job;

/// Puts one remark in the place of those that were made when this machine was to make the video and a service makes it instead: what they
/// say of how it is made here is not so.
pub(crate) fn tell(job: &Job, by_service: bool, remarks: &mut Vec<String>) {
    let Some(remote) = job.remote.as_ref().filter(|_| !by_service) else { return };
    *remarks = vec![format!(
        "{} makes the video, because this machine would have taken longer than the operator allows (routing.overflow_after_seconds).",
        remote.provider
    )];
}
