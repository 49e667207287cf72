//! Hugging Face's legacy serverless inference, as the characters API calls it. Operation: "infer".
//!
//! [`Fault::RetryAfter`] with 503 is the answer of a model that is loading: the seconds are in `estimated_time`, not in a header.

use std::io;

use serde_json::{Value, json};

use crate::{Fault, Faults, Recorded, Reply, Server, job::answer, sample::spoiled_video, sample_video};

const MODEL: &str = "stabilityai/stable-video-diffusion-img2vid-xt";

/// A running fake.
#[derive(Debug)]
pub struct HuggingFaceFake {
    /// The server and its recorded requests.
    pub server: Server,
    /// The scheduled failures.
    pub faults: Faults,
}

impl HuggingFaceFake {
    /// Starts a fake that accepts this token.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(token: &str) -> io::Result<Self> {
        let (token, faults) = (token.to_owned(), Faults::default());
        let serving = faults.clone();
        Ok(Self { server: Server::start(move |request| serve(request, &token, &serving)).await?, faults })
    }
}

fn serve(request: &Recorded, token: &str, faults: &Faults) -> Reply {
    let segments = request.segments();
    let Some((_, model)) = segments.split_first().filter(|(first, _)| *first == "models") else {
        return error(404, "Not Found");
    };
    if request.method != "POST" {
        return error(405, "Method Not Allowed");
    }
    if request.bearer() != Some(token) {
        return error(401, "Authorization header is correct, but the token seems invalid");
    }
    if model.join("/") != MODEL {
        return error(404, &format!("Model {} does not exist", model.join("/")));
    }
    let fault = faults.take("infer");
    if let Some(Fault::RetryAfter(503, _, seconds)) = fault {
        let text = format!("Model {MODEL} is currently loading");
        return Reply::json(503, &json!({"error": text, "estimated_time": f64::from(seconds)}));
    }
    answer(fault, error, |fault| infer(request, fault))
}

fn infer(request: &Recorded, fault: Option<&Fault>) -> Reply {
    let accepts = request.header("accept").unwrap_or_default();
    if !accepts.contains("video/mp4") && !accepts.contains("*/*") {
        return error(406, "Accept has to have video/mp4");
    }
    if let Err(why) = check(request) {
        return error(400, &why);
    }
    match fault {
        Some(Fault::ContentFilterAtStart | Fault::ContentFilterAtEnd) => error(400, "NSFW content was detected in the image"),
        // A failure may come with status 200; the original client checks for that.
        Some(Fault::Failed(why)) => error(200, why),
        Some(Fault::WrongWord(media_type)) => Reply::bytes(200, media_type, "<html>hello</html>"),
        fault => Reply::bytes(200, "video/mp4", spoiled_video(&sample_video(0), fault)),
    }
}

fn error(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"error": text}))
}

/// Checks the form: a file `inputs` with its true type, then the text `parameters`.
fn check(request: &Recorded) -> Result<(), String> {
    let content_type = request.header("content-type").unwrap_or_default();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").ok_or("the body has to be multipart/form-data")?;
    let parts = parts(&request.body, boundary.trim_matches('"')).ok_or("the multipart body is malformed")?;
    let [inputs, parameters] = parts.as_slice() else { return Err(format!("the form has {} parts instead of 2", parts.len())) };
    let (head, file) = inputs;
    let magic: &[u8] = match (head.contains("name=\"inputs\""), head) {
        (true, head) if head.contains("filename=\"character.jpg\"") && head.contains("Content-Type: image/jpeg") => &[0xff, 0xd8, 0xff],
        (true, head) if head.contains("filename=\"character.png\"") && head.contains("Content-Type: image/png") => b"\x89PNG",
        (_, head) => return Err(format!("the first part is not the file inputs: {head}")),
    };
    if !file.starts_with(magic) {
        return Err("inputs is not the image that its type says".to_owned());
    }
    let (head, text) = parameters;
    if !head.contains("name=\"parameters\"") || head.contains("filename") {
        return Err(format!("the second part is not the field parameters: {head}"));
    }
    let parameters: Value = serde_json::from_slice(text).map_err(|_| "parameters is no JSON")?;
    let frames = parameters["num_frames"].as_u64().filter(|frames| (1..=25).contains(frames));
    frames.map(drop).ok_or_else(|| format!("num_frames has to be from 1 to 25: {parameters}"))
}

/// The parts of a multipart body: head and content.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<(String, &'a [u8])>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(format!("--{boundary}").as_bytes())?;
    let mut parts = Vec::new();
    while rest != b"--\r\n" {
        let part = rest.strip_prefix(b"\r\n")?;
        let end = find(part, delimiter.as_bytes())?;
        let (part, after) = part.split_at_checked(end)?;
        let head = find(part, b"\r\n\r\n")?;
        parts.push((String::from_utf8_lossy(part.get(..head)?).into_owned(), part.get(head + 4..)?));
        rest = after.get(delimiter.len()..)?;
    }
    Some(parts)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
