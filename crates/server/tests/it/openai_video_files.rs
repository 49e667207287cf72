//! The files of OpenAI's videos: the video, its thumbnail and its sheet, whole and in parts.

use reqwest::{Client, Method, header::HeaderValue};
use serde_json::json;

use crate::{
    fake::Running,
    openai_videos::{VIDEOS, create, id, made},
    task_client::start,
};

async fn get(server: &Running, path: &str, header: Option<(&str, &str)>) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    // As the clients ask for it.
    let mut request = Client::new().get(server.url(path)).header("accept", "application/binary");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap()
}

#[actix_web::test]
async fn each_variant_has_its_type_its_tag_and_its_ranges() {
    let server = start().await;
    // Frames in the colour of their number, two seconds of twelve.
    let video = made(&server, json!({"seconds": 2, "fps": 12, "size": "128x96"})).await;
    let mut tags = Vec::new();
    for (query, media_type, size) in [
        ("", "video/mp4", None),
        ("?variant=video", "video/mp4", None),
        ("?variant=thumbnail", "image/webp", Some((128, 96))),
        // Sixteen of the frames, four in a row, with a margin of four pixels.
        ("?variant=spritesheet", "image/jpeg", Some((4 + 4 * 132, 4 + 4 * 100))),
    ] {
        let path = format!("{VIDEOS}/{}/content{query}", id(&video));
        let (status, headers, file) = get(&server, &path, None).await;
        assert_eq!((status, text(&headers["content-type"])), (200, media_type), "{query}");
        assert_eq!(text(&headers["accept-ranges"]), "bytes");
        match size {
            None => assert_eq!(&file[4..8], b"ftyp"),
            Some(size) => {
                let image = image::load_from_memory(&file).unwrap().into_rgb8();
                assert_eq!(image.dimensions(), size, "{query}");
                // The first frame is nearly black, and so is the first of the sheet.
                assert!(image.get_pixel(60, 40).0.iter().all(|value| *value < 12), "{query}: {:?}", image.get_pixel(60, 40));
            }
        }
        let (status, part_headers, part) = get(&server, &path, Some(("range", "bytes=4-11"))).await;
        assert_eq!((status, part.as_slice()), (206, &file[4..12]), "{query}");
        assert_eq!(text(&part_headers["content-range"]), format!("bytes 4-11/{}", file.len()));
        let tag = text(&headers["etag"]).to_owned();
        assert_eq!(get(&server, &path, Some(("if-none-match", &tag))).await.0, 304, "{query}");
        assert_eq!(get(&server, &path, Some(("range", "bytes=99999999-"))).await.0, 416, "{query}");
        tags.push(tag);
    }
    assert_eq!(tags.remove(0), tags[0]);
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "each variant has its own");
}

#[actix_web::test]
async fn a_video_that_is_not_ready_or_a_variant_that_is_none_is_400() {
    let server = start().await;
    let slow = create(&server, json!({"prompt": "slow"})).await;
    for variant in ["video", "thumbnail", "spritesheet"] {
        let path = format!("{VIDEOS}/{}/content?variant={variant}", id(&slow));
        let (status, answer) = server.ask(Method::GET, &path, None).await;
        assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!("video_not_ready")), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("not ready yet (status: "), "{answer}");
    }
    let (status, answer) = server.ask(Method::GET, &format!("{VIDEOS}/{}/content?variant=gif", id(&slow)), None).await;
    assert_eq!((status.as_u16(), &answer["error"]["param"]), (400, &json!("variant")), "{answer}");
    assert_eq!(server.ask(Method::DELETE, &format!("{VIDEOS}/{}", id(&slow)), None).await.0.as_u16(), 200);
}
