//! Refused bodies: each with its status and its exact answer.

use actix_web::{http::StatusCode, test::TestRequest};
use serde_json::{Value, json};

use crate::fake::{ask, engine, post};

/// The expected fault of a field; `ctx` may be null.
fn fault(kind: &str, field: &str, msg: &str, input: Value, ctx: Value) -> Value {
    let mut fault = json!({"type": kind, "loc": ["body", field], "msg": msg, "input": input});
    if !ctx.is_null() {
        fault["ctx"] = ctx;
    }
    fault
}

async fn faults(body: &str) -> Value {
    let mut answer = {
        let answer = ask(post(body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        answer.json()
    };
    answer["detail"].take()
}

#[actix_web::test]
async fn each_fault_has_the_fields_name_value_and_limit() {
    let long = "x".repeat(2001);
    let cut = format!("{}...", "x".repeat(100));
    let not_int = "Input should be a valid integer";
    let not_number = "Input should be a valid number";
    let ge = |limit: Value| json!({ "ge": limit });
    let le = |limit: Value| json!({ "le": limit });
    // The field's value as JSON source (a JSON value cannot represent 1e999), then type, message, input and ctx.
    let table: Vec<(&str, String, &str, &str, Value, Value)> = vec![
        ("prompt", "\"\"".into(), "string_too_short", "String should have at least 1 character", json!(""), json!({"min_length": 1})),
        ("prompt", "\" \"".into(), "string_too_short", "String should have at least 1 character", json!(" "), json!({"min_length": 1})),
        (
            "prompt",
            format!("\"{long}\""),
            "string_too_long",
            "String should have at most 2000 characters",
            json!(cut),
            json!({"max_length": 2000}),
        ),
        ("prompt", "null".into(), "string_type", "Input should be a valid string", json!(null), json!(null)),
        ("prompt", "5".into(), "string_type", "Input should be a valid string", json!(5), json!(null)),
        (
            "negative_prompt",
            format!("\"{long}\""),
            "string_too_long",
            "String should have at most 2000 characters",
            json!(cut),
            json!({"max_length": 2000}),
        ),
        ("num_inference_steps", "0".into(), "greater_than_equal", "Input should be greater than or equal to 1", json!(0), ge(json!(1))),
        ("num_inference_steps", "-3".into(), "greater_than_equal", "Input should be greater than or equal to 1", json!(-3), ge(json!(1))),
        ("num_inference_steps", "151".into(), "less_than_equal", "Input should be less than or equal to 150", json!(151), le(json!(150))),
        ("num_inference_steps", "1e30".into(), "less_than_equal", "Input should be less than or equal to 150", json!(1e30), le(json!(150))),
        (
            "num_inference_steps",
            "2.5".into(),
            "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
            json!(2.5),
            json!(null),
        ),
        (
            "num_inference_steps",
            "\"many\"".into(),
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
            json!("many"),
            json!(null),
        ),
        ("num_inference_steps", "[25]".into(), "int_type", not_int, json!([25]), json!(null)),
        ("num_inference_steps", "[1]".into(), "int_type", not_int, json!([1]), json!(null)),
        ("num_inference_steps", "NaN".into(), "finite_number", "Input should be a finite number", json!("NaN"), json!(null)),
        ("guidance_scale", "-1".into(), "greater_than_equal", "Input should be greater than or equal to 0", json!(-1), ge(json!(0.0))),
        ("guidance_scale", "51".into(), "less_than_equal", "Input should be less than or equal to 50", json!(51), le(json!(50.0))),
        ("guidance_scale", "NaN".into(), "finite_number", "Input should be a finite number", json!("NaN"), json!(null)),
        ("guidance_scale", "-Infinity".into(), "finite_number", "Input should be a finite number", json!("-Infinity"), json!(null)),
        ("guidance_scale", "1e999".into(), "finite_number", "Input should be a finite number", json!("1e999"), json!(null)),
        ("guidance_scale", "\"inf\"".into(), "finite_number", "Input should be a finite number", json!("inf"), json!(null)),
        (
            "guidance_scale",
            "\"high\"".into(),
            "float_parsing",
            "Input should be a valid number, unable to parse string as a number",
            json!("high"),
            json!(null),
        ),
        ("guidance_scale", "{}".into(), "float_type", not_number, json!({}), json!(null)),
        ("width", "100".into(), "multiple_of", "Input should be a multiple of 8", json!(100), json!({"multiple_of": 8})),
        ("width", "0".into(), "greater_than_equal", "Input should be greater than or equal to 64", json!(0), ge(json!(64))),
        ("height", "4096".into(), "less_than_equal", "Input should be less than or equal to 2048", json!(4096), le(json!(2048))),
        ("seed", "-2".into(), "greater_than_equal", "Input should be greater than or equal to -1", json!(-2), ge(json!(-1))),
        (
            "seed",
            "9223372036854775808".into(),
            "less_than_equal",
            "Input should be less than or equal to 9223372036854775807",
            json!(9_223_372_036_854_775_808_u64),
            le(json!(9_223_372_036_854_775_807_u64)),
        ),
        ("return_base64", "[]".into(), "bool_type", "Input should be a valid boolean", json!([]), json!(null)),
        (
            "return_base64",
            "\"perhaps\"".into(),
            "bool_parsing",
            "Input should be a valid boolean, unable to interpret input",
            json!("perhaps"),
            json!(null),
        ),
        ("scheduler", "7".into(), "string_type", "Input should be a valid string", json!(7), json!(null)),
    ];
    for (field, source, kind, msg, input, ctx) in table {
        let prompt = if field == "prompt" { "" } else { r#""prompt": "a boat", "# };
        let body = format!("{{{prompt}\"{field}\": {source}}}");
        assert_eq!(faults(&body).await, json!([fault(kind, field, msg, input, ctx)]), "{body:.80}");
    }
}

#[actix_web::test]
async fn too_many_pixels_are_refused_with_their_number() {
    let error = "2048 x 1032 is 2113536 pixels, and a picture has at most 2097152";
    let expected = fault("value_error", "width", &format!("Value error, {error}"), json!(2048), json!({"error": error}));
    assert_eq!(faults(r#"{"prompt": "a boat", "width": 2048, "height": 1032}"#).await, json!([expected]));
}

#[actix_web::test]
async fn an_unknown_scheduler_is_answered_with_the_known_ones() {
    let found = faults(r#"{"prompt": "a boat", "scheduler": "elevator"}"#).await;
    assert_eq!(
        (&found[0]["type"], &found[0]["loc"], &found[0]["input"]),
        (&json!("enum"), &json!(["body", "scheduler"]), &json!("elevator"))
    );
    let expected = found[0]["ctx"]["expected"].as_str().unwrap();
    assert!(expected.starts_with("'ddim', ") && expected.contains("'dpmpp-2m-karras'"), "{expected}");
    assert_eq!(found[0]["msg"], json!(format!("Input should be {expected}")));
}

#[actix_web::test]
async fn all_faults_are_reported_at_once_and_in_order() {
    let body = r#"{"scheduler": 1, "height": 9999, "num_inference_steps": "x", "guidance_scale": NaN}"#;
    let found = faults(body).await;
    let fields: Vec<_> = found.as_array().unwrap().iter().map(|fault| fault["loc"][1].as_str().unwrap()).collect();
    assert_eq!(fields, ["prompt", "num_inference_steps", "guidance_scale", "height", "scheduler"]);
    assert_eq!(found[0]["type"], "missing");
    assert_eq!(found[0]["msg"], "Field required");
}

#[actix_web::test]
async fn a_missing_prompt_is_reported_with_the_object_that_lacks_it() {
    let expected = json!({"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": {"seed": 1}});
    assert_eq!(faults(r#"{"seed": 1}"#).await, json!([expected]));
}

#[actix_web::test]
async fn a_byte_order_mark_is_ignored() {
    assert_eq!(faults("\u{feff}{\"seed\": 1}").await, faults(r#"{"seed": 1}"#).await);
}

#[actix_web::test]
async fn empty_bodies_and_bodies_that_are_no_objects_are_refused() {
    let msg = "Input should be a valid dictionary or object to extract fields from";
    assert_eq!(faults("[1]").await, json!([{"type": "model_attributes_type", "loc": ["body"], "msg": msg, "input": [1]}]));
    assert_eq!(faults(" ").await, json!([{"type": "missing", "loc": ["body"], "msg": "Field required", "input": null}]));
}

#[actix_web::test]
async fn malformed_json_is_400_with_its_position() {
    for (body, detail) in [
        ("{\"prompt\": \"a boat\",\n}", "Malformed JSON: trailing comma at line 2 column 1"),
        ("{\"prompt\": nan}", "Malformed JSON: expected ident at line 1 column 13"),
        ("not json", "Malformed JSON: expected ident at line 1 column 2"),
    ] {
        let answer = ask(post(body)).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::BAD_REQUEST, json!({ "detail": detail })));
    }
    let deep = "[".repeat(100_000);
    assert_eq!(ask(post(deep)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask(post(b"{\"prompt\": \"\xff\"}".to_vec())).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_body_over_the_limit_is_413() {
    let body = format!("{{\"prompt\": \"{}\"}}", "x".repeat(1 << 20));
    let answer = ask(post(body)).await;
    let expected = json!({"detail": "Request body too large: the limit is 1048576 bytes"});
    assert_eq!((answer.status, answer.json()), (StatusCode::PAYLOAD_TOO_LARGE, expected));
}

#[actix_web::test]
async fn a_body_over_the_limit_is_413_over_a_socket_too() {
    let server = crate::fake::Running::with(engine(1).await).await;
    let body = vec![b' '; 4 << 20];
    // The server answers while the body is still being sent, so a client may see the answer or a closed connection, but never a picture.
    match reqwest::Client::new().post(server.url("/generate")).header("content-type", "application/json").body(body).send().await {
        Ok(answer) => assert_eq!(answer.status().as_u16(), 413),
        Err(error) => assert!(error.is_request() || error.is_body() || error.is_connect(), "{error}"),
    }
    assert_eq!(reqwest::get(server.url("/health")).await.unwrap().status().as_u16(), 200);
}

#[actix_web::test]
async fn a_body_of_another_type_is_415() {
    let request = TestRequest::post().uri("/generate").insert_header(("Content-Type", "text/plain")).set_payload(r#"{"prompt": "a boat"}"#);
    let answer = ask(request).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(answer.json(), json!({"detail": "Unsupported Media Type: send the body as application/json, not text/plain"}));
}
