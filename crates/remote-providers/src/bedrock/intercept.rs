//! Evens out requests before they are signed.
//!
//! What the Rust SDK alone puts in is taken out, so that requests are equal to those of Amazon's other SDKs in all that is signed: a second
//! user agent and the length among the signed headers, and `x-id` in the query of S3. Amazon's services read none of them; a gateway that
//! stands in for one may not know them. The length is sent all the same: the connection adds it.
//!
//! The fields of a body are put in order. The SDK keeps the model's input in a hash map, so that the same request has other bytes each time,
//! and Amazon does not say how it compares two requests that have one token.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use serde_json::Value;

/// See the module.
#[derive(Debug)]
pub(super) struct Evener;

impl Intercept for Evener {
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

/// The same with the fields of each object in the order of their names.
fn in_order(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

/// The address without `x-id` in its query; `None` if there is none.
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
    fn fields_are_put_in_order_at_every_depth() {
        let even = in_order(json!({"b": [{"z": 1, "y": {"d": null, "c": "x"}}, 2], "a": true}));
        assert_eq!(even.to_string(), r#"{"a":true,"b":[{"y":{"c":"x","d":null},"z":1},2]}"#);
    }

    #[test]
    fn only_the_id_leaves_the_query() {
        assert_eq!(without_id("https://b.s3.amazonaws.com/k?x-id=GetObject").as_deref(), Some("https://b.s3.amazonaws.com/k"));
        assert_eq!(without_id("http://h/k?a=1&x-id=GetObject&b=%26").as_deref(), Some("http://h/k?a=1&b=%26"));
        assert_eq!(without_id("http://h/k?max-id=1"), None);
        assert_eq!(without_id("http://h/x-id=1"), None);
    }
}
