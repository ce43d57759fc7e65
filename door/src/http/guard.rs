//! The rules, for one request after the other.

use super::browser::{is_cross_site, is_for_loopback};
use super::failures::{Failures, Verdict};
use super::headers::protect;
use super::limits::Limits;
use super::problem::Problem;
use super::routine::Routine;
use super::token::{Caller, Role};
use super::tokens::Tokens;
use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::time::timeout;
use tower_service::Service;

/// Says that the program lives, and nothing else: for whoever restarts it.
const OPEN_PATH: &str = "/healthz";

/// RFC 6750, section 3: what to send, and what was wrong with what was sent.
const ASK: HeaderValue = HeaderValue::from_static("Bearer realm=\"fogline\"");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("Bearer realm=\"fogline\", error=\"invalid_token\"");
const ASK_FOR_MORE: HeaderValue = HeaderValue::from_static("Bearer realm=\"fogline\", error=\"insufficient_scope\"");

/// Stands before the routes.
pub(super) struct Guard {
    routes: Router,
    tokens: Option<Arc<Tokens>>,
    /// Whether connections have TLS.
    secure: bool,
    limits: Limits,
    /// With [`OPEN_PATH`]: what everybody may look at.
    open_paths: Vec<String>,
    failures: Mutex<Failures>,
}

impl Guard {
    pub(super) fn new(
        routes: Router,
        tokens: Option<Arc<Tokens>>,
        secure: bool,
        limits: Limits,
        open_paths: Vec<String>,
    ) -> Self {
        let failures = Mutex::new(Failures::new(limits.failures, limits.failures_time));
        Self { routes, tokens, secure, limits, open_paths, failures }
    }

    pub(super) async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Response {
        let (parts, body) = request.into_parts();
        // A browser keeps it for the whole host: on this machine it would lock out every other program's plain HTTP.
        let strict = self.secure && !is_for_loopback(&parts);
        let mut answer = self.admit_and_pass(peer, parts, body).await.unwrap_or_else(Problem::into_response);
        protect(&mut answer, strict);
        answer
    }

    async fn admit_and_pass(&self, peer: IpAddr, mut parts: Parts, body: Incoming) -> Result<Response, Problem> {
        let caller = self.admit(peer, &parts)?;
        let change = changes(&parts.method).then(|| (parts.method.clone(), parts.uri.path().to_owned()));
        let name = caller.as_ref().map(|caller| caller.name.clone());
        if let Some(caller) = caller {
            parts.extensions.insert(caller);
        }
        let body = self.read(body).await?;
        let answer = self.pass(Request::from_parts(parts, body)).await?;
        if let Some((method, path)) = change {
            let (name, status) = (name.unwrap_or_else(|| "-".to_owned()), answer.status().as_u16());
            if answer.extensions().get::<Routine>().is_some() {
                tracing::debug!(name, %peer, %method, path, status, "asked over HTTP for a change, as always");
            } else {
                tracing::info!(name, %peer, %method, path, status, "asked over HTTP for a change");
            }
        }
        Ok(answer)
    }

    /// Who asks, if that is known and he may ask this.
    fn admit(&self, peer: IpAddr, parts: &Parts) -> Result<Option<Caller>, Problem> {
        let change = changes(&parts.method);
        if !change && self.is_open(parts.uri.path()) {
            return Ok(None);
        }
        let caller = match &self.tokens {
            Some(tokens) => Some(self.caller(tokens, peer, &parts.headers)?),
            None if is_for_loopback(parts) => None,
            None => return Err(misdirected()),
        };
        if change && is_cross_site(&parts.headers, self.secure) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "a page of another site may change nothing here"));
        }
        match &caller {
            Some(caller) if change && caller.role < Role::Operator => Err(not_allowed(caller)),
            _ => Ok(caller),
        }
    }

    fn is_open(&self, path: &str) -> bool {
        path == OPEN_PATH || self.open_paths.iter().any(|open| open == path)
    }

    /// Whose token came with the request. A right one counts however many wrong ones came from its address: behind a
    /// proxy all have the same, and one who guesses would lock out everybody.
    fn caller(&self, tokens: &Tokens, peer: IpAddr, headers: &HeaderMap) -> Result<Caller, Problem> {
        let token = bearer(headers).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "send a token: Authorization: Bearer TOKEN; see `fogline token`")
                .with(WWW_AUTHENTICATE, ASK)
        })?;
        tokens.whose(token).ok_or_else(|| self.wrong_token(peer))
    }

    /// Costs the connection too, so that each guess costs a new one, and its handshake.
    fn wrong_token(&self, peer: IpAddr) -> Problem {
        let verdict = self.failures.lock().unwrap_or_else(PoisonError::into_inner).count(peer, Instant::now());
        let problem = match verdict {
            Verdict::Wrong => {
                tracing::warn!(%peer, "a wrong token");
                Problem::new(StatusCode::UNAUTHORIZED, "this token is not known here").with(WWW_AUTHENTICATE, ASK_AGAIN)
            }
            Verdict::TooMany(wait) => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens from this address")
                    .with(RETRY_AFTER, wait.as_secs().saturating_add(1))
            }
        };
        problem.with(CONNECTION, HeaderValue::from_static("close"))
    }

    /// The whole body, within its limits.
    async fn read(&self, body: Incoming) -> Result<Body, Problem> {
        if body.is_end_stream() {
            return Ok(Body::empty());
        }
        let most = self.limits.body_bytes;
        let too_large =
            || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {most} bytes: send less"));
        // What is announced need not be sent.
        if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced > most) {
            return Err(too_large());
        }
        match timeout(self.limits.body_time, Limited::new(body, most).collect()).await {
            Ok(Ok(body)) => Ok(Body::from(body.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body ended early or is not what it says")),
            Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time: send it at once")
                .with(CONNECTION, HeaderValue::from_static("close"))),
        }
    }

    async fn pass(&self, request: Request<Body>) -> Result<Response, Problem> {
        // A router is always ready, and cannot fail.
        let answer = timeout(self.limits.handler_time, self.routes.clone().call(request)).await;
        let Ok(answer) =
            answer.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no answer in time: ask again"))?;
        Ok(answer)
    }
}

/// Whether a method may change something (RFC 9110, section 9.2.1: the others are safe).
fn changes(method: &Method) -> bool {
    !method.is_safe()
}

/// The token of the only `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn misdirected() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "without tokens this is served under the names of this machine only: ask http://127.0.0.1 or http://localhost, \
         or start the program with --http-tokens",
    )
}

fn not_allowed(caller: &Caller) -> Problem {
    let detail = format!("the token {} has the role viewer: this needs the role operator", caller.name);
    Problem::new(StatusCode::FORBIDDEN, detail).with(WWW_AUTHENTICATE, ASK_FOR_MORE)
}
