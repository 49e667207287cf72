//! `GET /`: what runs here, and links to the rest: JSON for programs, a page for people.
//!
//! The JSON has the keys of four services whose clients may call this one: common keys appear once, and the endpoints are merged. The page
//! loads nothing and runs no script. The invariant: only a client that asks for HTML gets it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, HeaderValue, VARY},
    web::{Bytes, Data},
};
use generation::ModelStatus;

use crate::{
    api::service::{
        health::NO_DEVICE,
        pages,
        wire::{Endpoints, RootResponse},
    },
    state::ApiState,
};

/// The page, with placeholders in braces.
const PAGE: &str = include_str!("root_page.html");

/// What runs here, and links to the rest.
///
/// A browser, which accepts `text/html`, gets a page.
#[utoipa::path(get, path = "/", tag = "service", responses((
    status = 200,
    description = "The service runs",
    content((RootResponse = "application/json"), (String = "text/html"))
)))]
pub(crate) async fn root(request: HttpRequest, state: Data<ApiState>) -> HttpResponse {
    let status = state.local().status();
    let mut answer = if wants_page(&request) {
        pages::page(Bytes::from(page(&status, &state.access.base_url(&request))))
    } else {
        HttpResponse::Ok().json(summary(&status))
    };
    // A cache must not serve a browser's page to a program.
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
    let texts = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    let (mut html, mut json) = (0.0, 0.0);
    for range in texts.flat_map(|text| text.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|parameter| parameter.strip_prefix("q=")?.parse::<f64>().ok()).unwrap_or(1.0);
        match media_type.as_str() {
            "text/html" => html = quality,
            "application/json" => json = quality,
            _ => {}
        }
    }
    html > 0.0 && html >= json
}

fn page(status: &ModelStatus, base_url: &str) -> String {
    let (state, model) = match status {
        ModelStatus::Ready(info) => ("Running", format!("{} on {}", info.name, info.device)),
        ModelStatus::Loading => ("Loading its model", "being loaded".to_owned()),
        // The reason may name folders of this machine, and anyone may read this page.
        ModelStatus::Failed(_) => ("Without a model", "could not be loaded; the server's log says why".to_owned()),
    };
    let values = [("{state}", state), ("{model}", &model), ("{version}", env!("CARGO_PKG_VERSION")), ("{url}", base_url)];
    values.into_iter().fold(PAGE.to_owned(), |page, (name, value)| page.replace(name, &escaped(value)))
}

/// Escapes a text for use between tags or in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('{', "&#123;")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

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

    #[test]
    fn values_are_escaped() {
        let page = page(&ModelStatus::Loading, "http://localhost:8000/<script>alert(1)</script> {url}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &#123;url}") && !page.contains("<script"), "{page}");
    }

    #[test]
    fn a_stranger_does_not_learn_why_there_is_no_model() {
        let page = page(&ModelStatus::Failed("cannot read /srv/models/secret".into()), "http://localhost:8000");
        assert!(page.contains("could not be loaded; the server's log says why") && !page.contains("/srv"), "{page}");
        assert!(page.contains("http://localhost:8000/generate"));
    }
}
