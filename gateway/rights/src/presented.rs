//! Where credentials are presented: pure readers of what the door has in its hands.
//!
//! Programs send an `Authorization` header. Browsers cannot, so a page offers a second entry in
//! `Sec-WebSocket-Protocol`, `bearer.TOKEN` with the token in base64url, beside the subprotocol it
//! means; the server never echoes that entry. Last resorts are a query value, which ends up in the
//! logs of every proxy and is read only where configured, and the first message after the upgrade.
//! All take a key as well as a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::certificate::Subject;
use crate::credentials::Credentials;
use crate::failure::{AuthError, Failure};
use crate::token::TOKEN_BYTES_MAX;

/// How an entry of `Sec-WebSocket-Protocol` begins that carries a token.
const BEARER: &str = "bearer.";

/// Which places are looked at besides headers.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The name of the query value, such as `token`; none: the query is not looked at.
    pub query_key: Option<String>,
}

/// What an upgrade request brings. Values of repeated headers stay apart.
#[derive(Clone, Debug, Default)]
pub struct Presented<'a> {
    /// Every `Authorization` header.
    pub authorization: Vec<&'a [u8]>,
    /// Every `Sec-WebSocket-Protocol` header.
    pub protocols: Vec<&'a [u8]>,
    /// The query part of the address, without its question mark.
    pub query: Option<&'a str>,
    /// Whom the client certificate names, where TLS has verified one.
    pub subject: Option<Subject>,
}

impl Presented<'_> {
    /// The credentials, in whichever place they are. A text in two places is refused, since which
    /// one was meant is guesswork; a text counts before a certificate, because it was presented on
    /// purpose.
    pub fn credentials(&self, places: &Places) -> Result<Credentials, AuthError> {
        let mut found = Vec::new();
        for value in &self.authorization {
            found.push(from_authorization(value)?);
        }
        for value in &self.protocols {
            for entry in entries(value).filter(|entry| is_bearer(entry)) {
                found.push(from_protocol(entry)?);
            }
        }
        if let (Some(key), Some(query)) = (&places.query_key, self.query) {
            for value in query_values(query, key) {
                found.push(from_query(value)?);
            }
        }
        if found.len() > 1 {
            return Err(Failure::Ambiguous.into());
        }
        Ok(found.pop().unwrap_or_else(|| match &self.subject {
            Some(subject) => Credentials::Certificate { subject: subject.clone() },
            None => Credentials::None,
        }))
    }
}

/// Whether an offered subprotocol carries a token, and so must never be chosen, echoed or logged.
pub fn is_bearer_protocol(entry: &str) -> bool {
    is_bearer(entry.trim().as_bytes())
}

fn is_bearer(entry: &[u8]) -> bool {
    entry.get(..BEARER.len()).is_some_and(|head| head.eq_ignore_ascii_case(BEARER.as_bytes()))
}

fn entries(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// `Bearer TOKEN`, `Bearer KEY` or `ApiKey KEY`; the scheme in any case.
fn from_authorization(value: &[u8]) -> Result<Credentials, Failure> {
    let value = small(value)?.trim_ascii();
    let at = value.iter().position(|byte| *byte == b' ').ok_or(Failure::Malformed)?;
    let (scheme, rest) = value.split_at(at);
    let credentials = from_bytes(rest.trim_ascii_start())?;
    match &credentials {
        _ if scheme.eq_ignore_ascii_case(b"bearer") => Ok(credentials),
        Credentials::ApiKey(_) if scheme.eq_ignore_ascii_case(b"apikey") => Ok(credentials),
        _ => Err(Failure::Malformed),
    }
}

fn from_protocol(entry: &[u8]) -> Result<Credentials, Failure> {
    let encoded = small(entry)?.get(BEARER.len()..).unwrap_or_default();
    let text = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Failure::Malformed)?;
    from_bytes(&text)
}

fn from_query(value: &str) -> Result<Credentials, Failure> {
    from_bytes(small(value.as_bytes())?)
}

fn query_values<'q>(query: &'q str, key: &str) -> impl Iterator<Item = &'q str> {
    let value = move |field: &'q str| field.strip_prefix(key)?.strip_prefix('=');
    query.split('&').filter_map(value)
}

/// Keys and tokens consist of letters, digits, `-`, `_` and `.`: nothing else is read, so nothing
/// has to be unescaped.
fn from_bytes(text: &[u8]) -> Result<Credentials, Failure> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || !text.iter().all(is_plain) {
        return Err(Failure::Malformed);
    }
    std::str::from_utf8(text).map(Credentials::from_text).map_err(|_| Failure::Malformed)
}

/// Four thirds for base64, and room for the scheme.
fn small(value: &[u8]) -> Result<&[u8], Failure> {
    if value.len() > TOKEN_BYTES_MAX / 3 * 4 + 64 { Err(Failure::TooLarge) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(credentials: &Credentials) -> String {
        match credentials {
            Credentials::None => "none".into(),
            Credentials::ApiKey(key) => format!("key {}", key.expose()),
            Credentials::Token(token) => format!("token {}", token.expose()),
            Credentials::Certificate { subject } => format!("{:?}", subject.names().next()),
        }
    }

    fn check(presented: &Presented<'_>, expected: Result<&str, Failure>) {
        let places = Places { query_key: Some("token".into()) };
        let found = presented.credentials(&places).map(|found| shown(&found));
        let expected = expected.map(str::to_owned).map_err(AuthError::from);
        assert_eq!(found, expected, "{presented:?}");
    }

    fn header(value: &[u8], expected: Result<&str, Failure>) {
        check(&Presented { authorization: vec![value], ..Presented::default() }, expected);
    }

    fn protocols(value: &[u8], expected: Result<&str, Failure>) {
        check(&Presented { protocols: vec![value], ..Presented::default() }, expected);
    }

    fn query(value: &str, expected: Result<&str, Failure>) {
        check(&Presented { query: Some(value), ..Presented::default() }, expected);
    }

    #[test]
    fn the_authorization_header_is_read() {
        header(b"Bearer a.b.c", Ok("token a.b.c"));
        header(b"  bEARER   a.b.c ", Ok("token a.b.c"));
        header(b"Bearer mdg_1_2", Ok("key mdg_1_2"));
        header(b"ApiKey mdg_1_2", Ok("key mdg_1_2"));
        header(b"ApiKey a.b.c", Err(Failure::Malformed));
        header(b"Basic YTpi", Err(Failure::Malformed));
        header(b"Bearer", Err(Failure::Malformed));
        header(b"Bearer ", Err(Failure::Malformed));
        header(b"", Err(Failure::Malformed));
        header(b"Bearer a\r\nb", Err(Failure::Malformed));
        header("Bearer ä".as_bytes(), Err(Failure::Malformed));
        header(&vec![b'a'; 40_000], Err(Failure::TooLarge));
    }

    #[test]
    fn a_token_beside_the_subprotocol_is_read_and_known_as_secret() {
        protocols(b"kraken.v2, bearer.YS5iLmM", Ok("token a.b.c"));
        protocols(b"Bearer.YS5iLmM,kraken.v2", Ok("token a.b.c"));
        protocols(b"kraken.v2", Ok("none"));
        protocols(b"bearer.YS5iLmM=", Err(Failure::Malformed));
        protocols(b"bearer.", Err(Failure::Malformed));
        protocols(b"bearer.YS5iLmM, bearer.YS5iLmM", Err(Failure::Ambiguous));
        assert!(is_bearer_protocol(" BEARER.YS5i") && !is_bearer_protocol("bearer"));
    }

    #[test]
    fn the_query_is_read_only_where_configured() {
        query("a=1&token=a.b.c", Ok("token a.b.c"));
        query("token=a&token=b", Err(Failure::Ambiguous));
        query("token=a%2eb", Err(Failure::Malformed));
        query("tokens=a&xtoken=b&token", Ok("none"));
        let presented = Presented { query: Some("token=a.b.c"), ..Presented::default() };
        let found = presented.credentials(&Places::default());
        assert_eq!(found.map(|found| shown(&found)), Ok("none".into()));
    }

    #[test]
    fn credentials_in_two_places_are_refused() {
        let mut presented = Presented { authorization: vec![b"Bearer a"], ..Presented::default() };
        presented.query = Some("token=a");
        check(&presented, Err(Failure::Ambiguous));
        presented.query = None;
        presented.authorization.push(b"Bearer a");
        check(&presented, Err(Failure::Ambiguous));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(
            authorization in proptest::collection::vec(any::<u8>(), 0..60),
            protocol in proptest::collection::vec(any::<u8>(), 0..60),
            query in ".{0,40}",
        ) {
            let presented = Presented {
                authorization: vec![&authorization],
                protocols: vec![&protocol],
                query: Some(&query),
                subject: None,
            };
            let places = Places { query_key: Some("t".into()) };
            let _ = presented.credentials(&places);
            let _ = Subject::from_der(&authorization);
        }
    }
}
