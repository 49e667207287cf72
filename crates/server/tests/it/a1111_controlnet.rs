//! The web UI's extension for ControlNets: units in txt2img and img2img, its lists, and control images.

use actix_web::{http::StatusCode, test::TestRequest};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

use crate::{
    fake::{Answer, Engine, ask_engine},
    models::with_adapters,
};

/// A white square in the middle of black, base64 of its PNG.
fn square() -> String {
    let image = RgbImage::from_fn(64, 64, |x, y| if (16..48).contains(&x) && (16..48).contains(&y) { Rgb([255; 3]) } else { Rgb([0; 3]) });
    BASE64_STANDARD.encode(generation::png::encode_fast(&image).unwrap())
}

async fn ask(engine: &Engine, path: &str, body: Value) -> Answer {
    let request = TestRequest::post().uri(path).insert_header(("content-type", "application/json")).set_payload(body.to_string());
    ask_engine(engine.clone(), request).await
}

async fn get(engine: &Engine, path: &str) -> Value {
    let answer = ask_engine(engine.clone(), TestRequest::get().uri(path)).await;
    assert_eq!(answer.status, StatusCode::OK.as_u16(), "{path}: {answer:?}");
    answer.json()
}

fn with_units(units: Value) -> Value {
    json!({"prompt": "a boat", "steps": 4, "width": 64, "height": 64, "seed": 1, "alwayson_scripts": {"ControlNet": {"args": units}}})
}

#[tokio::test]
async fn units_become_controlnets() {
    let folder = tempfile::tempdir().unwrap();
    let engine = with_adapters(folder.path()).await;
    // As webuiapi sends it, as the extension's own documentation shows it, and with a picture and its mask as an object.
    let full = json!({
        "image": square(), "mask": null, "module": "canny", "model": "canny [d14c016b]", "weight": 0.75, "resize_mode": "Resize and Fill",
        "low_vram": false, "processor_res": 512, "threshold_a": 64, "threshold_b": 64, "guidance_start": 0.25, "guidance_end": 1.0,
        "control_mode": "ControlNet is more important", "pixel_perfect": false, "hr_option": "Both", "enabled": true,
    });
    let off = json!({"enabled": false, "model": "there is none"});
    let short = json!({"input_image": square(), "model": "canny", "control_mode": 2, "hr_option": "HiResFixOption.BOTH"});
    let object = json!({"image": {"image": square(), "mask": null}, "model": "canny", "guessmode": true, "threshold_a": -1});
    let answer = ask(&engine, "/sdapi/v1/txt2img", with_units(json!([full, off, {"weight": 1}, short, object, null]))).await;
    // A unit without a model.
    assert_eq!(answer.status, 422, "{answer:?}");
    let answer = ask(&engine, "/sdapi/v1/txt2img", with_units(json!([full, off, short, object, null]))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let info: Value = serde_json::from_str(answer["info"].as_str().unwrap()).unwrap();
    let text = info["infotexts"][0].as_str().unwrap();
    assert!(text.contains("ControlNet 0: \"Module: canny, Model: canny") && text.contains("ControlNet 2: "), "{text}");
    assert!(text.contains("Control Mode: ControlNet is more important") && text.contains("Weight: 0.75"), "{text}");
    assert!(info["remarks"].to_string().contains("processor_res has no effect"), "{info}");
    let echoed = &answer["parameters"]["alwayson_scripts"]["ControlNet"]["args"];
    assert_eq!((&echoed[0]["image"], &echoed[0]["weight"], &echoed[2]["input_image"]), (&json!(null), &json!(0.75), &json!(null)));

    // img2img's own picture, if the unit has none; the extension's name in lower case; an unknown field.
    let unit = json!({"model": "canny", "module": "Canny", "pixel_perfect": true, "strength": 0.5});
    let body = json!({
        "prompt": "a boat", "init_images": [square()], "width": 64, "height": 64, "alwayson_scripts": {"controlnet": {"args": [unit]}},
    });
    let answer = ask(&engine, "/sdapi/v1/img2img", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let info: Value = serde_json::from_str(answer.json()["info"].as_str().unwrap()).unwrap();
    assert!(info["ignored_fields"].to_string().contains("alwayson_scripts.controlnet.args.0.strength"), "{info}");
    assert!(!info["remarks"].to_string().contains("processor_res"), "{info}");
}

#[tokio::test]
async fn what_a_unit_cannot_do_is_refused_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let engine = with_adapters(folder.path()).await;
    let unit = |changes: Value| {
        let mut unit = json!({"image": square(), "model": "canny"});
        unit.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        unit
    };
    for (units, place) in [
        (json!([unit(json!({"model": "pen"}))]), "0.model: "),
        (json!([unit(json!({"model": "None"}))]), "0.model: "),
        (json!([false, unit(json!({"weight": 9}))]), "1.weight: "),
        (json!([unit(json!({"module": "depth_midas"}))]), "0.module: this server finds edges only"),
        (json!([unit(json!({"image": ""}))]), "0.image: "),
        (json!([unit(json!({"image": "AAAA"}))]), "0.image: "),
        (json!([unit(json!({"image": [1]}))]), "0.image: Input should be a picture"),
        (json!([unit(json!({"mask": "AAAA"}))]), "0.mask: a ControlNet acts on the whole picture here"),
        (json!([unit(json!({"image": {"image": square(), "mask": square()}}))]), "0.image: a ControlNet acts on the whole picture"),
        (json!([unit(json!({"resize_mode": 3}))]), "0.resize_mode: it is 0, 1 or 2"),
        (json!([unit(json!({"control_mode": "My prompt is more important"}))]), "0.control_mode: no ControlNet yields to the prompt"),
        (json!([unit(json!({})), unit(json!({"control_mode": 2}))]), "1.control_mode: all units act alike here"),
        (json!([unit(json!({"hr_option": "Low res only"}))]), "0.hr_option: a ControlNet acts in both passes here"),
        (json!([unit(json!({"guidance_start": 0.9, "guidance_end": 0.9}))]), "0.guidance_"),
        (json!([unit(json!({"module": "canny", "threshold_a": 5000}))]), "0.threshold_a"),
        (json!(["canny"]), "0: Input should be a list of objects"),
        (json!("canny"), ": Input should be a list of objects"),
    ] {
        let answer = ask(&engine, "/sdapi/v1/txt2img", with_units(units.clone())).await;
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        let expected = match place.strip_prefix(": ") {
            Some(reason) => format!("alwayson_scripts.ControlNet.args: {reason}"),
            None => format!("alwayson_scripts.ControlNet.args.{place}"),
        };
        assert!(answer.status == 422 && detail.contains(&expected), "{units}: {expected}: {answer:?}");
    }
    for (scripts, expected) in [
        (json!({"ADetailer": {"args": [true, {}]}}), "alwayson_scripts.ADetailer: this server has no such extension"),
        (json!([1]), "alwayson_scripts: "),
    ] {
        let answer = ask(&engine, "/sdapi/v1/txt2img", json!({"prompt": "a boat", "alwayson_scripts": scripts})).await;
        assert!(answer.status == 422 && answer.json()["detail"].as_str().unwrap().contains(expected), "{expected}: {answer:?}");
    }
    for idle in [
        json!({"ADetailer": {"args": [false]}, "ControlNet": {"args": []}, "x": null}),
        json!({"ControlNet": {"args": [{"enabled": false}]}}),
    ] {
        let answer = ask(&engine, "/sdapi/v1/txt2img", json!({"prompt": "a boat", "steps": 2, "alwayson_scripts": idle})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let body = json!({
        "prompt": "a boat", "init_images": [square()], "mask": square(), "width": 64, "height": 64,
        "alwayson_scripts": {"ControlNet": {"args": [unit(json!({}))]}},
    });
    let answer = ask(&engine, "/sdapi/v1/img2img", body).await;
    assert!(answer.status == 422 && answer.json()["detail"].as_str().unwrap().starts_with("inpaint_full_res: "), "{answer:?}");
}

#[tokio::test]
async fn the_extension_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let engine = with_adapters(folder.path()).await;
    assert_eq!(get(&engine, "/controlnet/version").await, json!({"version": 3}));
    assert_eq!(get(&engine, "/controlnet/settings").await, json!({"control_net_unit_count": 4}));
    assert_eq!(get(&engine, "/controlnet/model_list?update=true").await, json!({"model_list": ["canny"]}));
    let modules = get(&engine, "/controlnet/module_list?alias_names=false").await;
    assert_eq!(modules["module_list"], json!(["none", "canny"]));
    assert_eq!(
        modules["module_detail"]["canny"]["sliders"][1],
        json!({"name": "Canny Low Threshold", "value": 100.0, "min": 0.0, "max": 2040.0})
    );
}

#[tokio::test]
async fn edges_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let engine = with_adapters(folder.path()).await;
    for name in ["controlnet_input_images", "controlnet_images"] {
        let body =
            json!({"controlnet_module": "canny", name: [square(), square()], "controlnet_threshold_a": 64, "controlnet_threshold_b": 64});
        let answer = ask(&engine, "/controlnet/detect", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        assert_eq!((answer["images"].as_array().unwrap().len(), &answer["info"]), (2, &json!("Success")));
        let edges = image::load_from_memory(&BASE64_STANDARD.decode(answer["images"][0].as_str().unwrap()).unwrap()).unwrap().to_rgb8();
        let white = edges.pixels().filter(|pixel| pixel.0 == [255; 3]).count();
        assert!(edges.dimensions() == (64, 64) && (100..260).contains(&white), "{white} pixels of edges");
    }
    for (body, expected) in [
        (json!({"controlnet_module": "depth", "controlnet_input_images": [square()]}), "controlnet_module: this server finds edges only"),
        (json!({"controlnet_module": "canny"}), "controlnet_input_images: it holds no picture"),
        (json!({"controlnet_module": "canny", "controlnet_input_images": ["AAAA"]}), "controlnet_input_images: "),
        (json!({"controlnet_module": "canny", "controlnet_input_images": [1]}), "controlnet_input_images.0: Input should be a list"),
        (
            json!({"controlnet_module": "canny", "controlnet_input_images": [square()], "controlnet_threshold_a": 5000}),
            "controlnet_threshold_a: ",
        ),
    ] {
        let answer = ask(&engine, "/controlnet/detect", body).await;
        assert!(answer.status == 422 && answer.json()["detail"].as_str().unwrap().starts_with(expected), "{expected}: {answer:?}");
    }
}
