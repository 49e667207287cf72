//! The page at `/ui/`: its files, their headers, and the document that its client is made from.

use std::{env, fs, path::Path};

use actix_web::{http::StatusCode, test::TestRequest};
use serde_json::Value;
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{exchange, keys, request},
    fake::{Answer, Running, ask, engine},
};

async fn get(path: &str) -> Answer {
    ask(TestRequest::get().uri(path)).await
}

/// The paths of the scripts and styles that the page names.
fn assets(html: &str) -> Vec<String> {
    let named = |attribute: &str| {
        html.match_indices(attribute).map(|(at, found)| html[at + found.len()..].split('"').next().unwrap()).collect::<Vec<_>>()
    };
    let all = [named(" src=\""), named(" href=\"")].concat();
    // A link to a view is no file.
    all.into_iter().filter(|path| !path.starts_with('#')).map(|path| format!("/ui/{}", path.trim_start_matches("./"))).collect()
}

#[actix_web::test]
async fn the_page_and_its_files_are_served() {
    let page = get("/ui/").await;
    assert_eq!(page.status, StatusCode::OK, "scripts/page builds the page that this test asks for: {}", page.text());
    assert_eq!((page.header("content-type"), page.header("cache-control")), (Some("text/html; charset=utf-8"), Some("no-cache")));
    let assets = assets(page.text());
    assert!(assets.iter().any(|path| path.ends_with(".js")) && assets.iter().any(|path| path.ends_with(".css")), "{assets:?}");
    for path in &assets {
        let file = get(path).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        let media_type = file.header("content-type").unwrap();
        let expected = match path.rsplit('.').next().unwrap() {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/",
        };
        assert!(media_type.starts_with(expected), "{path}: {media_type}");
        if path.starts_with("/ui/assets/") {
            assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
        }
    }
    for (path, status) in
        [("/ui/none.js", 404), ("/ui/assets/", 404), ("/ui/../Cargo.toml", 404), ("/ui/%2e%2e/Cargo.toml", 404), ("/ui/index.html.br", 404)]
    {
        assert_eq!(get(path).await.status.as_u16(), status, "{path}");
    }
    let redirect = get("/ui").await;
    assert_eq!((redirect.status, redirect.header("location")), (StatusCode::TEMPORARY_REDIRECT, Some("ui/")));
}

#[actix_web::test]
async fn the_page_runs_nothing_but_its_own_files() {
    let page = get("/ui/").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert!(!policy.contains("http") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let html = page.text();
    let inline = html.split("<script").skip(1).filter(|tag| !tag.split('>').next().unwrap().contains(" src=")).count();
    assert_eq!((inline, html.matches("<style").count(), html.matches(" style=").count()), (0, 0, 0), "{html}");
}

#[actix_web::test]
async fn files_come_compressed_to_clients_that_take_it_and_once() {
    let page = get("/ui/").await;
    let script = assets(page.text()).into_iter().find(|path| path.ends_with(".js")).unwrap();
    let with = |name: &'static str, value: String| ask(TestRequest::get().uri(&script).insert_header((name, value)));
    let plain = get(&script).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    for (accepted, expected) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip;q=0.5", Some("gzip")),
        ("br;q=0, gzip", Some("gzip")),
        ("identity", None),
        ("br;q=0", None),
        ("", None),
    ] {
        let answer = with("accept-encoding", accepted.to_owned()).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (StatusCode::OK, expected), "{accepted}");
        assert_eq!(answer.header("content-type"), plain.header("content-type"), "{accepted}");
        assert_eq!(expected.is_some(), answer.body.len() < plain.body.len(), "{accepted}: {}", answer.body.len());
    }
    let tag = plain.header("etag").unwrap().to_owned();
    let again = with("if-none-match", tag).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(with("if-none-match", "\"another\"".to_owned()).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn the_page_needs_no_key_and_shows_nothing_of_a_caller() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(1).await).await;
    for (path, status) in [("/ui/", 200), ("/ui", 307), ("/ui/none", 404), ("/models", 401), ("/uix", 401)] {
        let answer = exchange(server.address, request(&format!("GET {path}"), &["Host: localhost"], "")).await;
        assert_eq!(answer.status(), status, "{path}: {}", answer.0);
    }
}

#[actix_web::test]
async fn the_pages_client_is_made_from_the_servers_document() {
    let served = get("/openapi.json").await.json();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&served).unwrap());
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(kept == served, "ui/openapi.json is not what the server serves: UPDATE_DOCUMENTS=1 writes it anew");
}
