//! A test client of the Tasks API.

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{ImageFormat, Rgb, RgbImage};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::{ServerSettings, TasksSettings};

use crate::fake::{PATIENCE, Running, engine};

/// A server whose clips do what their prompts say (see the fake model), with a queue of four.
pub(crate) async fn start() -> Running {
    Running::with_settings(settings(), engine(4).await).await
}

/// Prompts repaint the picture, so that they reach the model.
pub(crate) fn settings() -> ServerSettings {
    let tasks = TasksSettings { repaint_strength: 0.5, ..TasksSettings::default() };
    ServerSettings { tasks, ..ServerSettings::default() }
}

/// A small picture's PNG file.
pub(crate) fn png() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    RgbImage::from_fn(48, 32, |x, y| Rgb([x as u8 * 5, y as u8 * 7, 9])).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// The body of a quick clip.
pub(crate) fn clip(changes: Value) -> Value {
    let mut body = json!({"image": BASE64_STANDARD.encode(png()), "duration": 1, "fps": 24, "resolution": "64x48", "seed": 3});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

impl Running {
    /// Sends a request; returns the answer's status and its JSON.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = reqwest::Client::new().request(method, self.url(path));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Submits a clip; returns its id.
    pub(crate) async fn submit(&self, changes: Value) -> String {
        let (status, answer) = self.ask(Method::POST, "/api/v1/videos/generate", Some(clip(changes))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["task_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn task(&self, id: &str) -> Value {
        let (status, task) = self.ask(Method::GET, &format!("/api/v1/tasks/{id}"), None).await;
        assert_eq!(status, StatusCode::OK, "{task}");
        task
    }

    /// Waits until the task satisfies the condition.
    pub(crate) async fn task_when(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let task = self.task(id).await;
            if is_so(&task) {
                return task;
            }
            assert!(Instant::now() < deadline, "{task}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the task has ended.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        self.task_when(id, |task| task["completed_at"].is_string()).await
    }
}
