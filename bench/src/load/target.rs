//! Where the gateway is: a `wss://` address taken apart once, at start.
//!
//! The name is resolved here, so that no thread under load ever waits for a resolver. Plain `ws://`
//! is refused: a measurement without TLS would not be one of the gateway's real work.

use std::net::{SocketAddr, ToSocketAddrs};

use rustls_pki_types::ServerName;

/// A resolved `wss://HOST[:PORT][/PATH]`.
#[derive(Clone, Debug)]
pub struct Target {
    /// What `Host:` says: the host, and the port when it is not 443.
    pub authority: String,
    /// What the certificate is checked against.
    pub name: ServerName<'static>,
    /// Path and query of the upgrade request.
    pub path: String,
    /// The first address the host resolved to.
    pub address: SocketAddr,
}

/// What is wrong with an address.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Another scheme, or none.
    #[error("url {0:?}: must begin with wss:// (the load side speaks TLS only)")]
    Scheme(String),
    /// Nothing between the scheme and the path, or a name no certificate could carry.
    #[error("url {0:?}: no valid host name")]
    Host(String),
    /// A port that is not a number from 1 to 65535.
    #[error("url {0:?}: port must be a number from 1 to 65535")]
    Port(String),
    /// The resolver's answer.
    #[error("url {url:?}: host does not resolve: {cause}")]
    Resolve {
        /// The address as given.
        url: String,
        /// What the resolver said.
        cause: String,
    },
}

impl Target {
    /// Takes `url` apart and resolves its host.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let rest = url.strip_prefix("wss://").ok_or_else(|| TargetError::Scheme(url.to_owned()))?;
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        let (host, port) = host_and_port(authority, url)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name =
            ServerName::try_from(bare.to_owned()).map_err(|_| TargetError::Host(url.to_owned()))?;
        let address = (bare, port)
            .to_socket_addrs()
            .map_err(|cause| resolve(url, &cause.to_string()))?
            .next()
            .ok_or_else(|| resolve(url, "no address"))?;
        let path = match path.as_bytes().first() {
            None => "/".to_owned(),
            Some(b'?') => format!("/{path}"),
            Some(_) => path.to_owned(),
        };
        Ok(Self { authority: authority.to_owned(), name, path, address })
    }
}

fn resolve(url: &str, cause: &str) -> TargetError {
    TargetError::Resolve { url: url.to_owned(), cause: cause.to_owned() }
}

fn host_and_port<'a>(authority: &'a str, url: &str) -> Result<(&'a str, u16), TargetError> {
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| bracket + at),
        None => authority.rfind(':'),
    };
    let (host, port) = match colon {
        None => (authority, 443),
        Some(at) => {
            let port = authority[at + 1..].parse().ok().filter(|port| *port != 0);
            (&authority[..at], port.ok_or_else(|| TargetError::Port(url.to_owned()))?)
        }
    };
    if host.is_empty() {
        return Err(TargetError::Host(url.to_owned()));
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_falls_into_host_port_and_path() {
        let target = Target::parse("wss://127.0.0.1:8443/v2?x=1").unwrap();
        assert_eq!(target.authority, "127.0.0.1:8443");
        assert_eq!(target.path, "/v2?x=1");
        assert_eq!(target.address, "127.0.0.1:8443".parse().unwrap());
        let bare = Target::parse("wss://[::1]").unwrap();
        assert_eq!((bare.path.as_str(), bare.address.port()), ("/", 443));
    }

    #[test]
    fn a_wrong_address_is_refused_by_the_part_that_is_wrong() {
        assert!(matches!(Target::parse("ws://127.0.0.1/"), Err(TargetError::Scheme(_))));
        assert!(matches!(Target::parse("wss://:1/"), Err(TargetError::Host(_))));
        assert!(matches!(Target::parse("wss://127.0.0.1:70000/"), Err(TargetError::Port(_))));
    }
}
