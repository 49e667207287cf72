//! The query of `GET /api/v1/tasks`: a page, its filter and its order.
//!
//! It must not know jobs' rows. The invariant: the next page has the filter and the order of this one.

use generation::jobs::{JobState, Page, WorkKind};
use serde_json::Value;
use url::form_urlencoded::{self, Serializer};

use crate::{
    api::tasks::{
        summary_wire::TaskKind,
        wire::{PAGE, TaskStatus},
    },
    http::Problem,
    inputs::{Fields, entries, query_values, string},
};

/// The maximum length of the words to search for, in characters.
const MAX_WORDS_CHARS: usize = 500;

const STATUS_FAULT: (&str, &str) = ("enum", "Input should be 'pending', 'processing', 'completed', 'failed' or 'cancelled'");

/// The filter and the order of a list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only documents parameters, which are read one by one")]
pub(crate) struct ListQuery {
    /// The maximum number of tasks.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
    /// Only tasks after the one with this id: the last of the previous page.
    after: Option<String>,
    /// Only tasks with one of these statuses: separated by commas, or repeated.
    #[param(inline, style = Form)]
    status: Option<Vec<TaskStatus>>,
    /// Only tasks that make this.
    #[param(inline)]
    kind: Option<TaskKind>,
    /// Only tasks whose prompt has all of these words, in any case of letters; a word may be a part of one.
    #[param(max_length = 500)]
    q: Option<String>,
    /// Whether the newest come first.
    #[param(inline)]
    order: Option<Order>,
}

/// The task that comes first.
#[derive(utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "desc")]
#[expect(dead_code, reason = "it only documents a parameter")]
pub(crate) enum Order {
    /// The oldest.
    Asc,
    /// The newest.
    Desc,
}

/// A query as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) limit: usize,
    /// The id of the last task of the previous page.
    pub(super) after: Option<String>,
    /// Names of known statuses.
    statuses: Vec<String>,
    kind: Option<WorkKind>,
    words: String,
    pub(super) newest_first: bool,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let mut values = query_values(text);
        // The last value of a repeated key wins, except for statuses, which are joined.
        let statuses: Vec<String> =
            form_urlencoded::parse(text.as_bytes()).filter(|(key, _)| key == "status").map(|(_, value)| value.into_owned()).collect();
        if !statuses.is_empty() {
            values.insert("status".to_owned(), Value::from(statuses.join(",")));
        }
        let mut fields = Fields::of(&values, "query");
        let limit = fields.read("limit", entries);
        let after = fields.read("after", string);
        let statuses = fields.read("status", |value| {
            let names: Vec<String> = string(value)?.split(',').map(|name| name.trim().to_owned()).collect();
            if names.iter().all(|name| TaskStatus::state_named(name).is_some()) { Ok(names) } else { Err(STATUS_FAULT) }
        });
        let kind = fields.read("kind", |value| {
            string(value)?.parse::<WorkKind>().map_err(|_| ("enum", "Input should be 'image', 'video' or 'upscale'"))
        });
        let words = fields.read("q", |value| match string(value)? {
            words if words.chars().nth(MAX_WORDS_CHARS).is_some() => Err(("string_too_long", "String should have at most 500 characters")),
            words => Ok(words),
        });
        let newest_first = fields.read("order", |value| match string(value)?.as_str() {
            "asc" => Ok(false),
            "desc" => Ok(true),
            _ => Err(("enum", "Input should be 'asc' or 'desc'")),
        });
        if !fields.faults.is_empty() {
            return Err(Problem::invalid(fields.faults));
        }
        Ok(Self {
            limit: limit.unwrap_or(PAGE),
            after,
            statuses: statuses.unwrap_or_default(),
            kind,
            words: words.unwrap_or_default(),
            newest_first: newest_first.unwrap_or(true),
        })
    }

    /// The page of jobs, after the job with this number.
    pub(super) fn page(&self, beyond: Option<i64>) -> Page {
        let states: Vec<JobState> = self.statuses.iter().filter_map(|name| TaskStatus::state_named(name)).collect();
        Page {
            beyond,
            limit: self.limit,
            states,
            kind: None,
            work_kind: self.kind,
            words: self.words.split_whitespace().map(str::to_owned).collect(),
            newest_first: self.newest_first,
        }
    }

    /// The query of the page after the task with this id.
    pub(super) fn next(&self, last: &str) -> String {
        let mut next = Serializer::new(String::new());
        next.append_pair("limit", &self.limit.to_string()).append_pair("order", if self.newest_first { "desc" } else { "asc" });
        if !self.statuses.is_empty() {
            next.append_pair("status", &self.statuses.join(","));
        }
        if let Some(kind) = self.kind {
            next.append_pair("kind", kind.name());
        }
        if !self.words.is_empty() {
            next.append_pair("q", &self.words);
        }
        next.append_pair("after", last);
        next.finish()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_query_is_bounded() {
        let read = |text: &str| Query::parse(text).ok();
        let none = read("").unwrap();
        assert_eq!((none.limit, none.after.as_deref(), none.newest_first), (100, None, true));
        let page = none.page(None);
        assert!(page.states.is_empty() && page.words.is_empty() && page.work_kind.is_none());
        assert_eq!(read("limit=+1_0.0").unwrap().limit, 10, "as pydantic reads it");
        let all = read("limit=1000&after=a+b&status=failed&order=asc&more=1&kind=video&q=A+boat%20").unwrap();
        assert_eq!((all.limit, all.after.as_deref(), all.newest_first), (1000, Some("a b"), false));
        let page = all.page(Some(7));
        assert_eq!((page.beyond, page.states, page.work_kind), (Some(7), vec![JobState::Failed], Some(WorkKind::Video)));
        assert_eq!(page.words, ["A", "boat"]);
        for refused in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "limit=",
            "status=queued",
            "status=failed,",
            "status=failed&status=queued",
            "order=up",
            "status=Failed",
            "kind=picture",
            &format!("q={}", "x".repeat(501)),
        ] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }

    #[test]
    fn statuses_are_repeated_or_separated_by_commas() {
        for text in ["status=failed&status=pending", "status=failed,pending", "status=failed,%20pending"] {
            assert_eq!(Query::parse(text).ok().unwrap().page(None).states, [JobState::Failed, JobState::Queued], "{text}");
        }
    }

    #[test]
    fn the_next_page_has_the_same_filter() {
        let query = Query::parse("limit=2&status=failed&status=pending&kind=image&q=a+b%26c&order=asc").ok().unwrap();
        let next = Query::parse(&query.next("img_1")).ok().unwrap();
        assert_eq!(next, Query { after: Some("img_1".into()), ..query });
    }

    #[test]
    fn the_sentence_names_the_statuses() {
        let faults = Query::parse("status=x").err().unwrap().fields;
        assert!(TaskStatus::ALL.iter().all(|(_, _, name)| faults[0].msg.contains(&format!("'{name}'"))), "{faults:?}");
    }
}
