//! Summarizes the work of jobs that an older version stored, once, when its database is migrated.
//!
//! A job that has not ended still has its work. Of one that has, its outcome, its metadata and its id tell what it made. Invariant: a row
//! that cannot be read is left as it is, and hides no other.

use rusqlite::{Row, Transaction, params, types::ValueRef};
use rusqlite_migration::HookResult;
use serde_json::Value;

use crate::{
    jobs::record::Outcome,
    work::{Work, WorkKind, WorkSummary, folded},
};

/// What begins the parameters of an enlarged picture.
const ENLARGED: &str = "Postprocess upscale by: ";
/// What ends the prompt in an image's parameters.
const AFTER_PROMPT: [&str; 2] = ["\nNegative prompt: ", "\nSteps: "];

/// Fills the columns of the summary in every row.
pub(super) fn summarize(transaction: &Transaction<'_>) -> HookResult {
    let mut select = transaction.prepare("SELECT number, id, work, outcome, metadata FROM jobs")?;
    let mut update = transaction.prepare("UPDATE jobs SET work_kind = ?2, prompt = ?3, search = ?4, about = ?5 WHERE number = ?1")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let summary = of_row(row);
        let about = serde_json::to_string(&summary).ok();
        let search = summary.prompt.as_deref().map(folded);
        update.execute(params![number, summary.kind.map(WorkKind::name), summary.prompt, search, about])?;
    }
    Ok(())
}

fn of_row(row: &Row<'_>) -> WorkSummary {
    let bytes = |column| match row.get_ref(column) {
        Ok(ValueRef::Text(text) | ValueRef::Blob(text)) => text,
        Ok(ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_)) | Err(_) => &[],
    };
    if let Ok(work) = serde_json::from_slice::<Work>(bytes(2)) {
        return WorkSummary::of(&work);
    }
    let metadata: Value = serde_json::from_slice(bytes(4)).unwrap_or_default();
    let seed = metadata.get("seed").and_then(Value::as_u64);
    // Its videos' prompts are in the metadata of some APIs.
    let prompt = ["prompt", "script"].into_iter().find_map(|key| metadata.get(key)?.as_str().map(str::to_owned));
    let is_picture = bytes(1).starts_with(b"img_");
    let summary = WorkSummary {
        kind: Some(if is_picture { WorkKind::Image } else { WorkKind::Video }),
        prompt: prompt.filter(|prompt| !prompt.trim().is_empty()),
        seed,
        ..WorkSummary::default()
    };
    let Ok(outcome) = serde_json::from_slice::<Outcome>(bytes(3)) else { return summary };
    match outcome.parameters.first() {
        _ if outcome.frames > 0 => WorkSummary { kind: Some(WorkKind::Video), ..summary },
        Some(parameters) if parameters.starts_with(ENLARGED) => WorkSummary { kind: Some(WorkKind::Upscale), prompt: None, ..summary },
        Some(parameters) => WorkSummary { kind: Some(WorkKind::Image), prompt: prompt_of(parameters), ..summary },
        None => summary,
    }
}

/// The prompt in an image's parameters.
fn prompt_of(parameters: &str) -> Option<String> {
    let end = AFTER_PROMPT.into_iter().filter_map(|end| parameters.find(end)).min().unwrap_or(parameters.len());
    parameters.get(..end).map(str::to_owned).filter(|prompt| !prompt.trim().is_empty())
}
