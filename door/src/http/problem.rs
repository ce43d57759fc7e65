//! An answer that says what is wrong.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// A refusal or a failure: JSON with `status` (number), `title` (the status in words) and `detail` (what is wrong and what
/// to do, for a person).
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
        let title = self.status.canonical_reason();
        let body = serde_json::json!({ "status": self.status.as_u16(), "title": title, "detail": self.detail });
        let mut answer = (self.status, axum::Json(body)).into_response();
        answer.headers_mut().extend(self.headers);
        answer
    }
}
