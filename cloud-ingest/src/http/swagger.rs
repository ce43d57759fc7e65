//! `/docs`: a page to read and try the API. Swagger UI, from the program itself; nothing of it is from the network, and nothing
//! runs that is not a file of this server.

use super::Served;
use super::error::ApiError;
use axum::Router;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;
use utoipa_swagger_ui::{Config, SwaggerFile, serve};

/// How long a browser keeps the files: they change with the program only.
const KEPT: &str = "max-age=3600";

pub(super) fn routes() -> Router<Arc<Served>> {
    Router::new()
        .route("/docs", get(async || Redirect::to("/docs/")))
        .route("/docs/", get(async || file("index.html")))
        .route("/docs/{*file}", get(async |Path(name): Path<String>| file(&name)))
}

fn file(name: &str) -> Result<Response, ApiError> {
    let config = Arc::new(Config::from("/openapi.json").try_it_out_enabled(true).validator_url("none"));
    let found = serve(name, config).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    let SwaggerFile { bytes, content_type, gzpipped: packed, .. } =
        found.ok_or_else(|| ApiError::NoPage(format!("/docs/{name}")))?;
    let bytes = match bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut answer = ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, KEPT.to_owned())], bytes).into_response();
    if packed {
        // Whatever has a use for the page takes it packed.
        answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(answer)
}
