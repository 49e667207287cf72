//! Callbacks: sent when the task has ended, signed, retried, and kept across a restart.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{self, Bytes, Data},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use guarded_http::GuardSettings;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use server::{
    ServerSettings,
    webhooks::{WebhookSecret, WebhookSettings},
};
use sha2::Sha256;

use crate::{
    fake::{PATIENCE, Running, engine},
    task_client::{clip, settings},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A message as its receiver got it.
#[derive(Clone, Debug)]
struct Message {
    id: String,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

impl Message {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Verifies the message as a receiver does, by the standard's text.
    fn is_signed(&self) -> bool {
        let key = BASE64_STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update([self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", &self.body].concat().as_slice());
        let fresh = self.timestamp.parse::<u64>().unwrap().abs_diff(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()) < 60;
        fresh && self.signature == format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// A receiver that answers with these statuses, one after another, and then keeps answering with the last.
struct Receiver {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    server: ServerHandle,
}

type Inbox = (Arc<Mutex<Vec<Message>>>, Vec<u16>);

async fn received(request: HttpRequest, body: Bytes, inbox: Data<Inbox>) -> HttpResponse {
    let head = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(head("content-type"), "application/json");
    let (messages, statuses) = inbox.get_ref();
    let mut messages = messages.lock().unwrap();
    let status = statuses.get(messages.len()).or(statuses.last()).copied().unwrap();
    messages.push(Message {
        id: head("webhook-id"),
        timestamp: head("webhook-timestamp"),
        signature: head("webhook-signature"),
        body: body.to_vec(),
    });
    HttpResponse::build(status.try_into().unwrap()).finish()
}

impl Receiver {
    fn start(statuses: &[u16]) -> Self {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let inbox: Data<Inbox> = Data::new((Arc::clone(&messages), statuses.to_vec()));
        let server = HttpServer::new(move || App::new().app_data(inbox.clone()).route("/hook", web::post().to(received)));
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        let running = server.run();
        let handle = running.handle();
        tokio::spawn(running);
        Self { address, messages, server: handle }
    }

    fn url(&self) -> String {
        format!("http://{}/hook?token=secret", self.address)
    }

    fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    async fn wait_for(&self, count: usize) -> Vec<Message> {
        let deadline = Instant::now() + PATIENCE;
        while self.messages().len() < count {
            assert!(Instant::now() < deadline, "{count} messages expected, there are {:?}", self.messages());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.messages()
    }

    /// Settings of a server that may call this receiver, and retries after these delays.
    fn settings(&self, retries: &[Duration]) -> ServerSettings {
        let guard = GuardSettings { allow: vec![self.address.to_string().parse().unwrap()], ..GuardSettings::default() };
        let webhooks = WebhookSettings {
            retries: retries.to_vec(),
            poll: Duration::from_millis(10),
            ..WebhookSettings::new(SECRET.parse::<WebhookSecret>().unwrap())
        };
        ServerSettings { guard, webhooks, ..settings() }
    }
}

/// Waits long enough for an excess message to arrive.
async fn nothing_more(receiver: &Receiver, count: usize) {
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.messages().len(), count);
}

const MOMENT: Duration = Duration::from_millis(20);

#[actix_web::test]
async fn a_callback_is_retried_until_it_is_acknowledged() {
    let receiver = Receiver::start(&[500, 302, 204]);
    let server = Running::with_settings(receiver.settings(&[MOMENT; 6]), engine(4).await).await;
    let id = server.submit(json!({"callback_url": receiver.url()})).await;
    let messages = receiver.wait_for(3).await;
    nothing_more(&receiver, 3).await;
    for message in &messages {
        assert!(message.is_signed(), "{message:?}");
        assert_eq!((&message.id, message.json()), (&format!("msg_{id}"), messages[0].json()));
    }
    let mut body = messages[0].json();
    let task = server.task(&id).await;
    let (kind, timestamp) = (body["type"].take(), body["timestamp"].take());
    assert_eq!((kind, &timestamp), (json!("task.completed"), &task["completed_at"]));
    let body = body.as_object_mut().unwrap();
    body.retain(|key, _| key != "type" && key != "timestamp");
    assert_eq!(&Value::from(body.clone()), &task);
    // The callback's address contains a secret, which must not be shown.
    assert!(!task.to_string().contains("token"));
    receiver.server.stop(false).await;
}

#[actix_web::test]
async fn a_delivered_message_is_not_sent_again_while_the_store_is_locked() {
    let receiver = Receiver::start(&[200]);
    let folder = tempfile::tempdir().unwrap();
    let server = Running::in_folder(folder.path(), receiver.settings(&[MOMENT; 6]), engine(4).await).await;
    // The receiver answers while another program locks the database.
    let messages = Arc::clone(&receiver.messages);
    let (answer, answered) = std::sync::mpsc::channel::<()>();
    let (held, holds) = std::sync::mpsc::channel::<()>();
    let silent = std::thread::spawn(move || {
        let _silent = messages.lock().unwrap();
        held.send(()).unwrap();
        let _ = answered.recv();
    });
    holds.recv().unwrap();
    let id = server.submit(json!({"callback_url": receiver.url()})).await;
    server.ended(&id).await;
    let other = rusqlite::Connection::open(folder.path().join("jobs.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    drop(answer);
    silent.join().unwrap();
    receiver.wait_for(1).await;
    // Longer than the attempts to record the delivery take.
    tokio::time::sleep(Duration::from_secs(5)).await;
    nothing_more(&receiver, 1).await;
    other.execute_batch("ROLLBACK").unwrap();
    nothing_more(&receiver, 1).await;
    receiver.server.stop(false).await;
}

#[actix_web::test]
async fn every_outcome_is_sent() {
    let receiver = Receiver::start(&[200]);
    let server = Running::with_settings(receiver.settings(&[MOMENT]), engine(4).await).await;
    let failed = server.submit(json!({"prompt": "broken", "callback_url": receiver.url()})).await;
    receiver.wait_for(1).await;
    let cancelled = server.submit(json!({"prompt": "slow", "callback_url": receiver.url()})).await;
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{cancelled}"), None).await.0.as_u16(), 200);
    receiver.wait_for(2).await;
    let body = json!({"prompt": "a boat", "width": 64, "height": 64, "callback_url": receiver.url()});
    let image = server.ask(Method::POST, "/api/v1/images/generate", Some(body)).await.1;
    let messages = receiver.wait_for(3).await;
    let events: Vec<Value> = messages.iter().map(|message| message.json()).map(|body| json!([body["type"], body["task_id"]])).collect();
    let expected = [json!(["task.failed", failed]), json!(["task.cancelled", cancelled]), json!(["task.completed", image["task_id"]])];
    assert_eq!(events, expected);
    assert_eq!(messages[0].json()["error"]["message"], "tokenizer: broken as told");
    assert_eq!(messages[2].json()["result"]["result"]["image_url"], image["image_url"]);
    receiver.server.stop(false).await;
}

#[actix_web::test]
async fn a_message_outlives_the_server() {
    let receiver = Receiver::start(&[503, 503, 200]);
    let folder = tempfile::tempdir().unwrap();
    // Two attempts fail at once; the third is due after the first server has stopped.
    let first = Running::in_folder(folder.path(), receiver.settings(&[MOMENT, Duration::from_secs(2)]), engine(4).await).await;
    let id = first.submit(json!({"callback_url": receiver.url()})).await;
    receiver.wait_for(2).await;
    first.end().await;
    let second = Running::in_folder(folder.path(), receiver.settings(&[MOMENT, Duration::from_secs(2)]), engine(4).await).await;
    let messages = receiver.wait_for(3).await;
    assert!(messages.iter().all(|message| message.is_signed() && message.id == format!("msg_{id}")));
    // The URLs are those of the first server, which its client knows.
    assert_eq!(messages[0].body, messages[2].body);
    assert_eq!(second.task(&id).await["status"], "completed");
    receiver.server.stop(false).await;
}

#[actix_web::test]
async fn a_receiver_that_is_gone_or_always_fails_is_given_up() {
    let gone = Receiver::start(&[410]);
    let server = Running::with_settings(gone.settings(&[MOMENT; 3]), engine(4).await).await;
    server.submit(json!({"callback_url": gone.url()})).await;
    gone.wait_for(1).await;
    nothing_more(&gone, 1).await;
    gone.server.stop(false).await;

    let broken = Receiver::start(&[500]);
    let server = Running::with_settings(broken.settings(&[MOMENT; 2]), engine(4).await).await;
    server.submit(json!({"callback_url": broken.url()})).await;
    broken.wait_for(3).await;
    nothing_more(&broken, 3).await;
    broken.server.stop(false).await;
}

#[actix_web::test]
async fn a_receiver_that_does_not_answer_delays_no_other() {
    let receiver = Receiver::start(&[200]);
    // It accepts connections and sends nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = receiver.settings(&[MOMENT]);
    settings.guard.allow.push(silent.local_addr().unwrap().to_string().parse().unwrap());
    let server = Running::with_settings(settings, engine(4).await).await;
    server.submit(json!({"callback_url": format!("http://{}/", silent.local_addr().unwrap())})).await;
    server.submit(json!({"callback_url": receiver.url()})).await;
    // Long before the silent receiver's timeout of fifteen seconds.
    let started = Instant::now();
    receiver.wait_for(1).await;
    assert!(started.elapsed() < Duration::from_secs(10));
    receiver.server.stop(false).await;
}

/// The messages to a receiver, by the number in their path: answered ones, and those left hanging.
#[derive(Default)]
struct Halves {
    answered: Vec<usize>,
    hanging: Vec<usize>,
}

async fn every_second(number: web::Path<usize>, halves: Data<Mutex<Halves>>) -> HttpResponse {
    if number.is_multiple_of(2) {
        halves.lock().unwrap().answered.push(*number);
        return HttpResponse::Ok().finish();
    }
    halves.lock().unwrap().hanging.push(*number);
    std::future::pending().await
}

#[actix_web::test]
async fn a_host_that_hangs_on_half_of_its_callbacks_gets_the_other_half() {
    const CALLBACKS: usize = 30;
    let halves = Data::new(Mutex::new(Halves::default()));
    let shared = halves.clone();
    let host = HttpServer::new(move || App::new().app_data(shared.clone()).route("/hook/{number}", web::post().to(every_second)));
    let host = host.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = host.addrs()[0];
    let host = host.run();
    let handle = host.handle();
    tokio::spawn(host);
    let guard = GuardSettings { allow: vec![address.to_string().parse().unwrap()], timeout: PATIENCE * 10, ..GuardSettings::default() };
    let webhooks = WebhookSettings {
        // No hanging message times out during the test: the others are sent beside them, or not at all.
        timeout: PATIENCE * 10,
        slow_after: MOMENT,
        poll: Duration::from_millis(10),
        ..WebhookSettings::new(SECRET.parse::<WebhookSecret>().unwrap())
    };
    let server = Running::with_settings(ServerSettings { guard, webhooks, ..settings() }, engine(CALLBACKS).await).await;
    for number in 0..CALLBACKS {
        server.submit(json!({"callback_url": format!("http://{address}/hook/{number}")})).await;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (mut answered, mut hanging) = {
            let halves = halves.lock().unwrap();
            (halves.answered.clone(), halves.hanging.clone())
        };
        if answered.len() + hanging.len() >= CALLBACKS {
            answered.sort_unstable();
            hanging.sort_unstable();
            let half = |first| (first..CALLBACKS).step_by(2).collect::<Vec<_>>();
            assert_eq!((answered, hanging), (half(0), half(1)), "each is sent once");
            break;
        }
        assert!(Instant::now() < deadline, "answered: {answered:?}, hanging: {hanging:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    handle.stop(false).await;
}

#[actix_web::test]
async fn a_callback_at_a_private_address_is_refused() {
    let receiver = Receiver::start(&[200]);
    let server = Running::with_settings(settings(), engine(4).await).await;
    let body = clip(json!({"callback_url": receiver.url()}));
    let (status, answer) = server.ask(Method::POST, "/api/v1/videos/generate", Some(body)).await;
    assert_eq!((status.as_u16(), &answer["detail"][0]["loc"]), (422, &json!(["body", "callback_url"])));
    // A name that the guard cannot check without resolving it passes here, and is refused when the callback is sent.
    let id = server.submit(json!({"callback_url": "http://localhost:8080/"})).await;
    assert_eq!(server.ended(&id).await["status"], "completed");
    assert!(receiver.messages().is_empty());
    receiver.server.stop(false).await;
}

#[actix_web::test]
async fn a_job_that_cannot_be_read_is_not_retried_forever() {
    let receiver = Receiver::start(&[503]);
    let folder = tempfile::tempdir().unwrap();
    // Enough attempts to damage the store before the last one.
    let waits = [Duration::from_millis(150); 20];
    let server = Running::in_folder(folder.path(), receiver.settings(&waits), engine(4).await).await;
    server.submit(json!({"callback_url": receiver.url()})).await;
    receiver.wait_for(1).await;
    let store = rusqlite::Connection::open(folder.path().join("jobs.sqlite")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    // A damaged row would be read as far as possible, and sent; without this table no completed job can be read.
    store.execute_batch("ALTER TABLE artifacts RENAME TO lost").unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let row = store.query_row("SELECT attempts, due_at, last_error FROM deliveries", [], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, Option<String>>(2)?))
        });
        let (attempts, due_at, last_error) = row.unwrap();
        if due_at.is_none() {
            assert_eq!((attempts, last_error.as_deref()), (21, Some("its job cannot be read")));
            break;
        }
        assert!(Instant::now() < deadline, "{attempts} {last_error:?}");
        tokio::time::sleep(MOMENT).await;
    }
    // For the check at the end.
    store.execute_batch("ALTER TABLE lost RENAME TO artifacts").unwrap();
    receiver.server.stop(false).await;
}
