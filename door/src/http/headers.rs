//! What every answer tells a browser.

use axum::http::header::{self, HeaderName, HeaderValue};
use axum::response::Response;

/// Nothing but this server's own files runs or is shown, and nobody frames it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);
/// The same, but that images may be in addresses.
const POLICY_WITH_DATA_IMAGES: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

/// An extension of an answer: its page may show images that are written into their address (`data:`), as libraries for
/// charts do. Such images come from the page's own scripts, and reach nobody; scripts, styles and all else stay bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataImages;

/// Set on every answer; a handler cannot loosen them. No other site embeds or opens what is here with a hold on it.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// A year: what a browser needs to never try this host without TLS again (RFC 6797).
const TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds them. `strict`: the browser shall come back with TLS only.
pub(super) fn protect(answer: &mut Response, strict: bool) {
    let policy = if answer.extensions().get::<DataImages>().is_some() { POLICY_WITH_DATA_IMAGES } else { POLICY };
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.extend(ALWAYS);
    // What is said here is said to who asked, now. A handler with files that stay the same may say otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if strict {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TRANSPORT_SECURITY);
    }
}
