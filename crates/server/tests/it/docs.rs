//! The documentation: it lists every route, its bounds are those that are checked, and it needs no network.

use actix_web::{http::StatusCode, test::TestRequest};
use diffusion_core::schedulers::SchedulerName;
use generation::Limits;
use serde_json::{Value, json};

use crate::fake::{ask, post, post_to};

async fn get(path: &str) -> crate::fake::Answer {
    ask(TestRequest::get().uri(path)).await
}

#[actix_web::test]
async fn the_documentation_lists_the_routes_and_their_answers() {
    let api = get("/openapi.json").await.json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = api["paths"].as_object().unwrap();
    let expected = [
        "/",
        "/animate",
        "/api/v1/bundle",
        "/api/v1/events",
        "/api/v1/i2v",
        "/api/v1/images/generate",
        "/api/v1/images/generate-i2i",
        "/api/v1/images/services",
        "/api/v1/machine",
        "/api/v1/tasks",
        "/api/v1/tasks/{id}",
        "/api/v1/tasks/{id}/events",
        "/api/v1/tasks/{id}/thumbnail",
        "/api/v1/usage",
        "/api/v1/videos/generate",
        "/api/v1/videos/{id}",
        "/controlnet/detect",
        "/controlnet/model_list",
        "/controlnet/module_list",
        "/controlnet/settings",
        "/controlnet/version",
        "/files/{job}/{name}",
        "/generate",
        "/generate-video",
        "/generate-video/info",
        "/generation/{id}",
        "/generations",
        "/health",
        "/metrics",
        "/models",
        "/models/{name}/load",
        "/models/{name}/unload",
        "/ready",
        "/sdapi/v1/cmd-flags",
        "/sdapi/v1/embeddings",
        "/sdapi/v1/extensions",
        "/sdapi/v1/extra-batch-images",
        "/sdapi/v1/extra-single-image",
        "/sdapi/v1/face-restorers",
        "/sdapi/v1/hypernetworks",
        "/sdapi/v1/img2img",
        "/sdapi/v1/interrogate",
        "/sdapi/v1/interrupt",
        "/sdapi/v1/latent-upscale-modes",
        "/sdapi/v1/loras",
        "/sdapi/v1/memory",
        "/sdapi/v1/options",
        "/sdapi/v1/png-info",
        "/sdapi/v1/progress",
        "/sdapi/v1/prompt-styles",
        "/sdapi/v1/realesrgan-models",
        "/sdapi/v1/refresh-checkpoints",
        "/sdapi/v1/refresh-embeddings",
        "/sdapi/v1/refresh-loras",
        "/sdapi/v1/refresh-vae",
        "/sdapi/v1/reload-checkpoint",
        "/sdapi/v1/samplers",
        "/sdapi/v1/schedulers",
        "/sdapi/v1/script-info",
        "/sdapi/v1/scripts",
        "/sdapi/v1/sd-models",
        "/sdapi/v1/sd-vae",
        "/sdapi/v1/skip",
        "/sdapi/v1/txt2img",
        "/sdapi/v1/unload-checkpoint",
        "/sdapi/v1/upscalers",
        "/upload-character",
        "/uploads/{name}",
        "/v1/images/edits",
        "/v1/images/generations",
        "/v1/images/upscale",
        "/v1/images/variations",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/videos",
        "/v1/videos/characters",
        "/v1/videos/characters/{id}",
        "/v1/videos/edits",
        "/v1/videos/extensions",
        "/v1/videos/{id}",
        "/v1/videos/{id}/content",
        "/v1/videos/{id}/remix",
        "/video-status",
        "/videos/{name}",
    ];
    assert_eq!(paths.keys().collect::<Vec<_>>(), expected);
    let answers = paths["/generate"]["post"]["responses"].as_object().unwrap();
    let statuses = ["200", "400", "401", "403", "404", "408", "410", "413", "415", "421", "422", "429", "500", "503"];
    assert_eq!(answers.keys().collect::<Vec<_>>(), statuses);
    let of_health = paths["/health"]["get"]["responses"].as_object().unwrap();
    assert_eq!(of_health.keys().collect::<Vec<_>>(), ["200", "400", "403", "421"], "open paths document no answers about keys");
    assert!(answers["200"]["content"].get("image/png").is_some() && answers["200"]["content"].get("application/json").is_some());
    let headers = answers["200"]["headers"].as_object().unwrap();
    assert_eq!(
        headers.keys().collect::<Vec<_>>(),
        ["Content-Disposition", "Idempotent-Replayed", "X-Ignored-Fields", "X-Prompt-Truncated", "X-Remarks", "X-Seed"]
    );
}

#[actix_web::test]
async fn failures_of_the_disk_or_the_store_are_documented_as_503_with_retry_after() {
    let api = get("/openapi.json").await.json();
    // Routes without a store; and routes that run jobs, which may fail for other reasons.
    let without_store = [
        "/",
        "/health",
        "/metrics",
        "/generate-video/info",
        "/api/v1/images/services",
        "/models",
        "/models/{name}/unload",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/videos/characters",
        "/v1/videos/characters/{id}",
        "/v1/videos/edits",
        "/v1/videos/extensions",
        "/controlnet/model_list",
        "/controlnet/module_list",
        "/controlnet/settings",
        "/controlnet/version",
        "/sdapi/v1/cmd-flags",
        "/sdapi/v1/embeddings",
        "/sdapi/v1/extensions",
        "/sdapi/v1/face-restorers",
        "/sdapi/v1/hypernetworks",
        "/sdapi/v1/interrogate",
        "/sdapi/v1/latent-upscale-modes",
        "/sdapi/v1/loras",
        "/sdapi/v1/memory",
        "/sdapi/v1/options",
        "/sdapi/v1/progress",
        "/sdapi/v1/prompt-styles",
        "/sdapi/v1/realesrgan-models",
        "/sdapi/v1/refresh-checkpoints",
        "/sdapi/v1/refresh-embeddings",
        "/sdapi/v1/refresh-loras",
        "/sdapi/v1/refresh-vae",
        "/sdapi/v1/samplers",
        "/sdapi/v1/schedulers",
        "/sdapi/v1/script-info",
        "/sdapi/v1/scripts",
        "/sdapi/v1/sd-models",
        "/sdapi/v1/sd-vae",
        "/sdapi/v1/unload-checkpoint",
        "/sdapi/v1/upscalers",
    ];
    let may_fail = [
        "/metrics",
        "/generate",
        "/generate-video",
        "/animate",
        "/api/v1/images/generate",
        "/api/v1/images/generate-i2i",
        "/v1/images/edits",
        "/v1/images/generations",
        "/v1/images/upscale",
        "/v1/images/variations",
        "/v1/videos/{id}/content",
        "/sdapi/v1/img2img",
        "/sdapi/v1/txt2img",
    ];
    for (path, operations) in api["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let answers = operation["responses"].as_object().unwrap();
            assert_eq!(answers.contains_key("500"), may_fail.contains(&path.as_str()), "{method} {path}");
            let unavailable = answers.get("503");
            assert_eq!(unavailable.is_none(), without_store.contains(&path.as_str()), "{method} {path}");
            // A lost device has no `Retry-After`.
            if let Some(unavailable) =
                unavailable.filter(|_| !["/models/{name}/load", "/sdapi/v1/reload-checkpoint"].contains(&path.as_str()))
            {
                assert_eq!(unavailable["headers"]["Retry-After"]["schema"]["type"], "integer", "{method} {path}");
            }
        }
    }
}

/// Every route whose body has a `model` answers an unknown one, and documents that answer.
#[actix_web::test]
async fn an_unknown_model_is_documented_where_a_body_names_one() {
    let api = get("/openapi.json").await.json();
    let schemas = &api["components"]["schemas"];
    let schema = |reference: &Value| &schemas[reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap()];
    let mut paths = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        let body = &item["post"]["requestBody"]["content"]["application/json"]["schema"];
        if body.is_null() {
            continue;
        }
        let body = schema(body);
        let shapes = body["oneOf"].as_array().map_or_else(|| vec![body], |shapes| shapes.iter().map(schema).collect());
        for shape in shapes.into_iter().filter(|shape| shape["properties"]["model"].is_object()) {
            let mut request = shape["example"].clone();
            request["model"] = json!("not-there");
            let request = post_to(path, request.to_string()).insert_header(("x-request-id", "a-name"));
            let answer = ask(request).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert!(item["post"]["responses"]["404"].is_object(), "{path}");
            paths.push(path.as_str());
        }
    }
    paths.dedup();
    assert_eq!(
        paths,
        [
            "/animate",
            "/api/v1/i2v",
            "/api/v1/images/generate",
            "/api/v1/images/generate-i2i",
            "/api/v1/videos/generate",
            "/generate",
            "/generate-video",
            "/generate-video/info",
            "/v1/images/edits",
            "/v1/images/generations",
            "/v1/images/upscale",
            "/v1/images/variations",
            "/v1/videos",
        ]
    );
}

#[actix_web::test]
async fn bodies_of_several_shapes_are_documented() {
    let schemas = get("/openapi.json").await.json()["components"]["schemas"].take();
    let reference = |name: &str| Value::from(format!("#/components/schemas/{name}"));
    let shapes: Vec<_> = schemas["AnyVideoRequest"]["oneOf"].as_array().unwrap().iter().map(|shape| &shape["$ref"]).collect();
    assert_eq!(shapes, ["GenerateVideoRequest", "CharacterToVideoRequest", "TextToVideoRequest"].map(reference).iter().collect::<Vec<_>>());
    assert_eq!(
        (&schemas["Scene"]["oneOf"][0]["type"], &schemas["Scene"]["oneOf"][1]["$ref"]),
        (&json!("string"), &reference("SceneObject"))
    );
    assert_eq!(schemas["VideoJob"]["oneOf"][0]["$ref"], reference("Generation"));
}

#[actix_web::test]
async fn the_documentation_says_how_a_key_is_sent() {
    let api = get("/openapi.json").await.json();
    let scheme = &api["components"]["securitySchemes"]["key"];
    assert_eq!((&scheme["type"], &scheme["scheme"]), (&json!("http"), &json!("bearer")));
    assert_eq!(api["security"], json!([{}, {"key": []}]));
}

#[actix_web::test]
async fn the_documented_bounds_of_videos_are_the_ones_that_are_checked() {
    let api = get("/openapi.json").await.json();
    let bound = |schema: &str, field: &str, name: &str| {
        let found = &api["components"]["schemas"][schema]["properties"][field];
        found[name].as_f64().unwrap_or_else(|| panic!("{schema} {field} {name}: {found}"))
    };
    let limits = Limits::DEFAULT;
    let video = &limits.video;
    for (schema, field, name, expected) in [
        ("GenerateVideoRequest", "scenes", "minItems", 2.0),
        ("GenerateVideoRequest", "scenes", "maxItems", video.max_scenes as f64),
        ("GenerateVideoRequest", "hero_description", "maxLength", limits.max_prompt_chars as f64),
        ("GenerateVideoRequest", "num_inference_steps", "maximum", limits.steps.1.into()),
        ("GenerateVideoRequest", "duration_per_scene", "maximum", video.scene_seconds.1),
        ("GenerateVideoRequest", "width", "minimum", video.side.0.into()),
        ("GenerateVideoRequest", "width", "maximum", video.side.1.into()),
        ("GenerateVideoRequest", "height", "minimum", video.side.0.into()),
        ("GenerateVideoRequest", "height", "maximum", video.side.1.into()),
        ("GenerateVideoRequest", "transition_frames", "maximum", video.transition_frames.1.into()),
        ("GenerateVideoRequest", "guidance_scale", "maximum", limits.guidance_scale.1),
        ("GenerateVideoRequest", "seed", "maximum", limits.max_seed as f64),
        ("SceneObject", "duration", "maximum", video.scene_seconds.1),
        ("SceneObject", "transition_frames", "maximum", video.transition_frames.1.into()),
        ("Motion", "num_frames", "maximum", video.num_frames.1.into()),
        ("Motion", "num_inference_steps", "maximum", limits.steps.1.into()),
        ("Motion", "conditioning_fps", "maximum", video.conditioning_fps.1.into()),
        ("Motion", "motion_bucket_id", "maximum", video.motion_bucket_id.1.into()),
        ("Motion", "noise_aug_strength", "maximum", video.noise_aug_strength.1),
        ("Motion", "min_guidance_scale", "maximum", limits.guidance_scale.1),
        ("Motion", "max_guidance_scale", "maximum", limits.guidance_scale.1),
        ("Motion", "decode_chunk_size", "maximum", video.decode_chunk_size.1.into()),
    ] {
        assert_eq!(bound(schema, field, name), expected, "{schema} {field} {name}");
    }
}

/// Generated clients name their methods by these.
#[actix_web::test]
async fn every_operation_has_a_name_of_its_own() {
    let api = get("/openapi.json").await.json();
    let operations = api["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
    for name in ["list_tasks", "show_task", "cancel_task", "follow_tasks", "create_image_task", "create_video_task", "list_models"] {
        assert!(names.contains(&name), "{name}");
    }
}

#[actix_web::test]
async fn every_reference_resolves() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        if let Some(object) = value.as_object() {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|value| walk(value, found));
        }
        value.as_array().into_iter().flatten().for_each(|value| walk(value, found));
    }
    let api = get("/openapi.json").await.json();
    let mut references = Vec::new();
    walk(&api, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        assert!(api.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
}

#[actix_web::test]
async fn the_documented_bounds_are_the_ones_that_are_checked() {
    let api = get("/openapi.json").await.json();
    let schema = &api["components"]["schemas"]["GenerateRequest"];
    assert_eq!(schema["required"], json!(["prompt"]));
    let bounds = |field: &str, names: &[&str]| -> Vec<f64> {
        names.iter().map(|name| schema["properties"][field][name].as_f64().unwrap_or_else(|| panic!("{field} {name}: {schema}"))).collect()
    };
    let limits = Limits::DEFAULT;
    let chars = limits.max_prompt_chars as f64;
    assert_eq!(bounds("prompt", &["minLength", "maxLength"]), [1.0, chars]);
    assert_eq!(bounds("negative_prompt", &["maxLength"]), [chars]);
    assert_eq!(bounds("num_inference_steps", &["minimum", "maximum", "default"]), [1.0, f64::from(limits.steps.1), 25.0]);
    assert_eq!(bounds("guidance_scale", &["minimum", "maximum", "default"]), [0.0, limits.guidance_scale.1, 7.5]);
    assert_eq!(bounds("seed", &["minimum", "maximum"]), [-1.0, limits.max_seed as f64], "-1 is drawn at random");
    assert_eq!(bounds("eta", &["minimum", "maximum"]), [0.0, 1.0]);
    for side in ["width", "height"] {
        let expected = [f64::from(limits.side.0), f64::from(limits.side.1), 8.0];
        assert_eq!(bounds(side, &["minimum", "maximum", "multipleOf"]), expected);
        let sentence = schema["properties"][side]["description"].as_str().unwrap();
        assert!(sentence.contains(&limits.max_pixels.to_string()), "{sentence}");
    }
}

#[actix_web::test]
async fn the_documented_schedulers_are_the_known_ones() {
    let api = get("/openapi.json").await.json();
    let names = api["components"]["schemas"]["GenerateRequest"]["properties"]["scheduler"]["enum"].as_array().unwrap();
    let (null, names) = names.split_last().unwrap();
    assert!(null.is_null());
    assert_eq!(names.len(), SchedulerName::all().len());
    for name in names {
        let body = json!({"prompt": "a boat", "scheduler": name});
        assert_eq!(ask(post(body.to_string())).await.status, StatusCode::OK, "{name}");
    }
}

#[actix_web::test]
async fn every_documented_example_is_accepted_unchanged() {
    let api = get("/openapi.json").await.json();
    let schemas = &api["components"]["schemas"];
    let mut tried = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        let Some(schema) = item["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() else { continue };
        if path == "/v1/videos/{id}/remix" {
            // It needs a finished video: the tests of OpenAI's videos try its example.
            continue;
        }
        if path == "/v1/images/upscale" {
            // It needs an upscaler of the operator's: the tests of enlargements try such requests.
            continue;
        }
        let body = &schemas[schema.rsplit('/').next().unwrap()];
        // Of several shapes, the page shows the first; all are documented.
        let shapes: Vec<&Value> = match body["oneOf"].as_array() {
            Some(shapes) => shapes.iter().map(|shape| &schemas[shape["$ref"].as_str().unwrap().rsplit('/').next().unwrap()]).collect(),
            None => vec![body],
        };
        for shape in shapes {
            // Free objects have a list, as OpenAPI 3.1 prefers.
            let example = shape.get("example").unwrap_or(&shape["examples"][0]);
            assert!(example.is_object(), "{path}: without an example of the whole, the page builds one from the fields");
            let mut request = post_to(path, example.to_string());
            for parameter in item["post"]["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] == "header" && parameter["required"] == true {
                    request = request.insert_header((parameter["name"].as_str().unwrap(), "a-name"));
                }
            }
            let answer = ask(request).await;
            assert!(answer.status.is_success(), "{path} {example}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
            assert_eq!(answer.header("x-ignored-fields"), None, "{path} {example}");
            tried.push(path.as_str());
        }
    }
    let all = [
        "/animate",
        "/api/v1/i2v",
        "/api/v1/images/generate",
        "/api/v1/images/generate-i2i",
        "/api/v1/videos/generate",
        "/controlnet/detect",
        "/generate",
        "/generate-video",
        "/generate-video",
        "/generate-video",
        "/generate-video/info",
        "/sdapi/v1/extra-batch-images",
        "/sdapi/v1/extra-single-image",
        "/sdapi/v1/img2img",
        "/sdapi/v1/options",
        "/sdapi/v1/png-info",
        "/sdapi/v1/txt2img",
        "/v1/images/edits",
        "/v1/images/generations",
        "/v1/images/variations",
        "/v1/videos",
    ];
    assert_eq!(tried, all);
}

/// Every URL that a page's own tags load.
fn loaded_from(html: &str) -> Vec<&str> {
    // The tags are before and after the inlined script, which counts as data here.
    [" src=\"", "<link rel=\"icon\" type=\"image/png\" href=\"", "<link rel=\"stylesheet\" href=\""]
        .iter()
        .flat_map(|attribute| html.match_indices(attribute).map(|(at, found)| html[at + found.len()..].split('"').next().unwrap()))
        .collect()
}

#[actix_web::test]
async fn swagger_ui_loads_everything_from_here() {
    let page = get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, Some("text/html; charset=utf-8")));
    assert!(page.text().contains(r#"url: "/openapi.json""#));
    let files = loaded_from(page.text());
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert!(file.starts_with('/'), "{file} is from elsewhere");
        let answer = get(file).await;
        assert_eq!(answer.status, StatusCode::OK, "{file}");
        assert!(answer.body.len() > 500, "{file}");
    }
    assert_eq!(get("/docs/none.js").await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn redoc_carries_its_script_and_loads_nothing() {
    let page = get("/redoc").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, Some("text/html; charset=utf-8")));
    let html = page.text();
    assert!(html.len() > 500_000, "the script is in the page");
    assert!(html.contains(r#"Redoc.init("/openapi.json""#));
    assert!(html.contains("scrollYOffset: 0, requiredPropsFirst: true"), "aide's template has changed");
    let icon = r#"<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">"#;
    assert!(!html.contains("<script src") && !html.replacen(icon, "", 1).contains("<link "), "nothing is loaded from elsewhere");
}

#[actix_web::test]
async fn the_pages_forbid_requests_to_other_hosts() {
    for path in ["/docs", "/redoc"] {
        let page = get(path).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("http"), "{policy}");
        let redirect = get(&format!("{path}/")).await;
        assert_eq!((redirect.status, redirect.header("location")), (StatusCode::TEMPORARY_REDIRECT, Some(path)));
    }
}
