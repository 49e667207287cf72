//! Wrong keys, and links that this server did not sign: each is refused, and reveals nothing about the right one.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use server::{
    ServerSettings,
    access::{AccessSettings, Caller, LinkSecret, SignedLinks},
};

use super::{ALICES_KEY, BOBS_KEY, FileServer, Raw, SECRET, exchange, keys, request};
use crate::fake::{PATIENCE, Running, engine};

async fn server() -> Running {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(4).await).await
}

/// `POST` to a path with a body that every handler accepts.
async fn ask(server: &Running, path: &str, lines: &[String]) -> Raw {
    let body = r#"{"scenes": ["a boat", "a star"], "width": 64, "height": 64, "prompt": "slow"}"#;
    let length = format!("Content-Length: {}", body.len());
    let mut all = vec!["Host: localhost", "Content-Type: application/json", &length];
    all.extend(lines.iter().map(String::as_str));
    exchange(server.address, request(&format!("POST {path}"), &all, body)).await
}

/// The row's name, the path and the headers. `KEY` is a valid key, `BASE64(..)` is encoded.
const KEYS: [(&str, &str, &[&str]); 37] = [
    ("no key", "/generate-video/info", &[]),
    ("another key", "/generate-video/info", &["Authorization: Bearer not-a-key-of-anyone"]),
    ("all but the last character", "/generate-video/info", &["Authorization: Bearer PREFIX"]),
    ("one character more", "/generate-video/info", &["Authorization: Bearer KEY1"]),
    ("the key twice", "/generate-video/info", &["Authorization: Bearer KEYKEY"]),
    ("other letters' case", "/generate-video/info", &["Authorization: Bearer UPPER"]),
    ("the key's digest", "/generate-video/info", &["Authorization: Bearer DIGEST"]),
    ("the key's name", "/generate-video/info", &["Authorization: Bearer alice"]),
    ("an empty key", "/generate-video/info", &["Authorization: Bearer "]),
    ("a scheme alone", "/generate-video/info", &["Authorization: Bearer"]),
    ("an empty header", "/generate-video/info", &["Authorization: "]),
    ("null", "/generate-video/info", &["Authorization: Bearer null"]),
    ("undefined", "/generate-video/info", &["Authorization: Bearer undefined"]),
    ("everything", "/generate-video/info", &["Authorization: Bearer *"]),
    ("no scheme", "/generate-video/info", &["Authorization: KEY"]),
    ("another scheme", "/generate-video/info", &["Authorization: Token KEY"]),
    ("another scheme that some servers know", "/generate-video/info", &["Authorization: ApiKey KEY"]),
    ("a digest's scheme", "/generate-video/info", &["Authorization: Digest username=\"alice\", response=\"KEY\""]),
    ("quotes around it", "/generate-video/info", &["Authorization: Bearer \"KEY\""]),
    ("two keys in a line", "/generate-video/info", &["Authorization: Bearer KEY, Bearer KEY"]),
    ("two lines", "/generate-video/info", &["Authorization: Bearer KEY", "Authorization: Bearer wrong-wrong-wrong"]),
    (
        "the right one in the second of two lines",
        "/generate-video/info",
        &["Authorization: Bearer wrong-wrong-wrong", "Authorization: Bearer KEY"],
    ),
    ("a wrong password", "/generate-video/info", &["Authorization: Basic BASE64(alice:wrong-wrong-wrong)"]),
    ("no password", "/generate-video/info", &["Authorization: Basic BASE64(alice:)"]),
    ("the key as the user", "/generate-video/info", &["Authorization: Basic BASE64(KEY:)"]),
    ("the key without a colon", "/generate-video/info", &["Authorization: Basic BASE64(KEY)"]),
    ("a colon too many", "/generate-video/info", &["Authorization: Basic BASE64(alice::KEY)"]),
    ("a pair that is not encoded", "/generate-video/info", &["Authorization: Basic alice:KEY"]),
    ("the key in the query", "/generate-video/info?api_key=KEY", &[]),
    ("the key in the query, by other names", "/generate-video/info?key=KEY&token=KEY&access_token=KEY", &[]),
    ("the key in a cookie", "/generate-video/info", &["Cookie: api_key=KEY; authorization=Bearer KEY"]),
    ("the key for a proxy", "/generate-video/info", &["Proxy-Authorization: Bearer KEY"]),
    ("this machine as they forwarded it", "/generate-video/info", &["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"]),
    ("the path as they rewrote it", "/generate-video/info", &["X-Original-URL: /health", "X-Rewrite-URL: /health"]),
    ("below an open path", "/docs/../generate-video/info", &[]),
    ("below an open path, encoded", "/docs/..%2fgenerate-video%2finfo", &[]),
    ("two slashes", "//generate-video/info", &[]),
];

#[actix_web::test]
async fn wrong_keys_open_nothing() {
    let server = server().await;
    let (prefix, upper) = (&ALICES_KEY[..ALICES_KEY.len() - 1], ALICES_KEY.to_uppercase());
    let digest: String = <sha2::Sha256 as sha2::Digest>::digest(ALICES_KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    let fill = |text: &str| {
        let text = text.replace("PREFIX", prefix).replace("UPPER", &upper).replace("DIGEST", &digest).replace("KEY", ALICES_KEY);
        match text.split_once("BASE64(") {
            Some((before, pair)) => format!("{before}{}", BASE64_STANDARD.encode(pair.trim_end_matches(')'))),
            None => text,
        }
    };
    let mut wrong = Vec::new();
    for (name, path, lines) in KEYS {
        let lines: Vec<_> = lines.iter().map(|line| fill(line)).collect();
        let answer = ask(&server, &fill(path), &lines).await;
        let refused = match answer.status() {
            401 => answer.header("www-authenticate") == Some("Bearer realm=\"framewright\""),
            // An open path's own answer: it accepts no POST, and has nothing below it.
            404 | 405 => path.starts_with("/docs/"),
            _ => false,
        };
        if !refused || answer.body().contains(ALICES_KEY) || answer.body().contains("scenes_count") {
            wrong.push((name, answer.0));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(server.jobs.active(), 0);
    // Callers without a key do not learn whether a path exists.
    assert_eq!((ask(&server, "/none", &[]).await.status(), ask(&server, "/generate", &[]).await.status()), (401, 401));
    for right in
        [format!("Bearer {ALICES_KEY}"), format!("bearer {BOBS_KEY}"), fill("BASIC BASE64(anybody:KEY)"), fill("Basic BASE64(:KEY)")]
    {
        let answer = ask(&server, "/generate-video/info", &[format!("Authorization: {right}")]).await;
        assert_eq!(answer.status(), 200, "{right}: {}", answer.0);
    }
}

#[actix_web::test]
async fn open_paths_need_no_key() {
    let server = server().await;
    for path in ["/", "/health", "/docs", "/docs/swagger-ui.css", "/redoc", "/openapi.json"] {
        let wrong = ["Host: localhost", "Authorization: Bearer not-a-key-of-anyone"];
        for lines in [&wrong[..1], &wrong] {
            assert_eq!(exchange(server.address, request(&format!("GET {path}"), lines, "")).await.status(), 200, "{path}");
        }
    }
}

/// The row's name, the method, the link, made of parts of a valid one, and the status that refuses it.
const LINKS: [(&str, &str, &str, u16); 22] = [
    ("no signature", "GET", "PATH", 401),
    ("an empty signature", "GET", "PATH?expires=EXPIRES&signature=", 404),
    ("no expiry", "GET", "PATH?signature=SIGNATURE", 404),
    ("a later expiry", "GET", "PATH?expires=9999999999&signature=SIGNATURE", 404),
    ("an expiry with a sign", "GET", "PATH?expires=+EXPIRES&signature=SIGNATURE", 404),
    ("an expiry with zeros before it", "GET", "PATH?expires=0EXPIRES0&signature=SIGNATURE", 404),
    ("an expiry beyond numbers", "GET", "PATH?expires=99999999999999999999&signature=SIGNATURE", 404),
    ("the expiry twice", "GET", "PATH?expires=EXPIRES&expires=9999999999&signature=SIGNATURE", 404),
    ("the signature twice", "GET", "PATH?expires=EXPIRES&signature=x&signature=SIGNATURE", 404),
    ("something else beside it", "GET", "PATH?expires=EXPIRES&signature=SIGNATURE&owner=bob", 404),
    ("another file", "GET", "/files/job-1/other.png?expires=EXPIRES&signature=SIGNATURE", 404),
    ("another job", "GET", "/files/job-2/image-0.png?expires=EXPIRES&signature=SIGNATURE", 404),
    ("another spelling of the path", "GET", "/files/job-1/%69mage-0.png?expires=EXPIRES&signature=SIGNATURE", 404),
    ("another way to the path", "GET", "/files/job-1/./image-0.png?expires=EXPIRES&signature=SIGNATURE", 404),
    ("a signature that is cut", "GET", "PATH?expires=EXPIRES&signature=CUT", 404),
    ("a signature that is filled up", "GET", "PATH?expires=EXPIRES&signature=SIGNATURE=", 404),
    ("a signature in other letters' case", "GET", "PATH?expires=EXPIRES&signature=LOWER", 404),
    ("somebody else's signature", "GET", "PATH?expires=EXPIRES&signature=FOREIGN", 404),
    ("a link whose time is over", "GET", "PATH?OLD", 403),
    ("a link with a wrong key", "GET with a wrong key", "PATH?expires=EXPIRES&signature=SIGNATURE", 401),
    ("a link to send something", "POST", "PATH?expires=EXPIRES&signature=SIGNATURE", 401),
    ("a link to something else", "GET", "/upload-character?expires=EXPIRES&signature=SIGNATURE", 401),
];

#[actix_web::test]
async fn a_link_opens_only_what_it_was_signed_for() {
    let server = FileServer::start(keys(), PATIENCE).await;
    for (owner, job) in [("alice", "job-1"), ("bob", "job-2")] {
        let folder = server.job(owner, job, SECRET).await;
        std::fs::write(folder.join("other.png"), SECRET).unwrap();
    }
    let path = "/files/job-1/image-0.png";
    let alice = Caller { owner: "alice".into(), ..Caller::default() };
    let link = server.access.link(&alice, path, SystemTime::now());
    let (expires, signature) = link.split_once("?expires=").and_then(|(_, query)| query.split_once("&signature=")).unwrap();
    let later = SystemTime::now() + Duration::from_secs(1000);
    let foreign = SignedLinks::new(LinkSecret::from_text("another server's")).sign("alice", path, later);
    let foreign = foreign.split_once("&signature=").unwrap().1.to_owned();
    let old = server.access.link(&alice, path, SystemTime::UNIX_EPOCH);
    let old = old.split_once('?').unwrap().1;

    let open = |target: String| async move { exchange(server.address, request(&format!("GET {target}"), &["Host: localhost"], "")).await };
    let mut wrong = Vec::new();
    for (name, method, target, status) in LINKS {
        let target = target.replace("PATH", path).replace("OLD", old).replace("EXPIRES", expires);
        let target = target.replace("CUT", &signature[..signature.len() - 1]).replace("LOWER", &signature.to_lowercase());
        let target = target.replace("FOREIGN", &foreign).replace("SIGNATURE", signature);
        let (method, lines) = match method {
            "GET with a wrong key" => ("GET", vec!["Host: localhost", "Authorization: Bearer not-a-key-of-anyone"]),
            method => (method, vec!["Host: localhost"]),
        };
        let answer = exchange(server.address, request(&format!("{method} {target}"), &lines, "")).await;
        if answer.status() != status || answer.0.contains(SECRET) {
            wrong.push((name, answer.0));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    let answer = open(link).await;
    assert_eq!((answer.status(), answer.body()), (200, SECRET), "{}", answer.0);
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"), "a page of another origin may embed it");
    // Bob's key opens Bob's files only: others do not exist for it.
    let bob = format!("Authorization: Bearer {BOBS_KEY}");
    for (path, status) in [("/files/job-2/image-0.png", 200), ("/files/job-1/image-0.png", 404)] {
        let answer = exchange(server.address, request(&format!("GET {path}"), &["Host: localhost", &bob], "")).await;
        assert_eq!(answer.status(), status, "{path}");
    }
}
