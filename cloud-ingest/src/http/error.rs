//! Why there is no answer, as problem details (RFC 9457).

use crate::store::ChangeError;
use crate::store::query::QueryError;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use fogline_door::http::Problem;
use serde::Serialize;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// A parameter or a body is wrong: correct it.
    #[error("{0}")]
    BadRequest(String),
    /// What is asked for is not known.
    #[error("{0}")]
    NotFound(String),
    /// There is nothing at this path.
    #[error("there is nothing at {0}: see /docs for what there is")]
    NoPage(String),
    /// The path does not know the method.
    #[error("{0} cannot be asked of this path: the header Allow and /docs say what can")]
    Method(Method),
    /// It is known, and cannot be done now.
    #[error("{0}")]
    Conflict(String),
    /// Another ingester leads.
    #[error("this ingester stands by, and changes nothing: ask {leader}")]
    StandsBy {
        /// Its name, or what is known of it.
        leader: String,
    },
    /// Another ingester takes it, and this one does not know which.
    #[error("{0}")]
    Elsewhere(String),
    /// Ask again in some seconds.
    #[error("no ingester leads yet: ask again in some seconds, or see /readyz")]
    NobodyLeads,
    /// The store cannot do it now, or needs its operator.
    #[error("{0}")]
    Store(ChangeError),
    /// A rule of what is asked for forbids it, whoever asks.
    #[error("{0}")]
    Forbidden(String),
    /// All places are taken.
    #[error("{0}")]
    Full(String),
    /// The database cannot be read now: ask again.
    #[error("the database cannot be read now, ask again: {0}")]
    Unavailable(String),
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::After(_) => Self::BadRequest(error.to_string()),
            QueryError::Busy(_) | QueryError::Unreadable(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) | Self::NoPage(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::StandsBy { .. } | Self::Elsewhere(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::NobodyLeads | Self::Store(_) | Self::Full(_) | Self::Unavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Problem::new(status, self.to_string()).into_response()
    }
}

/// A refusal or a failure, as RFC 9457 has it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "what the door's problems look like, for the document only")]
pub(super) struct ProblemSchema {
    /// Always "about:blank": the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong and what to do, for a person.
    detail: String,
}

/// What any path may answer besides its own: the door's refusals, wrong parameters, and a database that cannot be read.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code, reason = "for the document only")]
pub(super) enum Refusals {
    /// A parameter is wrong.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] ProblemSchema),
    /// A token is needed, or it is not known.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemSchema),
    /// The role does not allow it, or the request is addressed to another machine's name.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemSchema),
    /// It is not known.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] ProblemSchema),
    /// The database cannot be read now, or there is no answer in time: ask again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemSchema),
}

/// What changes something may answer besides.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code, reason = "for the document only")]
pub(super) enum StandsBy {
    /// This ingester stands by, or takes other regions: the detail says whom to ask.
    #[response(status = 421, content_type = "application/problem+json")]
    StandsBy(#[to_schema] ProblemSchema),
}
