//! Files that are not pictures, or more than pictures: each is refused, or only its pixels are stored.

use std::{fs, net::SocketAddr};

use image::{GenericImageView as _, ImageFormat};

use super::{
    FileServer, Raw,
    archive::{PNG, altered, chunk, chunks, encoded, header, zeros},
    exchange,
};
use generation_test::PATIENCE;

/// A valid picture.
pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(width, height, ImageFormat::Png)
}

/// Sends a form with one file.
pub(super) async fn upload(address: SocketAddr, disposition: &str, media_type: &str, file: &[u8]) -> Raw {
    let mut body =
        format!("--edge\r\nContent-Disposition: form-data; name=\"character\"; {disposition}\r\nContent-Type: {media_type}\r\n\r\n");
    // The file is binary, so the body is sent as bytes.
    let mut bytes = std::mem::take(&mut body).into_bytes();
    bytes.extend_from_slice(file);
    bytes.extend_from_slice(b"\r\n--edge--\r\n");
    let head = format!(
        "POST /upload-character HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=edge\r\n\
         Content-Length: {}\r\n\r\n",
        bytes.len()
    );
    exchange(address, [head.into_bytes(), bytes].concat()).await
}

/// The name of an upload.
pub(super) fn name_of(answer: &Raw) -> String {
    let json: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
    json["imageUrl"].as_str().unwrap().strip_prefix("/uploads/").unwrap().to_owned()
}

/// A WebP with this chunk as its first.
fn webp(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = |count: usize| u32::try_from(count).unwrap().to_le_bytes();
    [b"RIFF".as_slice(), &length(data.len() + 12), b"WEBP", kind, &length(data.len()), data].concat()
}

/// A JPEG that declares its size, and then ends.
fn jpeg_head(width: u16, height: u16) -> Vec<u8> {
    let [w, h] = [width, height].map(u16::to_be_bytes);
    let frame = [0xff, 0xc0, 0, 17, 8, h[0], h[1], w[0], w[1], 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    [b"\xff\xd8".as_slice(), &frame, b"\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"].concat()
}

/// A JPEG with an additional segment after its first two bytes.
fn jpeg_with(marker: u8, data: &[u8]) -> Vec<u8> {
    let jpeg = encoded(8, 8, ImageFormat::Jpeg);
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, data, &jpeg[2..]].concat()
}

/// Files that are refused with 400.
fn refused() -> [(&'static str, Vec<u8>); 23] {
    let small = png(4, 4);
    let resized = |width, height, bits, colours| altered(&small, Some(header(width, height, bits, colours)), &[]);
    let truncated = png(64, 64);
    let webp_sides = |side: u32| {
        let [a, b, c, _] = (side - 1).to_le_bytes();
        [0, 0, 0, 0, a, b, c, a, b, c]
    };
    let mut wrong_sum = small.clone();
    wrong_sum[PNG.len() + 9] ^= 1;
    [
        ("a PNG of 10^10 pixels", resized(100_000, 100_000, 8, 2)),
        ("a PNG as large as numbers go", resized(i32::MAX as u32, i32::MAX as u32, 8, 2)),
        ("a PNG that is one pixel too wide", resized(8193, 1, 8, 2)),
        ("a PNG that is one pixel too high", resized(1, 8193, 8, 2)),
        ("a PNG within the sides and over the memory", resized(8192, 8192, 16, 6)),
        ("a PNG without pixels", resized(0, 0, 8, 2)),
        ("a PNG with more pixels than data", resized(4096, 4096, 8, 2)),
        ("a WebP of 16384 pixels a side", webp(b"VP8X", &webp_sides(16_384))),
        ("a WebP as large as numbers go", webp(b"VP8X", &webp_sides(1 << 24))),
        ("a lossless WebP that is a head alone", webp(b"VP8L", &[0x2f, 0xff, 0xff, 0xff, 0x0f])),
        ("a JPEG of 65535 pixels a side", jpeg_head(65_535, 65_535)),
        ("a JPEG that ends behind its head", jpeg_head(64, 64)),
        ("a PNG that is cut", truncated[..truncated.len() / 2].to_vec()),
        ("a PNG that is a signature alone", PNG.to_vec()),
        ("a PNG whose checksum is wrong", wrong_sum),
        ("a drawing with a script", br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#.to_vec()),
        ("a drawing that includes a file", br#"<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>"#.to_vec()),
        ("an archive under a picture's name", [b"PK\x03\x04".as_slice(), &[0; 200]].concat()),
        ("a page", b"<!DOCTYPE html><script>alert(1)</script>".to_vec()),
        ("an animation of a kind that is not read", [b"GIF89a".as_slice(), &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x3b]].concat()),
        ("a bitmap that says four gigabytes", [b"BM".as_slice(), &[0xff; 50]].concat()),
        (
            "what other programs run to read it",
            b"push graphic-context\nfill 'url(https://127.0.0.1/|ls \"-la)'\npop graphic-context".to_vec(),
        ),
        ("nothing", Vec::new()),
    ]
}

/// Files that are pictures and contain something else, which is not stored.
fn cleaned() -> [(&'static str, Vec<u8>); 10] {
    let small = png(4, 4);
    let with = |kind: &[u8; 4], data: &[u8]| altered(&small, None, &[chunk(kind, data)]);
    let bomb = zeros(64 << 20);
    let animation = {
        let control = chunk(b"acTL", &[10_000_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat());
        altered(&small, None, &[control])
    };
    [
        ("a text of 64 MiB in 64 kB", with(b"zTXt", &[b"note\0\0".as_slice(), &bomb].concat())),
        ("the same as an international text", with(b"iTXt", &[b"note\0\x01\0\0\0".as_slice(), &bomb].concat())),
        ("a page in a text", with(b"tEXt", b"note\0<script>alert(1)</script>")),
        ("ten thousand frames that are promised", animation),
        ("an archive behind the picture", [small.as_slice(), b"PK\x03\x04<script>", &[0; 300]].concat()),
        ("a page behind the picture", [small.as_slice(), b"<html><script>alert(1)</script>"].concat()),
        ("a page in a JPEG's comment", jpeg_with(0xfe, b"<script>alert(1)</script>")),
        ("a page in a JPEG's camera data", jpeg_with(0xe1, b"Exif\0\0<script>alert(1)</script>")),
        ("a private chunk", with(b"prVt", b"<script>alert(1)</script>")),
        ("a chunk that is a program", with(b"exEc", b"MZ<script>")),
    ]
}

#[actix_web::test]
async fn files_that_are_not_images_are_refused() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    for (name, file) in refused() {
        let answer = upload(server.address, "filename=\"a.png\"", "image/png", &file).await;
        assert_eq!((answer.status(), answer.header("content-type")), (400, Some("application/json")), "{name}: {}", answer.0);
        assert!(answer.body().starts_with(r#"{"detail":"File must be an image: a PNG, JPEG or WebP"#), "{name}: {}", answer.0);
    }
    // A picture that is declared as something else is not decoded.
    for media_type in ["text/html", "application/json", "video/mp4", "text/plain", "application/x-image/png"] {
        let answer = upload(server.address, "filename=\"a.png\"", media_type, &png(4, 4)).await;
        let expected = format!(r#"{{"detail":"File must be an image: it is declared as {media_type}"}}"#);
        assert_eq!((answer.status(), answer.body()), (400, expected.as_str()), "{media_type}: {}", answer.0);
    }
    // The declared type is not echoed verbatim.
    let answer = upload(server.address, "filename=\"a.png\"", "text/<script>\"; x=\"y", &png(4, 4)).await;
    assert_eq!(answer.body(), r#"{"detail":"File must be an image: it is declared as text/script"}"#);
    assert_eq!(server.stored(), Vec::<String>::new());
}

#[actix_web::test]
async fn only_an_images_pixels_are_stored() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    for (name, file) in cleaned() {
        let answer = upload(server.address, "filename=\"a.svg\"", "image/svg+xml", &file).await;
        assert_eq!(answer.status(), 200, "{name}: {}", answer.0);
        let stored = fs::read(server.folder.path().join("uploads/_").join(name_of(&answer))).unwrap();
        let kinds: Vec<_> = chunks(&stored).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [*b"IHDR", *b"IDAT", *b"IEND"], "{name}");
        assert!(!stored.windows(8).any(|bytes| bytes == b"<script>"), "{name}");
        let end = stored.windows(4).position(|bytes| bytes == b"IEND").unwrap();
        assert_eq!(end + 8, stored.len(), "{name}: nothing is behind the end");
        assert_eq!(image::load_from_memory(&stored).unwrap().dimensions().0 % 4, 0, "{name}");
    }
}

#[actix_web::test]
async fn an_upload_is_served_as_an_image_that_runs_nothing() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    let name = name_of(&upload(server.address, "filename=\"a.html\"", "image/png", &png(4, 4)).await);
    let get = format!("GET /uploads/{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", name);
    let answer = exchange(server.address, get).await;
    let head = ["content-type", "x-content-type-options", "cross-origin-resource-policy"].map(|name| answer.header(name).unwrap());
    assert_eq!(head, ["image/png", "nosniff", "same-origin"]);
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
}
