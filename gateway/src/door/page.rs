//! The dashboard's files, carried inside the program and served under their own names.
//!
//! A browser asks each time whether its copy is current (`no-cache`) and is answered by the file's
//! fingerprint, so that page and gateway are never of two versions.

use std::hash::{DefaultHasher, Hasher};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http;

const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/dashboard_files.rs"));

/// Only what the gateway itself serves may load, run or be connected to, and no other page may
/// frame it.
const POLICY: &str = "default-src 'self'; connect-src 'self'; img-src 'self' data:; \
    object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// One file, ready to be sent.
#[derive(Debug)]
struct File {
    name: &'static str,
    content_type: &'static str,
    fingerprint: HeaderValue,
    bytes: &'static [u8],
}

/// All files.
#[derive(Debug)]
pub(super) struct Page(Vec<File>);

impl Page {
    /// Everything the program carries.
    pub(super) fn new() -> Self {
        Self(FILES.iter().map(|(name, bytes)| File::new(name, bytes)).collect())
    }

    /// The answer for a path, when there is such a file.
    pub(super) fn answer(&self, path: &str, request: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        let name = match path.strip_prefix('/')? {
            "" => "index.html",
            name => name,
        };
        let file = self.0.iter().find(|file| file.name == name)?;
        let current = request.get_all(header::IF_NONE_MATCH).iter().any(|v| file.is_named_by(v));
        let mut answer = Response::new(Full::new(Bytes::from_static(file.bytes)));
        if current {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            *answer.body_mut() = Full::default();
        }
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        headers.insert(header::ETAG, file.fingerprint.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Some(answer)
    }
}

impl File {
    fn new(name: &'static str, bytes: &'static [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        let fingerprint = format!("\"{:016x}\"", hasher.finish());
        Self {
            name,
            content_type: content_type(name),
            fingerprint: HeaderValue::from_str(&fingerprint).expect("hexadecimal digits"),
            bytes,
        }
    }

    fn is_named_by(&self, value: &HeaderValue) -> bool {
        value.as_bytes().split(|byte| *byte == b',').any(|item| {
            let item = item.trim_ascii();
            let strong = item.strip_prefix(b"W/").unwrap_or(item);
            strong == self.fingerprint.as_bytes() || strong == b"*"
        })
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type_of_its_own_and_tests_are_not_served() {
        let page = Page::new();
        assert!(!page.0.is_empty());
        for file in &page.0 {
            assert_ne!(file.content_type, "application/octet-stream", "{}", file.name);
            assert!(!file.name.contains(".test."), "{}", file.name);
        }
    }

    #[test]
    fn a_current_copy_is_not_sent_again() {
        let page = Page::new();
        let path = format!("/{}", page.0[0].name);
        let first = page.answer(&path, &HeaderMap::new()).expect("there");
        assert_eq!(first.status(), StatusCode::OK);
        let mut request = HeaderMap::new();
        request.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let second = page.answer(&path, &request).expect("there");
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        request.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(page.answer(&path, &request).expect("there").status(), StatusCode::OK);
    }

    #[test]
    fn only_files_of_the_page_are_found() {
        let page = Page::new();
        for path in ["/package.json", "/../Cargo.toml", "//", "/nothing", "index.html", "*"] {
            assert!(page.answer(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }
}
