//! `GET /api/v1/usage`: the videos that a key has had made at services in a month, and their cost.
//!
//! The invariant: a key sees only its own spending.

use actix_web::{
    HttpRequest,
    web::{Data, Json},
};
use generation::jobs::{InvalidMonth, Usage};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    http::{Problem, StoreProblems, ValidationErrorBody, usd},
    inputs::{echo, query_values, value_fault},
    state::ApiState,
};

/// A key's use of services in a month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageBody {
    /// The month, in UTC.
    #[schema(example = "2026-11")]
    month: String,
    /// The key's name; empty if the server has no keys.
    #[schema(example = "alice")]
    key: String,
    /// The cost of the finished videos in US dollars, at the operator's prices.
    #[schema(example = 1.92)]
    spent_usd: f64,
    /// The sum reserved for videos in progress.
    #[schema(example = 0.48)]
    reserved_usd: f64,
    /// The same for each service that was used.
    services: Vec<ServiceUsage>,
}

/// A key's use of one service in a month.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServiceUsage {
    /// The service.
    #[schema(example = "bedrock")]
    service: String,
    /// Requested videos, whatever their outcome.
    #[schema(example = 5)]
    videos: u64,
    /// Their cost, in US dollars.
    #[schema(example = 1.92)]
    spent_usd: f64,
    /// The sum reserved for those in progress.
    #[schema(example = 0.48)]
    reserved_usd: f64,
}

/// Your use of services in a month, and its cost.
#[utoipa::path(
    get,
    path = "/api/v1/usage",
    operation_id = "show_usage",
    tag = "service",
    params(("month" = Option<String>, Query, description = "The month, in UTC; the current one if absent", example = "2026-11")),
    responses(
        (status = 200, description = "By service; services that were not used are absent", body = UsageBody),
        StoreProblems,
        (status = 422, description = "The month is invalid", body = ValidationErrorBody),
    )
)]
pub(crate) async fn usage(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Result<Json<UsageBody>, Problem> {
    let query = query_values(request.query_string());
    let month = match query.get("month").and_then(Value::as_str) {
        None => state.jobs.month(),
        Some(text) => text.parse().map_err(|error: InvalidMonth| {
            let place = vec!["query".into(), "month".into()];
            Problem::invalid(vec![value_fault(place, &error.to_string(), echo(&Value::from(text)))])
        })?,
    };
    let rows = state.jobs.usage(Some(&caller.owner), month).await?;
    let total = |part: fn(&Usage) -> u64| usd(rows.iter().map(part).sum());
    let services = rows.iter().map(|row| ServiceUsage {
        service: row.provider.clone(),
        videos: row.jobs,
        spent_usd: usd(row.spent),
        reserved_usd: usd(row.reserved),
    });
    Ok(Json(UsageBody {
        month: month.to_string(),
        spent_usd: total(|row| row.spent),
        reserved_usd: total(|row| row.reserved),
        services: services.collect(),
        key: caller.owner,
    }))
}
