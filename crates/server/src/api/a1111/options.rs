//! `GET` and `POST /sdapi/v1/options`: a caller's settings, among them the model.
//!
//! Clients get the whole object, change one value and post all of it back, so keys that are unknown here are accepted.

use std::future::{Ready, ready};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Payload},
};
use generation::Refusal;
use serde_json::{Map, Value, json};

use super::{
    models::{current, pool_name, title_of},
    overrides::{MODEL, Meaning, meaning, shown},
    wire::WebUiOptions,
};
use crate::{
    access::Caller,
    http::{IgnoredField, JsonBodyProblems, ModelProblems, Problem, RequestBody, RequestNotes, check_type},
    inputs::{fields::parse_object, value_error},
    state::ApiState,
};

/// The most unknown keys that an answer names.
const MOST_NAMED: usize = 32;

/// Your options.
#[utoipa::path(get, path = "/sdapi/v1/options", operation_id = "show_options", tag = "automatic1111", responses((status = 200, description = "The options", body = WebUiOptions)))]
pub(crate) fn show(caller: Caller, state: Data<ApiState>) -> Ready<Json<WebUiOptions>> {
    let set = state.web_ui.options(&caller.owner);
    ready(Json(WebUiOptions(shown(&set, current(&state, &caller.owner)))))
}

/// Changes some of your options.
///
/// Those that the web UI has and this server does not are accepted without effect, and named in the answer's `X-Ignored-Fields`. A model is
/// loaded at once.
#[utoipa::path(
    post,
    path = "/sdapi/v1/options",
    operation_id = "change_options",
    tag = "automatic1111",
    request_body = WebUiOptions,
    responses((status = 200, description = "Changed: null", body = Option<bool>), JsonBodyProblems, ModelProblems)
)]
pub(crate) async fn change(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = changed(&request, &caller, &mut body, &state).await;
    body.held_by(answer)
}

async fn changed(request: &HttpRequest, caller: &Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let bytes = body.read(state.body_limit, state.body_timeout).await?;
    let mut set = Map::new();
    let (mut notes, mut faults) = (RequestNotes::default(), Vec::new());
    for (name, value) in parse_object(&bytes)? {
        match meaning(&name, &value) {
            Meaning::Acts(value) => {
                set.insert(name, value);
            }
            Meaning::Nothing => {}
            Meaning::Refused(reason) => faults.push(value_error(&name, reason, &value)),
            Meaning::Unknown if notes.ignored_fields.len() < MOST_NAMED => {
                let field = generation::field_error::shortened(&name).into_owned();
                notes.ignored_fields.push(IgnoredField { field, did_you_mean: None });
            }
            Meaning::Unknown => {}
        }
    }
    notes.tell(request);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    if let Some(title) = set.get(MODEL).and_then(Value::as_str) {
        let name = pool_name(state, title)?;
        // The name in the form in which it is listed.
        let title = title_of(state, Some(&name));
        if current(state, &caller.owner) != title {
            // A model that cannot be loaded fails the request that uses it, with the reason.
            let _said_there: Result<(), Refusal> = state.local().load_model(&name);
        }
        set.insert(MODEL.to_owned(), title.into());
    }
    state.web_ui.set_options(&caller.owner, set);
    Ok(HttpResponse::Ok().json(json!(null)))
}
