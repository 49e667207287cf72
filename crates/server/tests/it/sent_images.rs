//! Pictures as clients and storage servers send them: if a label does not exclude a picture, the bytes decide.

use std::{fs, io::Cursor, net::SocketAddr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use guarded_http::GuardSettings;
use image::{GenericImageView as _, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use server::ServerSettings;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    attacks::{FileServer, Raw, exchange},
    fake::{Answer, PATIENCE, Running, ask, engine, post_to},
};

/// A picture that is wider than high.
fn image(format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    RgbImage::from_pixel(32, 24, Rgb([200, 80, 20])).write_to(&mut file, format).unwrap();
    file.into_inner()
}

const FORMATS: [ImageFormat; 3] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP];

/// Sends a form with one part, which has these header lines.
async fn upload(address: SocketAddr, part: &str, file: &[u8]) -> Raw {
    let body =
        [b"--edge\r\nContent-Disposition: form-data; name=\"character\"", part.as_bytes(), b"\r\n\r\n", file, b"\r\n--edge--\r\n"].concat();
    let head = format!(
        "POST /upload-character HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=edge\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    exchange(address, [head.into_bytes(), body].concat()).await
}

/// The stored picture of an upload.
fn stored(server: &FileServer, answer: &Raw) -> image::DynamicImage {
    let json: Value = serde_json::from_str(answer.body()).unwrap();
    let name = json["imageUrl"].as_str().unwrap().strip_prefix("/uploads/").unwrap();
    image::load_from_memory(&fs::read(server.folder.path().join("uploads/_").join(name)).unwrap()).unwrap()
}

#[actix_web::test]
async fn a_part_with_any_label_that_may_be_an_image_is_accepted() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    for part in [
        // Python's requests, and a field without a file name.
        "; filename=\"a.png\"",
        "",
        // Node's fetch; curl with .webp and .jfif.
        "; filename=\"blob\"\r\nContent-Type: application/octet-stream",
        "; filename=\"photo.jfif\"\r\nContent-Type: application/octet-stream",
        "; filename=\"photo\"\r\nContent-Type: binary/octet-stream",
        "; filename=\"\"\r\nContent-Type: image/jpg",
        "; filename=\"a.jpg\"\r\nContent-Type: image/pjpeg",
        "; filename=\"a.html\"\r\nContent-Type: IMAGE/X-PNG; charset=utf-8",
        "; filename=\"a.heic\"\r\nContent-Type: image/heic",
        "; filename*=UTF-8''%c3%bc.png\r\nContent-Type: jpg",
        "; filename=\"a\"\r\nContent-Type: undefined",
        "; filename=\"a\"\r\nContent-Type: ",
        "; filename=\"a.png\"\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary",
        // Bytes that are a picture are not decoded as base64, whatever the header says.
        "; filename=\"a.png\"\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64",
    ] {
        for format in FORMATS {
            let answer = upload(server.address, part, &image(format)).await;
            assert_eq!(answer.status(), 200, "{part:?}: {}", answer.0);
            assert_eq!(stored(&server, &answer).dimensions(), (32, 24), "{part:?}");
        }
    }
    let lines = BASE64_STANDARD
        .encode(image(ImageFormat::Png))
        .into_bytes()
        .chunks(76)
        .map(<[u8]>::to_vec)
        .collect::<Vec<_>>()
        .join(b"\r\n".as_slice());
    let answer = upload(server.address, "; filename=\"a.png\"\r\nContent-Transfer-Encoding: BASE64", &lines).await;
    assert_eq!((answer.status(), stored(&server, &answer).dimensions()), (200, (32, 24)));
}

#[actix_web::test]
async fn a_file_of_another_kind_is_refused_by_its_kind() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    for (file, kind) in [(b"GIF89a\x01\0\x01\0".as_slice(), "a GIF"), (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC"), (b"%PDF-1.7", "a PDF")] {
        for part in ["; filename=\"a.png\"", "; filename=\"a.png\"\r\nContent-Type: image/png"] {
            let answer = upload(server.address, part, file).await;
            let expected =
                format!(r#"{{"detail":"File must be an image: a PNG, JPEG or WebP of at most 8192 pixels a side, and it is {kind}"}}"#);
            assert_eq!((answer.status(), answer.body()), (400, expected.as_str()), "{part:?}");
        }
    }
}

/// A JPEG of a rotated camera, according to its Exif data.
fn sideways() -> Vec<u8> {
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06\0\0\0\0";
    let jpeg = image(ImageFormat::Jpeg);
    [&jpeg[..2], b"\xff\xe1", &(exif.len() as u16 + 2).to_be_bytes(), exif, &jpeg[2..]].concat()
}

#[actix_web::test]
async fn an_upload_is_stored_upright() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    let answer = upload(server.address, "; filename=\"a.jpg\"", &sideways()).await;
    assert_eq!(stored(&server, &answer).dimensions(), (24, 32), "a LONG is an orientation too");
}

/// A server that answers with a picture and the header lines that the request's query contains, in base64.
async fn storage() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            let (_, lines) = path.split_once('?').unwrap_or_default();
            let lines = String::from_utf8(base64::prelude::BASE64_URL_SAFE.decode(lines).unwrap_or_default()).unwrap_or_default();
            let file = image(if path.starts_with("/webp") { ImageFormat::WebP } else { ImageFormat::Png });
            let head = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: {}\r\n\r\n", file.len());
            let _sent = stream.write_all(&[head.as_bytes(), &file].concat()).await;
        }
    });
    address
}

/// Requests a video of the picture that the storage server serves with these header lines.
async fn of_storage(server: &Running, storage: SocketAddr, lines: &str) -> (u16, Value) {
    let kind = if lines.len().is_multiple_of(2) { "png" } else { "webp" };
    let image = format!("http://{storage}/{kind}?{}", base64::prelude::BASE64_URL_SAFE.encode(lines));
    let body = json!({"characterImageUrl": image, "script": "", "duration": 1, "quality": "256"});
    let answer = reqwest::Client::new().post(server.url("/generate-video")).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[actix_web::test]
async fn a_url_is_accepted_with_any_label_that_may_be_an_image() {
    let storage = storage().await;
    let guard = GuardSettings { allow: vec![storage.to_string().parse().unwrap()], ..GuardSettings::default() };
    let server = Running::with_settings(ServerSettings { guard, ..ServerSettings::default() }, engine(64).await).await;
    for lines in [
        "",
        // The default of boto3's put_object.
        "Content-Type: binary/octet-stream\r\n",
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a\r\n",
        "Content-Type: image/jpg\r\n",
        "Content-Type: IMAGE/PNG; charset=utf-8\r\n",
        "Content-Type: image/png\r\nContent-Encoding: \r\n",
        "Content-Type: image/png\r\nContent-Encoding: utf-8\r\n",
        "Content-Type: image/png\r\nContent-Encoding: aws-chunked\r\n",
        "Content-Type: image/jpeg\r\nContent-Encoding: base64\r\n",
    ] {
        let (status, answer) = of_storage(&server, storage, lines).await;
        assert_eq!(status, 200, "{lines:?}: {answer}");
    }
    for (lines, reason) in [
        (
            "Content-Type: text/html\r\n",
            "127.0.0.1: the answer is declared as text/html, and image/png or image/jpeg or image/webp is wanted",
        ),
        ("Content-Type: application/json\r\n", "127.0.0.1: the answer is declared as application/json, and"),
        ("Content-Type: video/mp4\r\n", "127.0.0.1: the answer is declared as video/mp4, and"),
        ("Content-Type: image/png\r\nContent-Encoding: gzip\r\n", "127.0.0.1: the answer is encoded (compressed), which is not undone"),
    ] {
        let (status, answer) = of_storage(&server, storage, lines).await;
        let message = answer["detail"][0]["msg"].as_str().unwrap_or_default();
        assert!(status == 422 && message.starts_with(&format!("Value error, {reason}")), "{lines:?}: {status} {answer}");
    }
}

#[actix_web::test]
async fn a_data_url_is_accepted_by_its_bytes_and_refused_if_it_declares_another_type() {
    async fn animate(image: String) -> Answer {
        ask(post_to("/animate", json!({"image": image, "num_frames": 2}).to_string())).await
    }
    let base64 = BASE64_STANDARD.encode(image(ImageFormat::WebP));
    let escaped = base64.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
    for image in [
        base64.clone(),
        format!("data:image/jpg;base64,{base64}"),
        format!("DATA:;BASE64,{base64}"),
        format!("data:application/octet-stream;base64,{escaped}"),
        format!("data:image/png;charset=utf-8;base64,{}", base64.replace('+', "-").replace('/', "_").trim_end_matches('=')),
    ] {
        assert_eq!(animate(image.clone()).await.status, 200, "{image:.60}");
    }
    let refused = animate(format!("data:text/html;base64,{base64}")).await;
    let message = "Value error, the data URL is declared as text/html, and a PNG, JPEG or WebP is wanted";
    assert_eq!((refused.status.as_u16(), &refused.json()["detail"][0]["msg"]), (422, &json!(message)));
    let refused = ask(post_to("/api/v1/videos/generate", json!({"image": format!("data:video/mp4;base64,{base64}")}).to_string())).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("the data URL is declared as video/mp4"), "{}", refused.text());
}
