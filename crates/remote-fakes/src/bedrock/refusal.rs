//! Bedrock's errors: a JSON `message`, the name in the header `x-amzn-ErrorType`, and the name's status.

use serde_json::json;

use crate::Reply;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorReply {
    code: &'static str,
    message: String,
}

impl ErrorReply {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    pub(super) fn expired_token() -> Self {
        Self::new("ExpiredTokenException", "The security token included in the request is expired")
    }

    pub(super) fn reply(self) -> Reply {
        error(status_of(self.code), self.code, &self.message)
    }
}

/// The answer of a fault with this status.
pub(super) fn with_status(status: u16, code: &str) -> Reply {
    let message = match code {
        "ThrottlingException" => "Too many requests, please wait before trying again.",
        "ServiceQuotaExceededException" => "Your request exceeds the service quota for your account.",
        "AccessDeniedException" => "You don't have access to the model with the specified model ID.",
        "ServiceUnavailableException" => "Bedrock is unable to process your request.",
        _ => "The system encountered an unexpected error during processing. Try your request again.",
    };
    error(status, code, message)
}

/// The content filter's error about a text or an image.
pub(super) fn filtered(what: &str) -> ErrorReply {
    ErrorReply::validation(format!(
        "This request has been blocked by our content filters. Please adjust your {what} to submit a new request."
    ))
}

/// The status of each error, from the service's model; bad signatures are refused with 403.
fn status_of(code: &str) -> u16 {
    match code {
        "ValidationException" | "SerializationException" | "ConflictException" | "ServiceQuotaExceededException" => 400,
        "ResourceNotFoundException" | "UnknownOperationException" => 404,
        "ThrottlingException" => 429,
        "InternalServerException" => 500,
        "ServiceUnavailableException" => 503,
        _ => 403,
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    // Amazon appends an address to its error names, after a colon; clients ignore it.
    let name = format!("{code}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    Reply::json(status, &json!({"message": message})).header("x-amzn-ErrorType", name).header("x-amzn-RequestId", "fake")
}
