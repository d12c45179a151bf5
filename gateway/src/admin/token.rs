//! The operators' token: read at start, asked for by all that inspects or changes.
//!
//! **Invariant:** it is compared in a time that does not depend on where it differs, and stands in
//! no log, answer or `Debug` text. Without one the port is of this machine alone, and even there a
//! web page must not ask: what carries an `Origin`, or a `Host` that is a name of the net, is
//! refused.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use hyper::http::header::{AUTHORIZATION, HOST, ORIGIN};
use hyper::http::uri::Authority;
use hyper::http::{HeaderMap, HeaderValue};

/// Shorter ones are guessed.
const LETTERS_MIN: usize = 16;
const LETTERS_MAX: usize = 4096;

/// What operators have to show.
pub(super) struct Token(Option<Box<[u8]>>);

impl Token {
    /// Reads it; none is needed where no file is named.
    pub(super) fn read(file: Option<&Path>) -> io::Result<Self> {
        let Some(file) = file else { return Ok(Self(None)) };
        let text = fs::read_to_string(file)?;
        let token = text.trim();
        let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || !(LETTERS_MIN..=LETTERS_MAX).contains(&token.len()) {
            let words = "has to hold one token of 16 to 4096 printable letters of ASCII";
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        Ok(Self(Some(token.as_bytes().into())))
    }

    /// Whether who asks may.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        match &self.0 {
            Some(token) => {
                shown(headers).is_some_and(|shown| verify_slices_are_equal(token, shown).is_ok())
            }
            None => !headers.contains_key(ORIGIN) && headers.get(HOST).is_none_or(is_machine),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Token(..)" } else { "Token(none)" })
    }
}

fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// An address or `localhost`: a page of the net that had its name point here shows that name.
fn is_machine(host: &HeaderValue) -> bool {
    let Some(authority) = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok()) else {
        return false;
    };
    let host = authority.host().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

/// Whether an address may be served without a token.
pub(super) fn is_needed(listen: SocketAddr) -> bool {
    !listen.ip().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn only_the_very_token_is_admitted() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        fs::write(&file, "0123456789abcdef\n").expect("a file");
        let token = Token::read(Some(&file)).expect("a token");
        assert!(token.admits(&headers(AUTHORIZATION, "Bearer 0123456789abcdef")));
        assert!(token.admits(&headers(AUTHORIZATION, "bearer 0123456789abcdef")));
        for wrong in ["Bearer 0123456789abcdeg", "Bearer 0123456789abcde", "0123456789abcdef", ""] {
            assert!(!token.admits(&headers(AUTHORIZATION, wrong)), "{wrong}");
        }
        assert!(!token.admits(&HeaderMap::new()));
        assert!(!format!("{token:?}").contains("0123"));
        fs::write(&file, "short\n").expect("a file");
        assert!(Token::read(Some(&file)).is_err());
    }

    #[test]
    fn without_a_token_no_web_page_may_ask() {
        let none = Token::read(None).expect("none is needed");
        assert!(none.admits(&HeaderMap::new()));
        for own in ["127.0.0.1:9100", "[::1]:9100", "localhost", "LOCALHOST:1"] {
            assert!(none.admits(&headers(HOST, own)), "{own}");
        }
        assert!(!none.admits(&headers(HOST, "rebound.example:9100")));
        assert!(!none.admits(&headers(ORIGIN, "https://page.example")));
    }
}
