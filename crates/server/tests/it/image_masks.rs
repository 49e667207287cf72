//! `POST /api/v1/images/generate-i2i` with a mask: what is repainted, what stays, and every fault.

use std::io::Cursor;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{fake::Running, task_client::start};

const FROM_IMAGE: &str = "/api/v1/images/generate-i2i";
/// What the fake model paints with seed 9.
const MADE: Rgb<u8> = Rgb([9, 1, 2]);

fn base64(image: impl Into<DynamicImage>) -> String {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, ImageFormat::Png).unwrap();
    BASE64_STANDARD.encode(file.into_inner())
}

fn given() -> RgbImage {
    RgbImage::from_fn(160, 80, |x, y| Rgb([x as u8, y as u8, 200]))
}

fn mask() -> GrayImage {
    GrayImage::from_fn(160, 80, |x, y| Luma([if (60..90).contains(&x) && (30..50).contains(&y) { 255 } else { 0 }]))
}

fn body(changes: Value) -> Value {
    let mut body = json!({
        "image": base64(given()), "mask": base64(mask()), "prompt": "a boat", "seed": 9, "width": 160, "height": 80, "strength": 1
    });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

async fn made(server: &Running, body: Value) -> (RgbImage, Value) {
    let (status, answer) = server.ask(Method::POST, FROM_IMAGE, Some(body)).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    let file = BASE64_STANDARD.decode(answer["image_b64"].as_str().unwrap()).unwrap();
    (image::load(Cursor::new(file), ImageFormat::Png).unwrap().into_rgb8(), answer)
}

#[actix_web::test]
async fn what_is_black_of_a_mask_is_there_again() {
    let (server, given, mask) = (start().await, given(), mask());
    for (changes, inverted, text) in [
        (json!({}), false, "Denoising strength: 1"),
        (json!({"mask_only": false, "mask_fill": "noise"}), false, "Masked content: latent noise"),
        (json!({"mask_only": true}), false, "Inpaint area: Only masked, Masked area padding: 32"),
        (
            json!({"mask_only": true, "mask_padding": 8, "mask_fill": "fill"}),
            false,
            "Masked content: fill, Inpaint area: Only masked, Masked area padding: 8",
        ),
        (json!({"mask_invert": true}), true, "Mask mode: Inpaint not masked"),
    ] {
        let (image, answer) = made(&server, body(changes.clone())).await;
        assert_eq!((image.dimensions(), &answer["width"], &answer["height"]), ((160, 80), &json!(160), &json!(80)), "{changes}");
        let parameters = answer["parameters"].as_str().unwrap();
        assert!(parameters.contains(text), "{changes}: {parameters}");
        for (x, y, pixel) in image.enumerate_pixels() {
            let is_made = (mask.get_pixel(x, y).0[0] == 255) != inverted;
            assert_eq!(pixel, if is_made { &MADE } else { given.get_pixel(x, y) }, "{x} {y} {changes}");
        }
    }
    // A mask of another size, by a data URL, with a blurred edge; the result has the size that the request asks for.
    let small = GrayImage::from_fn(16, 8, |x, _| Luma([if x >= 8 { 255 } else { 0 }]));
    let url = format!("data:image/png;base64,{}", base64(small));
    let (image, answer) = made(&server, body(json!({"mask": url, "mask_blur": 2, "width": 128, "height": 64}))).await;
    assert!(answer["parameters"].as_str().unwrap().contains("Mask blur: 2"), "{answer}");
    assert_eq!((image.dimensions(), image.get_pixel(127, 32)), ((128, 64), &MADE));
    assert_ne!(image.get_pixel(2, 32), &MADE);
}

#[actix_web::test]
async fn a_task_says_how_its_mask_was_applied() {
    let server = start().await;
    let (_, answer) = made(&server, body(json!({"mask_blur": 4, "mask_only": true, "mask_invert": false}))).await;
    let task = server.task(answer["task_id"].as_str().unwrap()).await;
    assert_eq!((&task["width"], &task["height"]), (&json!(160), &json!(80)));
    let again = &task["request"];
    assert_eq!((&again["path"], &again["needs"]), (&json!(FROM_IMAGE), &json!(["image", "mask"])));
    let expected = json!({
        "mask_blur": 4.0, "mask_fill": "original", "mask_only": true, "mask_padding": 32, "mask_invert": false, "strength": 1.0,
        "width": 160, "height": 80
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&again["body"][key], value, "{key}: {again}");
    }
    let mut same = again["body"].clone();
    same["image"] = json!(base64(given()));
    same["mask"] = json!(base64(mask()));
    let (_, once_more) = made(&server, same).await;
    assert_eq!(once_more["image_b64"], answer["image_b64"]);
    assert_eq!(&server.task(once_more["task_id"].as_str().unwrap()).await["request"], again);

    // The answer's address is a mask as well as a picture.
    let (_, answer) = made(&server, body(json!({"mask": answer["image_url"]}))).await;
    assert_eq!(answer["width"], 160);
}

#[actix_web::test]
async fn every_fault_of_a_mask_is_reported() {
    let server = start().await;
    for (changes, field, reason) in [
        (json!({"mask": "***"}), "mask", "the picture is no base64, no data URL"),
        (json!({"mask": "AAAA"}), "mask", "the picture is no PNG, JPEG or WebP"),
        (json!({"mask": 5}), "mask", "Input should be a valid string"),
        (json!({"mask": "http://127.0.0.1:1/mask.png"}), "mask", ""),
        (json!({"mask": base64(GrayImage::new(8, 8)), "mask_only": true}), "mask", "it is black everywhere"),
        (json!({"mask_blur": 65}), "mask_blur", "Input should be less than or equal to 64"),
        (json!({"mask_blur": "much"}), "mask_blur", "Input should be a valid number"),
        (json!({"mask_fill": "water"}), "mask_fill", "fill"),
        (json!({"mask_only": "perhaps"}), "mask_only", "Input should be a valid boolean"),
        (json!({"mask_padding": -1}), "mask_padding", "Input should be greater than or equal to 0"),
        (json!({"mask_padding": 257, "mask_only": true}), "mask_padding", "Input should be less than or equal to 256"),
        (json!({"mask_invert": 7}), "mask_invert", "Input should be a valid boolean"),
        (json!({"mask": null, "mask_blur": 1}), "mask_blur", "there is none (mask)"),
        (json!({"mask": " ", "mask_fill": "fill"}), "mask_fill", "there is none (mask)"),
        (json!({"mask": null, "mask_only": true}), "mask_only", "there is none (mask)"),
        (json!({"mask": null, "mask_padding": 1}), "mask_padding", "there is none (mask)"),
        (json!({"mask": null, "mask_invert": true}), "mask_invert", "there is none (mask)"),
        (json!({"image": null}), "image", "Input should be a valid string"),
    ] {
        let (status, answer) = server.ask(Method::POST, FROM_IMAGE, Some(body(changes.clone()))).await;
        assert_eq!(status.as_u16(), 422, "{changes}: {answer}");
        let faults = answer["detail"].as_array().unwrap();
        assert_eq!((faults.len(), &faults[0]["loc"]), (1, &json!(["body", field])), "{changes}: {answer}");
        assert!(faults[0]["msg"].as_str().unwrap().contains(reason), "{changes}: {answer}");
    }
    // Without a picture a mask means nothing, and is named as ignored.
    let (status, answer) = server.ask(Method::POST, "/api/v1/images/generate", Some(body(json!({"width": 64, "height": 64})))).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    let ignored: Vec<&str> = answer["ignored_fields"].as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
    assert!(ignored.contains(&"mask") && ignored.contains(&"image"), "{answer}");
    assert_eq!(server.jobs.active(), 0);
}
