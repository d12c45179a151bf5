//! Whether a request may become a session: the rules of RFC 6455 section 4.2.1, read strictly.
//!
//! It runs before fastwebsockets answers, whose `upgrade()` looks at key and version alone.
//! Extensions are declined by not being echoed, and so are subprotocols but our own, which a page
//! has to hear that offers a token beside it. Who offers other versions of ours alone is refused:
//! he would take what he hears for something else. A token is never echoed.

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, request};
use http_body_util::Full;
use hyper::http;

use super::answer::Answer;
use super::origin;
use crate::metrics::UpgradeRefusal;

/// The subprotocol that is spoken, for who offers it.
const SUBPROTOCOL: &str = "market.v2";
/// How all its versions begin.
const SUBPROTOCOL_FAMILY: &[u8] = b"market.v";

/// A refusal: what to count and what to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What to count.
    pub(super) reason: UpgradeRefusal,
    /// The answer's status.
    pub(super) status: StatusCode,
    /// The answer's sentence.
    pub(super) words: &'static str,
}

const fn refuse(
    reason: UpgradeRefusal,
    status: StatusCode,
    words: &'static str,
) -> Result<(), Refusal> {
    Err(Refusal { reason, status, words })
}

/// Whether the request asks for this upgrade; any other (h2c, say) may be ignored where a page is
/// served.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    lists(headers, header::UPGRADE, "websocket")
}

/// Which origins are let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origins<'a> {
    /// Beside the own page.
    pub(super) list: &'a [String],
    /// Whether who states none is refused.
    pub(super) is_required: bool,
}

/// Lets the request pass, or says why not.
pub(super) fn check(request: &request::Parts, origins: Origins<'_>) -> Result<(), Refusal> {
    use UpgradeRefusal as Why;
    let headers = &request.headers;
    if request.method != Method::GET {
        let words = "an upgrade starts with GET";
        return refuse(Why::Method, StatusCode::METHOD_NOT_ALLOWED, words);
    }
    let bad = |why, words| refuse(why, StatusCode::BAD_REQUEST, words);
    if request.version != Version::HTTP_11 {
        return bad(Why::HttpVersion, "an upgrade starts from HTTP/1.1");
    }
    if !headers.contains_key(header::UPGRADE) {
        let words = "this address speaks WebSocket: send Upgrade: websocket";
        return refuse(Why::Headers, StatusCode::UPGRADE_REQUIRED, words);
    }
    if !is_asked(headers) {
        return bad(Why::Headers, "the Upgrade header does not name websocket");
    }
    if !lists(headers, header::CONNECTION, "upgrade") {
        return bad(Why::Headers, "the Connection header does not name upgrade");
    }
    if headers.contains_key(header::CONTENT_LENGTH)
        || headers.contains_key(header::TRANSFER_ENCODING)
    {
        return bad(Why::Headers, "an upgrade request has no body");
    }
    let Some(host) = only(headers, header::HOST) else {
        return bad(Why::Headers, "the Host header is missing or not the only one");
    };
    if only(headers, header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        let words = "WebSocket version 13 is spoken here";
        return refuse(Why::Version, StatusCode::UPGRADE_REQUIRED, words);
    }
    if !only(headers, header::SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        return bad(Why::Key, "Sec-WebSocket-Key is not exactly one base64 of 16 bytes");
    }
    check_subprotocol(headers)?;
    check_origin(headers, host, origins)
}

/// Who offers none, or only some that are not ours, is served as he is.
fn check_subprotocol(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_ours = |item: &[u8]| {
        let family = item.get(..SUBPROTOCOL_FAMILY.len());
        family.is_some_and(|family| family.eq_ignore_ascii_case(SUBPROTOCOL_FAMILY))
    };
    let mut ours = items(headers, header::SEC_WEBSOCKET_PROTOCOL).filter(|item| is_ours(item));
    if ours.next().is_none() || lists(headers, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Ok(());
    }
    let words = "of the subprotocol market, version 2 is spoken here: offer market.v2";
    refuse(UpgradeRefusal::Subprotocol, StatusCode::BAD_REQUEST, words)
}

fn check_origin(headers: &HeaderMap, host: &[u8], origins: Origins<'_>) -> Result<(), Refusal> {
    let forbidden = |words| refuse(UpgradeRefusal::Origin, StatusCode::FORBIDDEN, words);
    if !headers.contains_key(header::ORIGIN) {
        return if origins.is_required {
            forbidden("an Origin header is asked for here, and there is none")
        } else {
            Ok(())
        };
    }
    let origin = only(headers, header::ORIGIN);
    if origin.is_some_and(|origin| origin::is_welcome(origin, host, origins.list)) {
        return Ok(());
    }
    forbidden("this origin is not on the list")
}

/// An upgrade where no session is to be had.
pub(super) const NOWHERE: Refusal = Refusal {
    reason: UpgradeRefusal::Path,
    status: StatusCode::NOT_FOUND,
    words: "no session is opened at this address: it is /v2",
};

/// The 101 for a request that has passed.
pub(super) fn switch(request: request::Parts) -> Result<Answer, Refusal> {
    let is_ours = lists(&request.headers, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let request = http::Request::from_parts(request, ());
    match fastwebsockets::upgrade::upgrade(request) {
        Ok((answer, _)) => {
            let mut answer = answer.map(|_| Full::default());
            if is_ours {
                let name = HeaderValue::from_static(SUBPROTOCOL);
                answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
            }
            Ok(answer)
        }
        Err(_) => Err(Refusal {
            reason: UpgradeRefusal::Headers,
            status: StatusCode::BAD_REQUEST,
            words: "this is no WebSocket upgrade",
        }),
    }
}

/// The value of a header that is there exactly once.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

fn lists(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    items(headers, name).any(|item| item.eq_ignore_ascii_case(word.as_bytes()))
}

/// The items of all headers of a name.
fn items(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// 16 bytes in base64: 22 characters, the last of which carries two bits, and two of padding.
fn is_key(value: &[u8]) -> bool {
    let [digits @ .., last, b'=', b'='] = value else { return false };
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    digits.len() == 21 && digits.iter().all(is_digit) && matches!(last, b'A' | b'Q' | b'g' | b'w')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("host", "gateway.example:8443"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn parts(headers: &[(&str, &str)]) -> request::Parts {
        let builder = headers
            .iter()
            .fold(http::Request::builder().uri("/v2"), |b, (name, value)| b.header(*name, *value));
        builder.body(()).expect("a request").into_parts().0
    }

    fn check_changed(name: &str, values: &[&str], expected: Option<(UpgradeRefusal, u16)>) {
        let mut headers: Vec<_> = GOOD.into_iter().filter(|(n, _)| *n != name).collect();
        headers.extend(values.iter().map(|value| (name, *value)));
        let list = &["https://desk.example".to_owned()];
        let refusal = check(&parts(&headers), Origins { list, is_required: false }).err();
        let found = refusal.map(|r| (r.reason, r.status.as_u16()));
        assert_eq!(found, expected, "{name}: {values:?}");
    }

    #[test]
    fn each_header_is_judged() {
        use UpgradeRefusal as Why;
        check_changed("accept", &["anything"], None);
        check_changed("upgrade", &[], Some((Why::Headers, 426)));
        check_changed("upgrade", &["h2c"], Some((Why::Headers, 400)));
        check_changed("upgrade", &["h2c, websocket"], None);
        check_changed("upgrade", &["h2c", "websocket"], None);
        check_changed("connection", &[], Some((Why::Headers, 400)));
        check_changed("connection", &["keep-alive"], Some((Why::Headers, 400)));
        check_changed("connection", &["upgrades"], Some((Why::Headers, 400)));
        check_changed("content-length", &["0"], Some((Why::Headers, 400)));
        check_changed("transfer-encoding", &["chunked"], Some((Why::Headers, 400)));
        check_changed("host", &[], Some((Why::Headers, 400)));
        check_changed("host", &["a", "a"], Some((Why::Headers, 400)));
        check_changed("sec-websocket-version", &[], Some((Why::Version, 426)));
        check_changed("sec-websocket-version", &["8"], Some((Why::Version, 426)));
        check_changed("sec-websocket-version", &["13, 8"], Some((Why::Version, 426)));
        check_changed("sec-websocket-version", &["13", "13"], Some((Why::Version, 426)));
        check_changed("sec-websocket-extensions", &["permessage-deflate"], None);
        check_changed("origin", &[], None);
        check_changed("origin", &["https://gateway.example:8443"], None);
        check_changed("origin", &["https://desk.example"], None);
        check_changed("origin", &["https://evil.example"], Some((Why::Origin, 403)));
        let twice = ["https://desk.example", "https://desk.example"];
        check_changed("origin", &twice, Some((Why::Origin, 403)));
        let name = "sec-websocket-protocol";
        check_changed(name, &["v9", "bearer.market.v9"], None);
        check_changed(name, &["market.v2"], None);
        check_changed(name, &["market.v9, bearer.x", "market.v2"], None);
        check_changed(name, &["market.v9"], Some((Why::Subprotocol, 400)));
        check_changed(name, &["bearer.x, Market.V1"], Some((Why::Subprotocol, 400)));
        check_changed(name, &["market.v"], Some((Why::Subprotocol, 400)));
    }

    #[test]
    fn where_an_origin_is_required_none_is_as_bad_as_a_foreign_one() {
        let list = &["https://desk.example".to_owned()];
        let judge = |headers: &[(&str, &str)]| {
            let origins = Origins { list, is_required: true };
            check(&parts(headers), origins).map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(judge(&GOOD), Err(403));
        let with = |origin| [&GOOD[..], &[("origin", origin)]].concat();
        assert_eq!(judge(&with("")), Err(403));
        assert_eq!(judge(&with("https://evil.example")), Err(403));
        assert_eq!(judge(&with("https://desk.example")), Ok(()));
        assert_eq!(judge(&with("https://gateway.example:8443")), Ok(()));
    }

    #[test]
    fn a_key_is_exactly_sixteen_bytes() {
        let bad = Some((UpgradeRefusal::Key, 400));
        let name = "sec-websocket-key";
        check_changed(name, &["AQIDBAUGBwgJCgsMDQ4PEA=="], None);
        check_changed(name, &["+/+/+/+/+/+/+/+/+/+/+w=="], None);
        check_changed(name, &[], bad);
        check_changed(name, &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="], bad);
        for value in [
            "",
            "short",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25jZ*==",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "dGhlIHNhbXBsZSBub25jZSBsb25nZXI=",
        ] {
            check_changed(name, &[value], bad);
        }
    }

    #[test]
    fn method_and_version_are_judged() {
        let mut request = parts(&GOOD);
        request.method = Method::POST;
        let origins = Origins { list: &[], is_required: false };
        assert_eq!(check(&request, origins).map_err(|r| r.status.as_u16()), Err(405));
        let mut request = parts(&GOOD);
        request.version = Version::HTTP_10;
        assert_eq!(check(&request, origins).map_err(|r| r.status.as_u16()), Err(400));
    }
}
