//! What comes with a request, and what is said of it when it is wrong.

use super::error::ApiError;
use crate::store::query::{After, PAGE_MAX};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

/// How many items one answer has when nothing is said.
pub(super) const LIMIT_DEFAULT: u32 = 100;

/// The parameters after the `?`, or a problem that says which of them is wrong.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(found)| Self(found)).map_err(|error| ApiError::BadRequest(error.body_text()))
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageAsked {
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<u32>,
    /// The `next` of the page before.
    pub(super) after: Option<String>,
}

impl PageAsked {
    pub(super) fn checked(self) -> Result<After, ApiError> {
        Ok(After::new(checked_limit(self.limit)?, self.after))
    }
}

/// How many items are asked for.
pub(super) fn checked_limit(limit: Option<u32>) -> Result<u32, ApiError> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::BadRequest(format!("limit is {limit}: give 1 to {PAGE_MAX}, and ask for the next page after it")))
}
