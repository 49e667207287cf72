//! Secrets reach only their intended recipient: they appear in no trace log, response, store, metric, event or callback, whatever fails at
//! the providers.

use std::{path::Path, process::Command, sync::Mutex};

use remote_fakes::{Fault, Faults, Recorded};
use serde_json::{Value, json};

use crate::{
    served::{Served, ask},
    services::{Fakes, SECRETS, SERVER_KEY, until},
};

/// A client that records every response.
struct Client {
    address: String,
    answers: Mutex<Vec<(String, String)>>,
}

impl Client {
    fn ask(&self, first: &str, lines: &[&str], body: &str) -> String {
        let key = format!("Authorization: Bearer {}", SERVER_KEY);
        let lines: Vec<&str> = lines.iter().copied().chain([key.as_str()]).collect();
        let answer = ask(&self.address, first, &lines, body.as_bytes());
        self.answers.lock().unwrap().push((first.to_owned(), answer.clone()));
        answer
    }

    fn post(&self, path: &str, lines: &[&str], body: &Value) -> (String, Value) {
        let lines: Vec<&str> = lines.iter().copied().chain(["Content-Type: application/json"]).collect();
        let answer = self.ask(&format!("POST {path}"), &lines, &body.to_string());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), serde_json::from_str(body).unwrap_or_default())
    }

    /// Waits until a task has finished, and reads everything about it.
    fn end(&self, id: &str) {
        until(|| self.ask(&format!("GET /api/v1/tasks/{id}"), &[], "").into(), |answer| !holds(answer, "\"completed_at\":null"));
        self.ask(&format!("GET /api/v1/tasks/{id}/events"), &[], "");
        self.ask(&format!("GET /api/v1/videos/{id}"), &[], "");
    }
}

fn holds(answer: &Value, text: &str) -> bool {
    answer.as_str().is_some_and(|answer| answer.contains(text))
}

/// Every fault, for one operation.
fn faults_of(faults: &Faults, operation: &'static str) -> Vec<(Faults, &'static str, Fault)> {
    let all = [
        Fault::Status(401, "invalid_api_key"),
        Fault::Status(500, "internal_error"),
        Fault::StatusAfter(502, "bad_gateway"),
        Fault::CloseAfterBytes(5),
        Fault::ContentFilterAtEnd,
        Fault::Failed("the model fell over"),
        Fault::Expired,
    ];
    all.into_iter().map(|fault| (faults.clone(), operation, fault)).collect()
}

/// The signatures of the links that a provider was called with; no log and no row may contain them.
fn signatures(requests: &[Recorded]) -> Vec<String> {
    let names = ["X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential", "Signature", "token"];
    requests.iter().flat_map(|request| names.iter().filter_map(|name| request.query_value(name))).filter(|text| text.len() > 8).collect()
}

#[test]
fn no_secret_leaks_whatever_fails() {
    let fakes = Fakes::start();
    let more = [
        ("FRAMEWRIGHT__SERVER__LOG", "trace"),
        ("FRAMEWRIGHT__ACCESS__API_KEY", SERVER_KEY),
        ("FRAMEWRIGHT__ACCESS__REQUESTS_PER_MINUTE", "0"),
        ("FRAMEWRIGHT__SERVER__QUEUE_CAPACITY", "200"),
        ("FRAMEWRIGHT__BUDGET__PRICES", "bedrock=0.5,veo=0.5,pika=0.5,replicate=0.5,huggingface=0.5"),
    ];
    let Served { mut child, address, lines, data } = fakes.serve(&more);
    let log = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let client = Client { address, answers: Mutex::default() };
    let image = fakes.image_url();

    let clip = |service: &str| {
        let body = json!({"image": image, "prompt": "a boat on waves", "service": service});
        let (head, answer) = client.post("/api/v1/videos/generate", &[], &body);
        assert!(head.starts_with("HTTP/1.1 200"), "{head} {answer}");
        answer["task_id"].as_str().unwrap().to_owned()
    };
    let text = || client.post("/generate-video", &[], &json!({"text": "a boat"})).1;
    let i2v = |name: &str| {
        let (head, _) = client.post("/api/v1/i2v", &[&format!("x-request-id: {name}")], &json!({"image_id": image}));
        let id = head.lines().find_map(|line| line.strip_prefix("x-task-id: ")).unwrap_or_else(|| panic!("{head}"));
        id.to_owned()
    };
    // Each flow without faults, and its finished job.
    for service in ["veo3", "bedrock", "pika", "huggingface"] {
        client.end(&clip(service));
    }
    let arn = text()["job_id"].as_str().unwrap().to_owned();
    until(|| client.ask(&format!("GET /video-status?job_id={arn}"), &[], "").into(), |answer| holds(answer, "\"completed\""));
    client.end(&i2v("good"));

    // Each fault of each operation.
    let (bedrock, pika, replicate, hugging_face) =
        (&fakes.bedrock.faults, &fakes.pika.faults, &fakes.replicate.faults, &fakes.hugging_face.faults);
    let mut running = Vec::new();
    for operation in ["start", "get"] {
        for (faults, operation, fault) in faults_of(bedrock, operation) {
            faults.push(operation, fault);
            running.push(clip("bedrock"));
        }
    }
    for (faults, operation, fault) in faults_of(&fakes.s3.faults, "download") {
        faults.push(operation, fault);
        running.push(clip("bedrock"));
    }
    for operation in ["start", "get", "content", "download"] {
        for (faults, operation, fault) in faults_of(&fakes.relay.faults, operation) {
            faults.push(operation, fault);
        }
    }
    running.extend((0..12).map(|_| clip("veo3")));
    for operation in ["generate", "job", "download"] {
        for (faults, operation, fault) in faults_of(pika, operation) {
            faults.push(operation, fault);
        }
    }
    running.extend((0..10).map(|_| clip("pika")));
    for (faults, operation, fault) in faults_of(hugging_face, "infer") {
        faults.push(operation, fault);
        running.push(clip("huggingface"));
    }
    for (number, (faults, operation, fault)) in faults_of(replicate, "create").into_iter().enumerate() {
        faults.push(operation, fault);
        running.push(i2v(&format!("broken-{number}")));
    }
    for id in &running {
        client.end(id);
    }
    for path in ["/metrics", "/api/v1/usage", "/api/v1/tasks/", "/health", "/openapi.json", "/generations"] {
        client.ask(&format!("GET {path}"), &[], "");
    }
    assert!(Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().unwrap().success());
    child.0.wait().unwrap();
    let log = log.join().unwrap();
    assert!(log.len() > 100_000 && log.contains("TRACE"), "the log is not the finest: {} bytes", log.len());

    let mut signed = signatures(&fakes.s3.requests());
    signed.extend(signatures(&fakes.relay.storage.requests()));
    signed.extend(signatures(&fakes.pika.server.requests()));
    assert!(signed.len() > 10, "{signed:?}");
    let links: Vec<&str> = signed.iter().map(String::as_str).collect();
    let keys = SECRETS;
    let check = |what: &str, text: &str, secrets: &[&str]| {
        for secret in secrets {
            if let Some(at) = text.find(secret) {
                let around: String = text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
                panic!("{what} tells {secret}, behind {around:?}");
            }
        }
    };
    check("the log", &log, &[&keys[..], &links[..]].concat());
    for (first, answer) in client.answers.lock().unwrap().iter() {
        // This response's purpose is the presigned link, which carries the key's id and the session token.
        let is_for_links = first.starts_with("GET /video-status");
        let others = || keys.iter().filter(|key| !key.starts_with("AKIA") && !key.starts_with("IQoJ")).copied().collect();
        let secrets: Vec<&str> = if is_for_links { others() } else { [&keys[..], &links[..]].concat() };
        check(first, answer, &secrets);
    }
    for callback in fakes.game.requests() {
        check("a callback", &String::from_utf8_lossy(&callback.body), &[&keys[..], &links[..]].concat());
    }
    every_file(data.path(), &mut |path, bytes| {
        check(&path.display().to_string(), &String::from_utf8_lossy(bytes), &[&keys[..], &links[..]].concat());
    });
}

fn every_file(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { every_file(&path, look) } else { look(&path, &std::fs::read(&path).unwrap()) }
    }
}
