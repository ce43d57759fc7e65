//! An answer that says what is wrong.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// The media type of [`Problem`].
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal or a failure, as RFC 9457 has it: JSON with `type` ("about:blank": the status says what kind it is), `title` (the
/// status in words), `status` (number) and `detail` (what is wrong and what to do, for a person).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    status: StatusCode,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// With nothing secret in `detail`.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new() }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title) = (self.status.as_u16(), self.status.canonical_reason());
        let body =
            serde_json::json!({ "type": "about:blank", "title": title, "status": status, "detail": self.detail });
        let mut answer = (self.status, [(CONTENT_TYPE, PROBLEM)], axum::Json(body)).into_response();
        answer.headers_mut().extend(self.headers);
        answer
    }
}
