//! Attacks: name servers that give the check and the connection different answers, or several answers at once.
//!
//! Loopback has many addresses: 127.0.0.2 is allowed here and stands for a public one, and 127.0.0.1 is the trap.
#![cfg(any(target_os = "linux", target_os = "windows"))]

use std::{net::Ipv4Addr, sync::Arc};

use guarded_http::{Guard, HeaderMap, Rule};
use tokio::net::TcpListener;

use crate::{
    scripted::{LIMITS, ScriptedResolver, get, rule, settings},
    server::{Server, Step, ok, redirect},
};

const GOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A good server and a trap on the same port of two addresses.
async fn pair(answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> (Server, Server) {
    // The trap's port may be in use at the other address; then another pair is tried.
    for _ in 0..100 {
        let trap = Server::trap().await;
        if let Ok(listener) = TcpListener::bind((GOOD, trap.port())).await {
            return (Server::on(listener, answer), trap);
        }
    }
    panic!("no port is free at two addresses");
}

fn guard(resolver: &Arc<ScriptedResolver>, port: u16) -> Guard {
    Guard::with_resolver(settings(&[format!("{GOOD}:{port}")], &[port]), resolver.clone())
}

#[tokio::test]
async fn the_judged_address_is_the_one_connected_to() {
    let (good, trap) = pair(|_| vec![Step::Send(ok("image/png", b"good"))]).await;
    let resolver = ScriptedResolver::new("rebinding.example 127.0.0.2 127.0.0.1");
    let guard = guard(&resolver, good.port());
    let url = format!("http://rebinding.example:{}/", good.port());
    assert_eq!(get(&guard, &url).await.unwrap().bytes, b"good");
    assert_eq!(resolver.count("rebinding.example"), 1, "a name is asked for once");
    trap.is_untouched("rebinding between check and connection").await;
    // The next call resolves again, and gets the private address.
    assert_eq!(rule(get(&guard, &url).await, "the second call"), Rule::Address);
    trap.is_untouched("rebinding between calls").await;
    assert_eq!(good.requests().len(), 1);
}

#[tokio::test]
async fn a_webhook_is_bound_to_its_address_too() {
    let (good, trap) = pair(|_| vec![Step::Send(ok("text/plain", b"thanks"))]).await;
    let resolver = ScriptedResolver::new("rebinding.example 127.0.0.2 127.0.0.1");
    let guard = guard(&resolver, good.port());
    let url = format!("http://rebinding.example:{}/", good.port());
    assert_eq!(guard.post(&url, HeaderMap::new(), b"{}".to_vec(), LIMITS.timeout).await, Ok(200));
    assert_eq!(resolver.count("rebinding.example"), 1);
    let second = guard.post(&url, HeaderMap::new(), b"{}".to_vec(), LIMITS.timeout).await;
    assert_eq!(rule(second, "the second post"), Rule::Address);
    trap.is_untouched("rebinding of webhooks").await;
}

#[tokio::test]
async fn each_hop_is_resolved_and_judged_again() {
    // The same name, public at first, private after it has redirected to itself.
    let (good, trap) = pair(|path| vec![Step::Send(if path == "/" { redirect(302, "/next") } else { ok("image/png", b"good") })]).await;
    for second in ["127.0.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1"] {
        let resolver = ScriptedResolver::new(&format!("rebinding.example 127.0.0.2 {second}"));
        let guard = guard(&resolver, good.port());
        let found = get(&guard, &format!("http://rebinding.example:{}/", good.port())).await;
        assert_eq!(rule(found, second), Rule::Address, "{second}");
        assert_eq!(resolver.count("rebinding.example"), 2);
    }
    trap.is_untouched("rebinding between hops").await;
    let resolver = ScriptedResolver::new("steady.example 127.0.0.2");
    let fetched = get(&guard(&resolver, good.port()), &format!("http://steady.example:{}/", good.port())).await.unwrap();
    assert_eq!((fetched.bytes.as_slice(), fetched.final_url.path()), (b"good".as_slice(), "/next"));
}

#[tokio::test]
async fn one_private_answer_refuses_them_all() {
    let (good, trap) = pair(|_| vec![Step::Send(ok("image/png", b"good"))]).await;
    let many = ["127.0.0.2"; 40].join(",");
    for answer in ["127.0.0.2,127.0.0.1", "127.0.0.1,127.0.0.2", "127.0.0.2,8.8.8.8,::1", "127.0.0.2,0.0.0.0", &format!("{many},127.0.0.1")]
    {
        let resolver = ScriptedResolver::new(&format!("mixed.example {answer}"));
        let found = get(&guard(&resolver, good.port()), &format!("http://mixed.example:{}/", good.port())).await;
        assert_eq!(rule(found, answer), Rule::Address, "{answer}");
    }
    trap.is_untouched("mixed answers").await;
    assert!(good.requests().is_empty());
}

/// A guard with persistent connections would send the second request over the first connection, to a host that it has not judged.
#[tokio::test]
async fn connections_are_not_reused() {
    let server = Server::on(TcpListener::bind((GOOD, 0)).await.unwrap(), |_| vec![Step::Send(ok("image/png", b"x"))]);
    let resolver = ScriptedResolver::new("a.example 127.0.0.2 127.0.0.2 10.0.0.1");
    let guard = guard(&resolver, server.port());
    let url = format!("http://a.example:{}/", server.port());
    for _ in 0..2 {
        get(&guard, &url).await.unwrap();
    }
    assert_eq!(rule(get(&guard, &url).await, "the third"), Rule::Address);
    assert_eq!(resolver.count("a.example"), 3);
}
