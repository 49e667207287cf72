//! Attacks: private addresses in every spelling. The address rule refuses each, with the same message, and no server is reached.

use guarded_http::{Error, ErrorKind, Guard, InvalidUrl, Rule};

use crate::{
    scripted::{ScriptedResolver, get, rule, settings},
    server::{Server, Step, ok},
};

/// Hosts that are the machine itself, or are connected to it in some way.
const LOOPBACK: &str = "
    127.0.0.1 127.0.0.2 127.255.255.254 127.1 127.0.1 127.0.0.1. 127.1.
    2130706433 2130706433. 0x7f000001 0X7F000001 0x7f.1 0x7f.0.0.0x1 017700000001 0177.0.0.1 0177.1 00000177.0.0.01 127.0x0.00.1
    0 0.0.0.0 0x0 00 0.1.2.3
    １２７．０．０．１ ①②⑦.⓪.⓪.① 127。0。0。1 127｡0｡0｡1 𝟏𝟐𝟕.𝟎.𝟎.𝟏 ２１３０７０６４３３ ０x７f.1
    %31%32%37.0.0.1 127%2e0%2e0%2e1 %30%78%37%66.1
    [::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0.0.0.1] [::] [0::0]
    [::ffff:127.0.0.1] [::FFFF:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:0001] [::ffff:0.0.0.0] [::ffff:0:127.0.0.1]
    [::127.0.0.1] [64:ff9b::127.0.0.1] [64:FF9B::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:7f00:0001::1]
    [2001:0:4136:e378:8000:63bf:80ff:fffe] [2a00:1450:4001:800:0:5efe:127.0.0.1] [2a00:1450:4001:800:200:5efe:7f00:1]
";

/// Hosts inside a network, in clouds, and of no use from outside.
const INTERNAL: &str = "
    10.0.0.1 10.255.255.255 0xa.1 012.0.0.1 167772161 172.16.0.1 172.31.255.255 192.168.0.1 192.168.257 0xc0a80001 3232235521
    100.64.0.1 100.127.255.254 198.18.0.1 198.19.255.255 192.0.0.1 192.0.2.1 198.51.100.7 203.0.113.7 192.88.99.1 240.0.0.1 250.1.2.3
    224.0.0.1 239.255.255.250 255.255.255.255 4294967295
    169.254.169.254 169.254.169.253 169.254.170.2 169.254.1.1 2852039166 0xA9FEA9FE 0xa9.0xfe.0xa9.0xfe 0251.0376.0251.0376 025177524776
    １６９.２５４.１６９.２５４ [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::] [::169.254.169.254]
    100.100.100.200 100.96.0.96 168.63.129.16 0xa83f8110 192.0.0.192
    [fd00:ec2::254] [FD00:EC2::254] [fd00:ec2:0:0:0:0:0:254] [fd20:ce::254] [fd00:c1::a9fe:a9fe] [fd00:42::42] [fd00:ec2::23] [fd00:a9fe:a9fe::1] [fd00:100::100:200]
    [fe80::1] [febf::1] [fec0::1] [fc00::1] [fdff:ffff::1] [ff02::1] [ff0e::1] [::ffff:10.0.0.1] [::ffff:c0a8:1] [64:ff9b::192.168.0.1]
    [2001:db8::1] [3fff::1] [100::1] [5f00::1] [2001::1] [2001:2::1] [2001:20::1] [2620:4f:8000::1] [4000::1] [e000::1]
";

/// Names, and a name server's answers for them.
const NAMES: &str = "
    localhost 127.0.0.1
    localhost. 127.0.0.1
    foo.localhost ::1
    127.0.0.1.nip.example 127.0.0.1
    zero.example 0.0.0.0
    zero6.example ::
    six.example ::1
    mapped.example ::ffff:127.0.0.1
    nat64.example 64:ff9b::127.0.0.1
    6to4.example 2002:7f00:1::
    ten.example 10.0.0.1
    shared.example 100.64.0.1
    ula.example fd12:3456::1
    linklocal.example fe80::1
    multicast.example 224.0.0.251
    metadata.google.internal 169.254.169.254
    metadata.example 169.254.169.254
    alibaba.example 100.100.100.200
    azure.example 168.63.129.16
    aws6.example fd00:ec2::254
    mixed.example 8.8.8.8,127.0.0.1
    mixed6.example 2606:4700::1111,8.8.8.8,::ffff:10.0.0.1
    xn--bcher-kva.example 192.168.0.1
";

/// Further spellings to test, besides the names above.
const SPELLINGS_OF_NAMES: &str = "LOCALHOST LocalHost. ⓛⓞⓒⓐⓛⓗⓞⓢⓣ ｌｏｃａｌｈｏｓｔ %6cocalhost loc\u{ad}alhost Foo.LOCALHOST bücher.example BÜCHER.example \
                                  metadata.GOOGLE.internal mixed.example. zero。example";

fn script() -> String {
    // A name with a trailing dot is the same name to every name server.
    let dotted: Vec<String> = NAMES.lines().filter(|line| !line.trim().is_empty()).map(|line| line.trim().replacen(' ', ". ", 1)).collect();
    format!("{}\n{NAMES}", dotted.join("\n"))
}

fn hosts() -> Vec<String> {
    let names = NAMES.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned);
    let spelled = [LOOPBACK, INTERNAL, SPELLINGS_OF_NAMES].join(" ");
    names.chain(spelled.split_whitespace().map(str::to_owned)).collect()
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_spelling() {
    let trap = Server::trap().await;
    let port = trap.port();
    let guard = Guard::with_resolver(settings(&[], &[port]), ScriptedResolver::new(&script()));
    let hosts = hosts();
    assert!(hosts.len() > 150, "{} attacks", hosts.len());
    for host in &hosts {
        for url in [format!("http://{host}:{port}/picture.png?secret=1"), format!("HTTPS:\\\\{host}:{port}")] {
            let error = get(&guard, &url).await.unwrap_err();
            let message = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Refused, "{url}: {message}");
            let text = "this host has no public address; private, local and reserved ones are not allowed";
            assert!(message.ends_with(text) && !message.contains("secret"), "{url}: {message}");
            assert_eq!(rule(Err::<(), _>(error), &url), Rule::Address, "{url}");
        }
    }
    let none = guarded_http::HeaderMap::new();
    for host in &hosts {
        let url = format!("http://{host}:{port}/hook");
        let posted = guard.post(&url, none.clone(), b"{}".to_vec(), crate::scripted::LIMITS.timeout).await;
        assert_eq!(rule(posted, &url), Rule::Address, "{url}");
    }
    trap.is_untouched("all spellings").await;
}

#[tokio::test]
async fn the_systems_resolver_is_judged_too() {
    let trap = Server::trap().await;
    let port = trap.port();
    let guard = Guard::new(settings(&[], &[port]));
    for host in ["localhost", "localhost.", "LOCALHOST", "127.0.0.1", "2130706433"] {
        let url = format!("http://{host}:{port}/");
        let error = get(&guard, &url).await.unwrap_err();
        // A bare machine's resolver may not know the name with a dot.
        assert_eq!(error.kind(), ErrorKind::Refused, "{url}: {error}");
    }
    trap.is_untouched("the system's names").await;
}

/// Nothing distinguishes a nonexistent name from one with a private address; only retries can, and no caller sees those.
#[tokio::test]
async fn an_unknown_name_reads_like_a_private_one() {
    let guard = Guard::with_resolver(settings(&[], &[80]), ScriptedResolver::new("there.example 10.0.0.1"));
    let private = get(&guard, "http://there.example/").await.unwrap_err();
    let unknown = get(&guard, "http://where.example/").await.unwrap_err();
    assert_eq!(private.to_string().replace("there", "where"), unknown.to_string());
    assert_eq!(private.kind(), unknown.kind());
    assert!(unknown.is_transient() && !private.is_transient());
}

/// Texts that look like another host.
#[tokio::test]
async fn the_parsed_host_is_the_one_connected_to() {
    let trap = Server::trap().await;
    let port = trap.port();
    let guard = Guard::with_resolver(settings(&[], &[port, 80]), ScriptedResolver::new("good.example 127.0.0.1"));
    let address = [
        format!("http://127.0.0.1:{port}#@good.example/"),
        format!("http://127.0.0.1:{port}?@good.example/"),
        format!("http://127.0.0.1:{port}\\@good.example/"),
        format!("http:127.0.0.1:{port}/"),
        format!("http:/127.0.0.1:{port}/"),
        format!("http:////127.0.0.1:{port}/"),
        format!("http:\\\\127.0.0.1:{port}/"),
        format!("http://@127.0.0.1:{port}/"),
        format!("http://good.example\\@127.0.0.1:{port}/"),
    ];
    for url in address {
        assert_eq!(rule(get(&guard, &url).await, &url), Rule::Address, "{url}");
    }
    let credentials = [
        format!("http://good.example@127.0.0.1:{port}/"),
        format!("http://good.example:80@127.0.0.1:{port}/"),
        format!("http://127.0.0.1@good.example:{port}/"),
        format!("http://:hunter2@127.0.0.1:{port}/"),
        format!("http://a@b@127.0.0.1:{port}/"),
        format!("http://good.example%2f@127.0.0.1:{port}/"),
    ];
    for url in credentials {
        let error = get(&guard, &url).await.unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(rule(Err::<(), _>(error), &url), Rule::Credentials, "{url}");
    }
    trap.is_untouched("hosts that look like others").await;
}

#[tokio::test]
async fn invalid_urls_are_refused_without_repeating_them() {
    let guard = Guard::with_resolver(settings(&[], &[80]), ScriptedResolver::new(""));
    let long = format!("http://good.example/{}", "x".repeat(9000));
    let long_host = format!("http://{}.example/secret", "x".repeat(300));
    let table = [
        // Zone ids belong to link-local addresses, not to URLs.
        "http://[fe80::1%25eth0]/secret",
        "http://[fe80::1%eth0]/secret",
        "http://[::1%25lo]/secret",
        "http://[::ffff:127.0.0.1/secret",
        "http://::1/secret",
        "http://127.0.0.1:99999/secret",
        "http://127.0.0.256/secret",
        "http://127.0.0.1.1.1/secret",
        "http://0x7f.0.0.0xfff/secret",
        "http://exa mple/secret",
        "http://127.0.0.1\t/secret",
        " http://127.0.0.1/secret",
        "ht\ntp://127.0.0.1/secret",
        "http://good.example/\r\nX-Secret:1",
        "http://good.example/\u{2028}secret",
        "http:///secret:80:80",
        "http://%00good.example/secret",
        "//127.0.0.1/secret",
        "/secret",
        "secret",
        "",
        &long,
        &long_host,
    ];
    for url in table {
        let error = get(&guard, url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadUrl, "{url:?}: {error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert_eq!(guard.check(url), Err(error));
    }
    assert_eq!(guard.check(&long), Err(Error::BadUrl(InvalidUrl::TooLong)));
    assert_eq!(guard.check(&long_host), Err(Error::BadUrl(InvalidUrl::LongHost)));
}

#[tokio::test]
async fn other_schemes_and_ports_are_refused() {
    let guard = Guard::with_resolver(Default::default(), ScriptedResolver::new("good.example 8.8.8.8"));
    for url in [
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "ftp://good.example/x",
        "gopher://127.0.0.1:6379/_INFO",
        "dict://127.0.0.1:11211/stats",
        "ldap://127.0.0.1/",
        "tftp://127.0.0.1/x",
        "ws://good.example/",
        "jar:http://127.0.0.1!/x",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "unix:/var/run/docker.sock",
        "about:blank",
    ] {
        assert_eq!(rule(get(&guard, url).await, url), Rule::Scheme, "{url}");
    }
    for port in [1, 22, 25, 53, 111, 2375, 3306, 5432, 6379, 9200, 11211, 27017, 65535] {
        for host in ["good.example", "8.8.8.8", "[2606:4700::1111]"] {
            let url = format!("http://{host}:{port}/");
            let refused = rule(get(&guard, &url).await, &url);
            assert_eq!(refused, Rule::Port { open: vec![80, 443, 8080, 8443] }, "{url}");
        }
        // A private host does not even reveal which ports are open.
        let url = format!("http://127.0.0.1:{port}/");
        assert_eq!(rule(get(&guard, &url).await, &url), Rule::Address, "{url}");
    }
    assert_eq!(
        get(&guard, "http://8.8.8.8:25/").await.unwrap_err().to_string(),
        "8.8.8.8: this port is not allowed; allowed for all hosts: 80, 443, 8080, 8443"
    );
}

#[tokio::test]
async fn the_operators_list_allows_what_it_names() {
    let server = Server::start(|_| vec![Step::Send(ok("image/png", b"here"))]).await;
    let port = server.port();
    let script = "nas.example 127.0.0.1\nnas.example. 127.0.0.1\na.pictures.example 127.0.0.1\nother.example 127.0.0.1";
    let resolver = ScriptedResolver::new(script);
    let table = [
        ("nas.example", "nas.example"),
        ("nas.example", "NAS.example."),
        ("*.pictures.example", "a.pictures.example"),
        ("127.0.0.0/8", "other.example"),
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.1", "2130706433"),
        ("127.0.0.1", "[::ffff:127.0.0.1]"),
    ];
    for (entry, host) in table {
        for (entry, ports) in [(entry.to_owned(), vec![port]), (format!("{entry}:{port}"), vec![])] {
            let guard = Guard::with_resolver(settings(std::slice::from_ref(&entry), &ports), resolver.clone());
            let url = format!("http://{host}:{port}/x");
            let fetched = get(&guard, &url).await.unwrap_or_else(|error| panic!("{entry} {url}: {error}"));
            assert_eq!(fetched.bytes, b"here");
        }
    }
    // And nothing else: not another name for the same address, the same name on another port, or the address itself.
    let trap = Server::trap().await;
    let guard = Guard::with_resolver(settings(&[format!("nas.example:{port}")], &[trap.port()]), resolver.clone());
    for (host, port) in [("other.example", port), ("127.0.0.1", port), ("nas.example", trap.port()), ("other.example", trap.port())] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(rule(get(&guard, &url).await, &url), Rule::Address, "{url}");
    }
    trap.is_untouched("beside the list").await;
    assert_eq!(server.requests().len(), 2 * table.len());
}
