//! Attacks: redirects to hosts that the caller could not reach, and data carried along.

use guarded_http::{Error, ErrorKind, Guard, Rule};

use crate::{
    scripted::{ScriptedResolver, get, rule, settings},
    server::{Server, Step, ok, redirect},
};

const SCRIPT: &str = "
    origin.example 127.0.0.1
    other.example 127.0.0.1
    localhost 127.0.0.1
    zero.example 0.0.0.0
    six.example ::1
    mixed.example 8.8.8.8,127.0.0.1
    metadata.google.internal 169.254.169.254
    user 127.0.0.1
";

#[tokio::test]
async fn a_redirect_passes_the_same_rules() {
    let trap = Server::trap().await;
    let port = trap.port();
    let address = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://0177.0.0.1:{port}/"),
        format!("//127.1:{port}/"),
        format!("\\\\127.0.0.1:{port}\\"),
        format!("hTTp:\\\\0:{port}/"),
        format!("http://１２７.０.０.１:{port}/"),
        format!("http://%31%32%37.0.0.1:{port}/"),
        format!("http://zero.example:{port}/"),
        format!("http://six.example:{port}/"),
        format!("http://mixed.example:{port}/"),
        format!("http://other.example:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://metadata.google.internal/computeMetadata/v1/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
        "http://168.63.129.16/".to_owned(),
    ];
    let scheme = [
        "file:///etc/passwd".to_owned(),
        format!("gopher://127.0.0.1:{port}/_x"),
        format!("ftp://127.0.0.1:{port}/x"),
        format!("ldap://127.0.0.1:{port}/"),
        "data:image/png;base64,AAAA".to_owned(),
        "javascript:alert(1)".to_owned(),
    ];
    let credentials = [
        format!("http://user:secret@127.0.0.1:{port}/"),
        format!("http://origin.example@127.0.0.1:{port}/"),
        "http://secret@origin.example/".to_owned(),
    ];
    let location = [
        format!("///127.0.0.1:{port}/"),
        "http://[::1".to_owned(),
        "http://127.0.0.1:99999/".to_owned(),
        "http://[fe80::1%25lo]/".to_owned(),
    ];
    let closed = ["http://8.8.8.8:25/".to_owned(), "http://origin.example:22/".to_owned()];
    let open = Rule::Port { open: vec![port, 80] };
    let table = [
        (Rule::Address, &address[..]),
        (Rule::Scheme, &scheme[..]),
        (Rule::Credentials, &credentials[..]),
        (Rule::Location, &location[..]),
        (open, &closed[..]),
    ];
    for (expected, locations) in table {
        for location in locations {
            for status in [301, 302, 303, 307, 308] {
                let target = location.clone();
                let origin = Server::start(move |_| vec![Step::Send(redirect(status, &target))]).await;
                let allow = [format!("origin.example:{}", origin.port())];
                let guard = Guard::with_resolver(settings(&allow, &[port, 80]), ScriptedResolver::new(SCRIPT));
                let error = get(&guard, &format!("http://origin.example:{}/start", origin.port())).await.unwrap_err();
                let message = error.to_string();
                // Neither the target nor any part of it is named.
                assert!(message.starts_with("origin.example, after a redirect: ") && !message.contains("secret"), "{location}: {message}");
                assert_eq!(rule(Err::<(), _>(error), location), expected, "{status} {location}");
                assert_eq!(origin.requests().len(), 1);
            }
        }
    }
    trap.is_untouched("all redirects").await;
}

#[tokio::test]
async fn three_redirects_are_followed_and_no_fourth() {
    let server = Server::start(|path| {
        let hop: u32 = path.trim_start_matches("/hop/").parse().unwrap();
        vec![Step::Send(if hop == 0 { ok("image/png", b"arrived") } else { redirect(302, &(hop - 1).to_string()) })]
    })
    .await;
    let allow = [format!("origin.example:{}", server.port())];
    let guard = Guard::with_resolver(settings(&allow, &[]), ScriptedResolver::new(SCRIPT));
    let url = |hop: u32| format!("http://origin.example:{}/hop/{hop}", server.port());
    let fetched = get(&guard, &url(3)).await.unwrap();
    assert_eq!((fetched.bytes.as_slice(), fetched.final_url.as_str()), (b"arrived".as_slice(), url(0).as_str()));
    assert_eq!(server.requests().len(), 4);
    let error = get(&guard, &url(4)).await.unwrap_err();
    assert_eq!(error.to_string(), "origin.example, after 3 redirects: more than 3 redirects are not followed");
    assert_eq!(rule(Err::<(), _>(error), "four"), Rule::Redirects { limit: 3 });
    assert_eq!(server.requests().len(), 8);
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let server = Server::start(|path| vec![Step::Send(redirect(302, if path == "/a" { "/b" } else { "/a" }))]).await;
    let allow = [format!("origin.example:{}", server.port())];
    let resolver = ScriptedResolver::new(SCRIPT);
    let guard = Guard::with_resolver(settings(&allow, &[]), resolver.clone());
    let looped = get(&guard, &format!("http://origin.example:{}/a", server.port())).await;
    assert_eq!(rule(looped, "a loop"), Rule::Redirects { limit: 3 });
    assert_eq!((server.requests().len(), resolver.count("origin.example")), (4, 4));
}

#[tokio::test]
async fn nothing_is_carried_from_hop_to_hop() {
    let server = Server::start(|path| {
        let head = "HTTP/1.1 302 Found\r\nSet-Cookie: id=1\r\nLocation: /second\r\nContent-Length: 0\r\n\r\n";
        vec![Step::Send(if path.starts_with("/first") { head.into() } else { ok("image/png", b"x") })]
    })
    .await;
    let allow = [format!("origin.example:{}", server.port())];
    let guard = Guard::with_resolver(settings(&allow, &[]), ScriptedResolver::new(SCRIPT));
    get(&guard, &format!("http://origin.example:{}/first?secret=1", server.port())).await.unwrap();
    let requests = server.requests();
    let second = requests[1].to_lowercase();
    assert!(second.starts_with("get /second http/1.1\r\n"), "{second}");
    for word in ["cookie", "referer", "authorization", "secret"] {
        assert!(!second.contains(word), "{second}");
    }
    for line in [
        format!("host: origin.example:{}", server.port()),
        format!("user-agent: framewright/{}", env!("CARGO_PKG_VERSION")),
        "accept: image/png, image/jpeg".to_owned(),
        "accept-encoding: identity".to_owned(),
    ] {
        assert!(requests.iter().all(|request| request.to_lowercase().contains(&format!("\r\n{line}\r\n"))), "{line}: {requests:?}");
    }
}

#[tokio::test]
async fn a_redirect_without_a_location_is_a_status() {
    for status in [300, 301, 304] {
        let server = Server::start(move |_| vec![Step::Send(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into())]).await;
        let allow = [format!("origin.example:{}", server.port())];
        let guard = Guard::with_resolver(settings(&allow, &[]), ScriptedResolver::new(SCRIPT));
        let error = get(&guard, &format!("http://origin.example:{}/", server.port())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Status);
        assert!(matches!(error, Error::Status { status: found, .. } if found == status), "{error}");
    }
}
