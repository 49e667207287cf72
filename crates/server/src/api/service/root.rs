//! `GET /`: what runs here, and links to the rest: JSON for programs, the way to the page for people.
//!
//! The JSON has the keys of four services whose clients may call this one: common keys appear once, and the endpoints are merged. The
//! invariant: only a client that asks for HTML is sent to the page.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{Accept, Header as _, HeaderValue, Quality, VARY},
    web::Data,
};
use generation::ModelStatus;

use crate::{
    api::service::{
        health::NO_DEVICE,
        ui,
        wire::{Endpoints, RootResponse},
    },
    state::ApiState,
};

/// What runs here, and links to the rest.
///
/// A browser, which accepts `text/html`, is sent to the page at `/ui/`.
#[utoipa::path(get, path = "/", tag = "service", responses(
    (status = 200, description = "The service runs", body = RootResponse),
    (status = 307, description = "The page, for a browser", headers(("Location" = String, description = "`ui/`"))),
))]
pub(crate) async fn root(request: HttpRequest, state: Data<ApiState>) -> HttpResponse {
    let mut answer = if wants_page(&request) { ui::redirect() } else { HttpResponse::Ok().json(summary(&state.local().status())) };
    // A cache must not send a program to the page.
    answer.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    answer
}

fn summary(status: &ModelStatus) -> RootResponse {
    let (device, model) = match status {
        ModelStatus::Ready(info) => (info.device.clone(), Some(info.name.clone())),
        ModelStatus::Loading | ModelStatus::Failed(_) => (NO_DEVICE.to_owned(), None),
    };
    RootResponse {
        status: "running".into(),
        device,
        model,
        name: "framewright".into(),
        message: "Framewright is running".into(),
        description: "Pictures and videos from text, made on this machine.".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        docs: "/docs".into(),
        redoc: "/redoc".into(),
        endpoints: Endpoints::default(),
    }
}

/// Whether the client explicitly accepts HTML, and prefers it at least as much as JSON: programs send only `*/*`.
fn wants_page(request: &HttpRequest) -> bool {
    let Ok(Accept(accepted)) = Accept::parse(request) else { return false };
    let quality = |wanted: &str| -> Quality {
        let named = accepted.iter().filter(|range| range.item.essence_str() == wanted).map(|range| range.quality);
        named.max().unwrap_or(Quality::ZERO)
    };
    let html = quality("text/html");
    html > Quality::ZERO && html >= quality("application/json")
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::ACCEPT, test::TestRequest};

    use super::*;

    #[test]
    fn only_a_client_that_asks_for_html_gets_the_page() {
        let wants = |accept: &str| wants_page(&TestRequest::get().insert_header((ACCEPT, accept)).to_http_request());
        for page in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "text/html",
            "application/json;q=0.5, text/html",
            "TEXT/HTML; charset=utf-8",
        ] {
            assert!(wants(page), "{page}");
        }
        for json in ["*/*", "application/json", "application/json, text/html;q=0.9", "text/html;q=0", "text/*", "", "application/json, */*"]
        {
            assert!(!wants(json), "{json}");
        }
        assert!(!wants_page(&TestRequest::get().to_http_request()));
    }
}
