//! The storage of Google's videos: the developer API's files behind a redirect, Vertex's objects in Cloud Storage.

use serde_json::json;

use super::{Google, error};
use crate::{Fault, Recorded, Reply, links::expired, sample::spoiled_video, sample_video};

impl Google {
    /// The developer API's URL of a video: it requires the key, and redirects to one that does not.
    pub(super) fn file(&self, request: &Recorded, id: &str, fault: Option<&Fault>, storage: &str) -> Reply {
        if request.query_value("alt").as_deref() != Some("media") {
            return Reply::json(200, &json!({"name": format!("files/{id}"), "mimeType": "video/mp4"}));
        }
        let fate = self.fate(id);
        if fault.or(fate.as_ref()) == Some(&Fault::Expired) {
            return error(403, "PERMISSION_DENIED", &format!("You do not have permission to access the File {id} or it may not exist."));
        }
        Reply::empty(302).header("location", self.links.sign(storage, &format!("/download/{id}")))
    }

    /// The storage's answer.
    pub(super) fn stored(&self, request: &Recorded) -> Reply {
        let fault = self.faults.take("download");
        let reply = match &fault {
            Some(Fault::Status(status, _) | Fault::StatusAfter(status, _) | Fault::RetryAfter(status, ..)) => Reply::empty(*status),
            Some(Fault::Expired) => expired(),
            fault => self.object(request, fault.as_ref()),
        };
        fault.map_or(reply.clone(), |fault| fault.spoil(reply))
    }

    fn object(&self, request: &Recorded, fault: Option<&Fault>) -> Reply {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        let id = match segments.as_slice() {
            ["download", _] if request.header("x-goog-api-key").is_some() => {
                return Reply::bytes(400, "text/plain", "the key was sent beyond the redirect");
            }
            ["download", _] if !self.links.is_valid(request) => return expired(),
            ["download", id] => *id,
            ["storage", "v1", "b", _, "o", _] if request.bearer() != Some(&self.options.key) => {
                return error(401, "UNAUTHENTICATED", "Anonymous caller does not have storage.objects.get access to the object.");
            }
            ["storage", "v1", "b", _, "o", object] => object.rsplit('/').nth(1).unwrap_or_default(),
            _ => return error(404, "NOT_FOUND", "Not Found"),
        };
        let fate = self.fate(id);
        match fault.or(fate.as_ref()) {
            Some(Fault::NotAVideo(bytes)) => Reply::bytes(200, "text/html", *bytes),
            fate => Reply::bytes(200, "video/mp4", self.video(fate)),
        }
    }

    pub(super) fn video(&self, fate: Option<&Fault>) -> Vec<u8> {
        spoiled_video(&sample_video(0), fate)
    }

    /// The fault of the operation whose name has this last segment.
    fn fate(&self, id: &str) -> Option<Fault> {
        self.operations().iter().find(|(name, _)| name.ends_with(&format!("/{id}"))).and_then(|(_, operation)| operation.fate.clone())
    }
}
