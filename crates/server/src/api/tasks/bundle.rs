//! `GET /api/v1/bundle`: the files of several tasks as one ZIP archive, and how they were made.
//!
//! The invariants: an unknown task is reported before a byte is sent; a piece of one file is in memory at a time; names in the archive are
//! unique and contain no path.

use std::{collections::HashSet, io, vec};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_DISPOSITION, ContentDisposition, DispositionParam, DispositionType},
    web::{Bytes, Data},
};
use futures_util::stream;
use generation::jobs::{Artifact, ArtifactReader, Job, Jobs};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    api::tasks::{problems::task_not_found, summary_wire::TaskKind, task_summary, wire::TaskRequest},
    files::{file_schemas::ZipFile, zip_stream::ZipStream},
    http::{ErrorBody, Problem, StoreProblems, ValidationErrorBody},
    inputs::{Fields, query_values, string},
    state::ApiState,
};

/// The maximum number of tasks.
const MAX_TASKS: usize = 500;
/// The maximum length of the prompt's part of a file name, in characters.
const MAX_SLUG_CHARS: usize = 48;
/// Bytes read from a file at once.
const PIECE: usize = 64 << 10;
/// The file that says how the others were made.
const PARAMETERS: &str = "parameters.json";

const IDS_FAULT: (&str, &str) = ("value_error", "Value error, name 1 to 500 tasks by their ids, separated by commas");

/// An entry of `parameters.json` in a bundle.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BundledFile {
    /// The file's name in the archive; null for a task without files.
    #[schema(example = "0001-a-boat-at-sunset-42.png")]
    file: Option<String>,
    /// The task's id.
    #[schema(example = "img_abc123def456")]
    task_id: String,
    /// What it shows; null if it has no prompt.
    prompt: Option<String>,
    /// The seed; null if a service drew its own.
    #[schema(example = 42)]
    seed: Option<u64>,
    /// The model, by the name in the request; null for the default model.
    model: Option<String>,
    /// How it is asked for again; null if that is not known.
    request: Option<TaskRequest>,
}

/// The files of several tasks as a ZIP archive.
///
/// With `parameters.json`, a list that says how each was made (`BundledFile`). Files that are no longer kept are left out.
#[utoipa::path(
    get,
    path = "/api/v1/bundle",
    operation_id = "download_bundle",
    tag = "tasks",
    params((
        "ids" = String,
        Query,
        description = "The tasks' ids, separated by commas; at most 500",
        example = "img_abc123def456,vid_abc123def456"
    )),
    responses(
        (
            status = 200,
            description = "The archive",
            body = ZipFile,
            content_type = "application/zip",
            headers(("Content-Disposition" = String, description = "attachment, with a file name that has the time"))
        ),
        StoreProblems,
        (status = 404, description = "There are no such tasks: `detail` names them", body = ErrorBody),
        (status = 422, description = "The query is wrong", body = ValidationErrorBody),
    )
)]
pub(crate) async fn bundle(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let ids = ids(request.query_string())?;
    let mut unknown = Vec::new();
    for id in &ids {
        if state.jobs.get(&caller.owner, id).await?.is_none() {
            unknown.push(id.as_str());
        }
    }
    if !unknown.is_empty() {
        return Err(task_not_found(&unknown.join(", ")));
    }
    let name = format!("framewright-{}.zip", Timestamp::now().strftime("%Y%m%d-%H%M%S"));
    let disposition = ContentDisposition { disposition: DispositionType::Attachment, parameters: vec![DispositionParam::Filename(name)] };
    let bundle = Bundle {
        jobs: state.jobs.clone(),
        owner: caller.owner,
        tasks: ids.into_iter(),
        count: 0,
        files: Vec::new().into_iter(),
        open: None,
        archive: ZipStream::new(),
        entries: Vec::new(),
    };
    Ok(HttpResponse::Ok().content_type("application/zip").insert_header((CONTENT_DISPOSITION, disposition)).streaming(stream::try_unfold(
        Some(bundle),
        |bundle| async move {
            match bundle {
                Some(bundle) => bundle.more().await.map(Some),
                None => Ok::<_, io::Error>(None),
            }
        },
    )))
}

/// The ids in a query, each once.
fn ids(query: &str) -> Result<Vec<String>, Problem> {
    let values = query_values(query);
    let mut fields = Fields::of(&values, "query");
    let ids = fields.required("ids", |value| {
        let text = string(value)?;
        let mut seen = HashSet::new();
        let ids: Vec<String> = text.split(',').map(|id| id.trim().to_owned()).filter(|id| seen.insert(id.clone())).collect();
        if ids.len() > MAX_TASKS || ids.iter().any(String::is_empty) { Err(IDS_FAULT) } else { Ok(ids) }
    });
    if ids.is_none() && fields.faults.is_empty() {
        fields.value_fault("ids", IDS_FAULT);
    }
    ids.ok_or_else(|| Problem::invalid(fields.faults))
}

/// A bundle in the making.
struct Bundle {
    jobs: Jobs,
    owner: String,
    /// The tasks that are still to come.
    tasks: vec::IntoIter<String>,
    /// How many have come.
    count: usize,
    /// The files of the current task that are still to come, with the current file's place among them.
    files: vec::IntoIter<(usize, Job, Artifact)>,
    /// The current file, and how much of it has been read.
    open: Option<(ArtifactReader, u64)>,
    archive: ZipStream,
    entries: Vec<BundledFile>,
}

impl Bundle {
    /// The next piece of the archive; there is no more after the one without a bundle.
    async fn more(mut self) -> io::Result<(Bytes, Option<Self>)> {
        loop {
            if let Some((file, at)) = &mut self.open {
                let piece = file.read_at(*at, PIECE).await?;
                if piece.is_empty() {
                    self.open = None;
                    continue;
                }
                *at += piece.len() as u64;
                self.archive.write(&piece)?;
                return Ok((self.archive.take().into(), Some(self)));
            }
            if let Some((index, job, file)) = self.files.next() {
                self.begin(index, &job, &file).await?;
            } else if let Some(id) = self.tasks.next() {
                self.count += 1;
                // A task that was deleted meanwhile is left out.
                if let Some(job) = self.jobs.get(&self.owner, &id).await.map_err(io::Error::other)? {
                    self.open_task(job);
                }
            } else {
                let Self { mut archive, entries, .. } = self;
                let text = serde_json::to_vec_pretty(&entries)?;
                archive.begin(PARAMETERS, text.len() as u64, Timestamp::now())?;
                archive.write(&text)?;
                return Ok((archive.finish()?.into(), None));
            }
        }
    }

    fn open_task(&mut self, job: Job) {
        let kept: Vec<Artifact> = job.artifacts.iter().filter(|file| !file.expired).cloned().collect();
        if kept.is_empty() {
            self.entries.push(entry(&job, None, 0));
        }
        let files: Vec<_> = kept.into_iter().enumerate().map(|(index, file)| (index, job.clone(), file)).collect();
        self.files = files.into_iter();
    }

    async fn begin(&mut self, index: usize, job: &Job, file: &Artifact) -> io::Result<()> {
        // One that was removed meanwhile is left out.
        let Some(reader) = self.jobs.open_artifact(&job.id, &file.name).await.map_err(io::Error::other)? else { return Ok(()) };
        let name = name(self.count, index, job, &file.name);
        let modified = job.finished_at.unwrap_or(job.updated_at);
        self.archive.begin(&name, reader.bytes(), Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH))?;
        self.entries.push(entry(job, Some(name), index));
        self.open = Some((reader, 0));
        Ok(())
    }
}

fn entry(job: &Job, file: Option<String>, index: usize) -> BundledFile {
    BundledFile {
        file,
        task_id: job.id.clone(),
        prompt: job.about.prompt.clone(),
        seed: seed(job, index),
        model: job.about.model.clone(),
        request: serde_json::from_value::<TaskRequest>(job.metadata.request.clone()).ok(),
    }
}

/// The seed of a task's picture, or of its video.
fn seed(job: &Job, index: usize) -> Option<u64> {
    let first = task_summary::seed(job)?;
    // Picture k has the seed of picture 0 plus k.
    let is_picture = task_summary::kind(job) == TaskKind::Image;
    Some(if is_picture { first.saturating_add(index as u64) } else { first })
}

/// A file's name in the archive: the task's place, its prompt, and its seed.
fn name(count: usize, index: usize, job: &Job, file: &str) -> String {
    let kind = match task_summary::kind(job) {
        TaskKind::Image => "image",
        TaskKind::Video => "video",
        TaskKind::Upscale => "upscaled",
    };
    let slug = job.about.prompt.as_deref().map(slug).filter(|slug| !slug.is_empty()).unwrap_or_else(|| kind.to_owned());
    let seed = seed(job, index).map(|seed| format!("-{seed}")).unwrap_or_default();
    let ending = file.rsplit_once('.').map(|(_, ending)| format!(".{ending}")).unwrap_or_default();
    let place = if index > 0 { format!("-{}", index + 1) } else { String::new() };
    format!("{count:04}-{slug}{seed}{place}{ending}")
}

/// The first words of a text, as a part of a file name: letters and digits of any script, in lower case, and single hyphens.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.map(str::to_lowercase).collect::<Vec<_>>().join("-");
    let cut: String = joined.chars().take(MAX_SLUG_CHARS).collect();
    cut.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_prompt_becomes_a_part_of_a_file_name() {
        assert_eq!(slug("A boat, at sunset!"), "a-boat-at-sunset");
        assert_eq!(slug("../../etc/passwd\0<script>\u{202e}x"), "etc-passwd-script-x");
        assert_eq!(slug("\u{c4}pfel \u{1f34e} \u{82f9}\u{679c}"), "\u{e4}pfel-\u{82f9}\u{679c}");
        assert_eq!((slug("?!").as_str(), slug(&"ab ".repeat(100)).chars().count()), ("", 47));
    }

    #[test]
    fn ids_are_named_once_and_bounded() {
        assert_eq!(ids("ids=a,%20b,a").unwrap(), ["a", "b"]);
        let many = (0..501).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        for query in ["", "ids=", "ids=a,,b", &format!("ids={many}")] {
            assert_eq!(ids(query).unwrap_err().status.as_u16(), 422, "{query}");
        }
    }
}
