//! Normalizes requests before they are signed.
//!
//! Removes what only the Rust SDK adds, so that all signed parts of a request equal those of Amazon's other SDKs: a second user agent, the
//! length among the signed headers, and `x-id` in S3's query. Amazon's services ignore all three, but a gateway in front of them may reject
//! them. The length is sent anyway: the connection adds it.
//!
//! Sorts the fields of a body. The SDK keeps the model's input in a hash map, so the same request would have different bytes each time, and
//! Amazon does not document how it compares two requests with the same token.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use serde_json::Value;

/// Normalizes each request; see the module.
#[derive(Debug)]
pub(super) struct RequestNormalizer;

impl Intercept for RequestNormalizer {
    fn name(&self) -> &'static str {
        "Evener"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        for name in ["content-length", "x-amz-user-agent"] {
            request.headers_mut().remove(name);
        }
        if let Some(uri) = without_id(request.uri()) {
            request.set_uri(uri)?;
        }
        if let Some(body) = request.body().bytes().filter(|body| !body.is_empty()) {
            let body = in_order(serde_json::from_slice(body)?).to_string();
            *request.body_mut() = SdkBody::from(body);
        }
        Ok(())
    }
}

/// The value with the fields of each object sorted by name.
fn in_order(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

/// The address without `x-id` in its query; `None` if it has none.
fn without_id(uri: &str) -> Option<String> {
    let (address, query) = uri.split_once('?')?;
    let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("x-id=")).collect();
    if kept.len() == query.split('&').count() {
        return None;
    }
    Some(if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{in_order, without_id};

    #[test]
    fn fields_are_sorted_at_every_depth() {
        let even = in_order(json!({"b": [{"z": 1, "y": {"d": null, "c": "x"}}, 2], "a": true}));
        assert_eq!(even.to_string(), r#"{"a":true,"b":[{"y":{"c":"x","d":null},"z":1},2]}"#);
    }

    #[test]
    fn only_the_id_is_removed_from_the_query() {
        assert_eq!(without_id("https://b.s3.amazonaws.com/k?x-id=GetObject").as_deref(), Some("https://b.s3.amazonaws.com/k"));
        assert_eq!(without_id("http://h/k?a=1&x-id=GetObject&b=%26").as_deref(), Some("http://h/k?a=1&b=%26"));
        assert_eq!(without_id("http://h/k?max-id=1"), None);
        assert_eq!(without_id("http://h/x-id=1"), None);
    }
}
