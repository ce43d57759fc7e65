//! What comes as the body of a request.

use super::error::ApiError;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// A body that is JSON, whatever its `Content-Type` says, or a problem (400) that says what is wrong with it. The door has read it
/// and bounds its size.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let wrong = |why: String| ApiError::BadRequest(format!("the body is not what is asked for, see /docs: {why}"));
        let body = Bytes::from_request(request, state).await.map_err(|error| wrong(error.body_text()))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| wrong(error.to_string()))
    }
}
