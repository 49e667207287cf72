//! AUTOMATIC1111's API: second passes, pictures that are repainted, masks, and resizing.

use std::io::Cursor;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use serde_json::{Value, json};

use crate::{
    a1111::{TXT2IMG, made, post, refused},
    task_client::{png, start},
};

const IMG2IMG: &str = "/sdapi/v1/img2img";

fn base64(image: impl Into<DynamicImage>) -> String {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, ImageFormat::Png).unwrap();
    BASE64_STANDARD.encode(file.into_inner())
}

#[actix_web::test]
async fn a_second_pass_enlarges_the_picture() {
    let server = start().await;
    for (changes, size, text) in [
        (json!({}), (128, 144), "Denoising strength: 0.75, Hires upscale: 2, Hires upscaler: Latent"),
        (
            json!({"hr_scale": 1.5, "hr_upscaler": "Lanczos", "denoising_strength": 0.5}),
            (96, 104),
            "Denoising strength: 0.5, Hires upscale: 1.5, Hires upscaler: Lanczos",
        ),
        (
            json!({"hr_resize_x": 100, "hr_resize_y": 200, "hr_steps": 7}),
            (96, 200),
            "Hires resize: 96x200, Hires steps: 7, Hires upscaler: Latent",
        ),
        (
            json!({"hr_second_pass_steps": 9, "hr_steps": 7, "hr_prompt": "a ship"}),
            (128, 144),
            "Hires steps: 9, Hires upscaler: Latent, Hires prompt: a ship",
        ),
    ] {
        let mut body = json!({"prompt": "a boat", "enable_hr": true, "steps": 4, "seed": 1});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (images, info, _) = made(&server, TXT2IMG, body).await;
        assert_eq!((images[0].width(), images[0].height()), size, "{changes}");
        assert!(info["infotexts"][0].as_str().unwrap().contains(text), "{changes}: {info}");
        assert!(info["extra_generation_params"]["Hires upscaler"].is_string());
    }
}

#[actix_web::test]
async fn a_picture_is_repainted_and_its_steps_are_counted() {
    let server = start().await;
    let picture = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png()));
    for (changes, text) in [
        (json!({}), "Steps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 1, Size: 64x72, Model: fake, Denoising strength: 0.75"),
        (
            json!({"denoising_strength": 0.01}),
            "Steps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 1, Size: 64x72, Model: fake, Denoising strength: 0.05",
        ),
        (json!({"denoising_strength": 0.5, "override_settings": {"img2img_fix_steps": true}}), "Steps: 40,"),
        (json!({"resize_mode": 1}), "Resize mode: Crop and resize"),
        (json!({"resize_mode": 3}), "Resize mode: Just resize (latent upscale)"),
    ] {
        let mut body = json!({"init_images": [picture], "prompt": "a boat", "steps": 20, "seed": 1, "width": 64, "height": 72});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (images, info, answer) = made(&server, IMG2IMG, body).await;
        assert_eq!((images[0].width(), images[0].height()), (64, 72));
        assert!(info["infotexts"][0].as_str().unwrap().contains(text), "{changes}: {info}");
        assert_eq!((&answer["parameters"]["init_images"], &answer["parameters"]["mask"]), (&Value::Null, &Value::Null));
    }
    let (_, _, answer) = made(&server, IMG2IMG, json!({"init_images": [picture], "include_init_images": true})).await;
    assert_eq!(answer["parameters"]["init_images"][0], picture);
    for (body, expected) in [
        (json!({"prompt": "a"}), "init_images: Field required"),
        (json!({"init_images": []}), "init_images: Field required"),
        (json!({"init_images": [picture, picture]}), "init_images: this server starts from one picture: send one"),
        (json!({"init_images": ["***"]}), "init_images: the picture is no base64"),
        (json!({"init_images": [picture], "mask": "AAAA"}), "mask: the picture is no PNG, JPEG or WebP"),
        (json!({"init_images": [picture], "inpainting_fill": 4}), "inpainting_fill: Input should be less than or equal to 3"),
        (json!({"init_images": [picture], "mask": base64(GrayImage::new(48, 32))}), "mask: it is black everywhere"),
        (json!({"init_images": [picture], "image_cfg_scale": 2}), "image_cfg_scale: no model of this server is guided by its picture"),
    ] {
        let (status, sentence) = refused(&server, IMG2IMG, body).await;
        assert!(status == 422 && sentence.contains(expected), "{expected}: {status} {sentence}");
    }
}

#[actix_web::test]
async fn what_a_mask_keeps_is_there_again() {
    let server = start().await;
    let given = RgbImage::from_fn(160, 80, |x, y| Rgb([x as u8, y as u8, 200]));
    let mask = GrayImage::from_fn(160, 80, |x, y| Luma([if (60..90).contains(&x) && (30..50).contains(&y) { 255 } else { 0 }]));
    let body = |changes: Value| {
        let mut body = json!({
            "init_images": [base64(given.clone())], "mask": base64(mask.clone()), "prompt": "a", "seed": 9, "width": 64, "height": 64,
            "mask_blur": 0, "inpaint_full_res_padding": 8,
        });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    let (images, info, _) = made(&server, IMG2IMG, body(json!({"inpaint_full_res": true}))).await;
    let image = images[0].to_rgb8();
    assert_eq!(image.dimensions(), (160, 80), "the picture keeps its size");
    for (x, y, pixel) in image.enumerate_pixels() {
        let expected = if mask.get_pixel(x, y).0[0] == 255 { &Rgb([9, 1, 2]) } else { given.get_pixel(x, y) };
        assert_eq!(pixel, expected, "{x} {y}");
    }
    let text = info["infotexts"][0].as_str().unwrap();
    assert!(text.contains("Masked content: fill, Inpaint area: Only masked, Masked area padding: 8"), "{text}");
    let (images, info, _) =
        made(&server, IMG2IMG, body(json!({"inpaint_full_res": false, "inpainting_fill": 2, "inpainting_mask_invert": 1, "mask_blur": 4})))
            .await;
    let image = images[0].to_rgb8();
    assert_eq!((image.dimensions(), image.get_pixel(1, 1)), ((64, 64), &Rgb([9, 1, 2])), "inverted");
    assert_ne!(image.get_pixel(30, 32), &Rgb([9, 1, 2]));
    let text = info["infotexts"][0].as_str().unwrap();
    assert!(text.contains("Mask blur: 4, Mask mode: Inpaint not masked, Masked content: latent noise"), "{text}");
}

#[actix_web::test]
async fn pictures_are_resized_without_a_model() {
    let server = start().await;
    let picture = base64(RgbImage::from_fn(20, 10, |x, _| Rgb([if x < 10 { 0 } else { 255 }; 3])));
    let size = |answer: &Value| {
        let file = BASE64_STANDARD.decode(answer.as_str().unwrap()).unwrap();
        let image = image::load_from_memory(&file).unwrap();
        (image.width(), image.height())
    };
    for (changes, expected) in [
        (json!({"upscaler_1": "Lanczos"}), (40, 20)),
        (json!({"upscaler_1": "Nearest", "upscaling_resize": 1.5}), (30, 15)),
        (json!({"upscaler_1": "None"}), (20, 10)),
        (json!({"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 64, "upscaling_resize_h": 64}), (64, 64)),
        (
            json!({"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 64, "upscaling_resize_h": 64, "upscaling_crop": false}),
            (64, 32),
        ),
        (json!({"upscaler_1": "Nearest", "upscaler_2": "Lanczos", "extras_upscaler_2_visibility": 0.5}), (40, 20)),
    ] {
        let mut body = json!({"image": picture, "gfpgan_visibility": 0, "codeformer_weight": 0, "show_extras_results": true});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (status, answer) = post(&server, "/sdapi/v1/extra-single-image", body).await;
        assert_eq!((status, size(&answer["image"])), (200, expected), "{changes}");
    }
    let list = json!({"imageList": [{"name": "a", "data": picture}, {"data": picture}], "upscaler_1": "Lanczos"});
    let (status, answer) = post(&server, "/sdapi/v1/extra-batch-images", list).await;
    assert_eq!((status, answer["images"].as_array().unwrap().iter().map(size).collect::<Vec<_>>()), (200, vec![(40, 20); 2]));
    for (body, expected) in [
        (json!({"image": picture, "upscaler_1": "R-ESRGAN 4x+"}), "upscaler_1: there is no upscaler \"R-ESRGAN 4x+\""),
        (json!({"image": picture, "upscaler_1": "Latent"}), "upscaler_1: it enlarges latents"),
        (json!({"image": picture, "gfpgan_visibility": 1}), "gfpgan_visibility: this server restores no faces"),
        (json!({"upscaler_1": "Lanczos"}), "image: Field required"),
        (
            json!({"image": base64(RgbImage::new(4096, 8)), "upscaler_1": "Lanczos", "upscaling_resize": 5}),
            "a side of a resized picture has at most 16384",
        ),
        (
            json!({"image": base64(RgbImage::new(1100, 1000)), "upscaler_1": "Lanczos", "upscaling_resize": 8}),
            "the answer would have 70400000 pixels in all, and 67108864 are the limit",
        ),
    ] {
        let (status, sentence) = refused(&server, "/sdapi/v1/extra-single-image", body).await;
        assert!(status == 422 && sentence.contains(expected), "{expected}: {sentence}");
    }
    let (status, sentence) = refused(&server, "/sdapi/v1/extra-batch-images", json!({"imageList": []})).await;
    assert!(status == 422 && sentence.starts_with("imageList: Input should be a list"), "{sentence}");
}
