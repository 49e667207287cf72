//! Reading a request for `POST /api/v1/i2v`: its name, and the address of its image.
//!
//! It must not know jobs. The invariant: a name that cannot be part of a callback's address is refused, not changed.

use actix_web::HttpRequest;
use serde_json::Value;

use crate::{
    http::{Problem, ValidationErrorDetail},
    inputs::{Body, EXAMPLE_IMAGE, body_table, detail, value_fault},
};

/// The header with a request's name.
pub(crate) const NAME: &str = "x-request-id";
/// The longest name, in bytes.
const MAX_NAME: usize = 255;

/// A request in this API's format.
#[derive(Default)]
pub(crate) struct I2v {
    image_id: Option<String>,
    pub(crate) model: Option<String>,
}

body_table! {
    /// The body of `POST /api/v1/i2v`.
    I2V: I2v, I2vBody as "ImageToVideoRequest",
    example {"image_id": EXAMPLE_IMAGE},
    {
        /// The image: an http or https address of a PNG, JPEG or WebP file, its base64, or a data URL. HTML entities in an address
        /// (`&amp;`, `&#x2F;`) are decoded.
        image_id: Text(|r| &mut r.image_id).required().checked(),
        /// What makes it: "local", a name that `GET /models` lists, a service's name, or a service's and a model's; an unknown name is 404
        /// with the known ones. Absent: as the operator has set it.
        model: Text(|r| &mut r.model),
    }
}

/// A valid request.
pub(crate) struct Read {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) body: Body<I2v>,
}

/// Reads it.
///
/// # Errors
/// 422 with every fault, those of the headers first, in FastAPI's format.
pub(crate) fn read(request: &HttpRequest, bytes: &[u8]) -> Result<Read, Problem> {
    let (name, body) = (name_of(request), I2V.parse(bytes)?);
    let fields = body.or_problem(Ok(()));
    match (name, fields, &body.request.image_id) {
        (Ok(name), Ok(()), Some(image)) => Ok(Read { image: without_entities(image), name, body }),
        (Ok(_), Ok(()), None) => Err(Problem::internal()),
        (Ok(_), Err(problem), _) => Err(problem),
        (Err(fault), fields, _) => {
            let more = fields.err().map(|problem| problem.fields).unwrap_or_default();
            Err(Problem::invalid([vec![*fault], more].concat()))
        }
    }
}

fn name_of(request: &HttpRequest) -> Result<String, Box<ValidationErrorDetail>> {
    let place = || vec!["header".into(), NAME.into()];
    let mut names = request.headers().get_all(NAME);
    let name = match (names.next(), names.next()) {
        (None, _) => return Err(Box::new(detail("missing", place(), "Field required".into(), Value::Null))),
        (Some(name), None) => name.to_str().ok().filter(|name| is_name(name)),
        (Some(_), Some(_)) => None,
    };
    let sentence = format!("it is given once, has 1 to {MAX_NAME} visible ASCII characters, and is more than dots");
    name.map(str::to_owned).ok_or_else(|| Box::new(value_fault(place(), &sentence, Value::Null)))
}

/// URLs normalize `.` and `..` away, however they are escaped.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) && !matches!(name, "." | "..")
}

/// The address with HTML entities decoded. Clients of this API copy addresses from pages, some escaped twice.
fn without_entities(text: &str) -> String {
    let once = html_escape::decode_html_entities(text);
    once.replace("&#x2F;", "/").replace("&#x3D;", "=").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use actix_web::test::TestRequest;
    use serde_json::json;

    use super::*;

    fn faults(request: TestRequest, body: Value) -> Vec<Value> {
        let problem = read(&request.to_http_request(), body.to_string().as_bytes()).err().unwrap();
        problem.fields.into_iter().map(|fault| json!([fault.kind, fault.loc])).collect()
    }

    #[test]
    fn faults_of_head_and_body_are_reported_together() {
        let missing = json!(["missing", ["header", "x-request-id"]]);
        let image = json!(["missing", ["body", "image_id"]]);
        assert_eq!(faults(TestRequest::post(), json!({})), [missing.clone(), image.clone()]);
        assert_eq!(faults(TestRequest::post(), json!({"image_id": "https://a.example/a.png"})), [missing]);
        let named = || TestRequest::post().insert_header((NAME, "a"));
        assert_eq!(faults(named(), json!({})), [image]);
        assert_eq!(faults(named(), json!({"image_id": 5})), [json!(["string_type", ["body", "image_id"]])]);
        for name in ["", ".", "..", "a b", "caf\u{e9}", &"x".repeat(256)] {
            let request = TestRequest::post().insert_header((NAME, name));
            assert_eq!(faults(request, json!({"image_id": "a"})), [json!(["value_error", ["header", "x-request-id"]])], "{name}");
        }
        let found = read(&named().to_http_request(), br#"{"image_id": "https://a.example/a.png"}"#).unwrap();
        assert_eq!((found.name.as_str(), found.image.as_str()), ("a", "https://a.example/a.png"));
    }

    #[test]
    fn entities_are_decoded_and_parameters_stay() {
        for (text, expected) in [
            ("https://a.example/a.png?x=1&amp;y=2", "https://a.example/a.png?x=1&y=2"),
            ("https:&#x2F;&#x2F;a.example&#47;a.png?x&#x3D;1", "https://a.example/a.png?x=1"),
            ("https:&amp;#x2F;&amp;#x2F;a.example&amp;#x2F;a.png?x=1&amp;amp;y=2", "https://a.example/a.png?x=1&y=2"),
            // Python's html.unescape makes "©=2" of the second parameter.
            ("https://a.example/a.png?x=1&copy=2", "https://a.example/a.png?x=1&copy=2"),
            ("https://a.example/a.png", "https://a.example/a.png"),
        ] {
            assert_eq!(without_entities(text), expected, "{text}");
        }
    }
}
