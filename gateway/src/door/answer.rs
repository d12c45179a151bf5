//! What each address answers.
//!
//! Nothing here waits: an answer is made at once from what the program carries and the catalogue
//! holds.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http;

use super::page::Page;
use super::rest::Rest;
use super::upgrade::Refusal;
use crate::clock;
use crate::metrics::HttpStatus;

/// An answer with its whole body.
pub(super) type Answer = Response<Full<Bytes>>;

/// Where a session is opened.
pub(super) const SESSIONS: &str = "/v2";

/// Where messages come back as they are, in a gateway started so.
pub(super) const ECHO: &str = "/conformance";

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The answer to a plain request.
pub(super) fn to(request: &request::Parts, page: &Page, rest: &Rest) -> Answer {
    if request.method != Method::GET && request.method != Method::HEAD {
        return sentence(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
    }
    let path = request.uri.path();
    let query = request.uri.query().unwrap_or_default();
    if let Some(answer) = page.answer(path, &request.headers) {
        return answer;
    }
    if let Some(json) = rest.answer(path, query, clock::now()) {
        return whole(StatusCode::OK, JSON, json);
    }
    sentence(StatusCode::NOT_FOUND, "there is nothing at this address")
}

/// A refused upgrade.
pub(super) fn refused(refusal: Refusal) -> Answer {
    let mut answer = sentence(refusal.status, refusal.words);
    let headers = answer.headers_mut();
    match refusal.status {
        StatusCode::UPGRADE_REQUIRED => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
    answer
}

/// One sentence for a person.
pub(super) fn sentence(status: StatusCode, words: &str) -> Answer {
    let mut answer = whole(status, TEXT, Bytes::from(format!("{words}\n")));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    answer
}

fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Adds what a browser is to know of every answer but the one that ends HTTP: nothing is guessed,
/// framed or run that the answer does not allow itself, and the next visit is by https.
pub(super) fn harden(answer: &mut Answer, hsts: Duration) {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    if !hsts.is_zero()
        && let Ok(value) = HeaderValue::from_str(&format!("max-age={}", hsts.as_secs()))
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}

/// The label an answer is counted under.
pub(super) fn label(status: StatusCode) -> HttpStatus {
    match status {
        StatusCode::SWITCHING_PROTOCOLS => HttpStatus::SwitchingProtocols,
        StatusCode::OK => HttpStatus::Ok,
        StatusCode::NOT_MODIFIED => HttpStatus::NotModified,
        StatusCode::BAD_REQUEST => HttpStatus::BadRequest,
        StatusCode::UNAUTHORIZED => HttpStatus::Unauthorized,
        StatusCode::TOO_MANY_REQUESTS => HttpStatus::TooManyRequests,
        StatusCode::FORBIDDEN => HttpStatus::Forbidden,
        StatusCode::NOT_FOUND => HttpStatus::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => HttpStatus::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => HttpStatus::PayloadTooLarge,
        StatusCode::UPGRADE_REQUIRED => HttpStatus::UpgradeRequired,
        StatusCode::SERVICE_UNAVAILABLE => HttpStatus::Unavailable,
        _ => HttpStatus::Other,
    }
}
