//! Which web pages may open a session from a browser.
//!
//! The gateway's own page always may; others by exact name from `door.origins`. A browser states
//! the origin truthfully; a program may leave it out and is then no browser's victim, but where
//! `door.origin_required` says otherwise.

/// Whether `origin` is the page of `host` itself or on the list.
pub(super) fn is_welcome(origin: &[u8], host: &[u8], list: &[String]) -> bool {
    is_own(origin, host) || list.iter().any(|o| o.as_bytes().eq_ignore_ascii_case(origin))
}

/// The door speaks TLS only, so its own page is https on the very host and port asked.
fn is_own(origin: &[u8], host: &[u8]) -> bool {
    const SCHEME: &[u8] = b"https://";
    let Some((scheme, authority)) = origin.split_at_checked(SCHEME.len()) else { return false };
    scheme.eq_ignore_ascii_case(SCHEME)
        && !host.is_empty()
        && without_default_port(authority).eq_ignore_ascii_case(without_default_port(host))
}

fn without_default_port(authority: &[u8]) -> &[u8] {
    authority.strip_suffix(b":443").unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: &str, host: &str, expected: bool) {
        let list = ["https://desk.example".to_owned(), "null".to_owned()];
        assert_eq!(
            is_welcome(origin.as_bytes(), host.as_bytes(), &list),
            expected,
            "{origin} on {host}"
        );
    }

    #[test]
    fn own_page_and_listed_origins_are_welcome_and_nobody_else() {
        check("https://127.0.0.1:8443", "127.0.0.1:8443", true);
        check("https://[::1]:8443", "[::1]:8443", true);
        check("HTTPS://Gateway.Example", "gateway.example:443", true);
        check("https://desk.example", "gateway.example", true);
        check("https://DESK.example", "gateway.example", true);
        check("null", "gateway.example", true);
        check("http://gateway.example", "gateway.example", false);
        check("https://gateway.example", "gateway.example:8443", false);
        check("https://gateway.example.evil", "gateway.example", false);
        check("https://desk.example.evil", "gateway.example", false);
        check("https://desk.example/", "gateway.example", false);
        check("https://", "", false);
        check("", "", false);
    }
}
