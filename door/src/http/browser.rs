//! What a browser says about where a request comes from.

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version};
use std::net::IpAddr;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request is addressed to a name that only this machine has.
///
/// A page of another site can make its own name lead to 127.0.0.1 (DNS rebinding): its requests then come from this
/// machine, and are same-origin to the browser. The name that they are addressed to gives them away. Only HTTP/1.0 may
/// leave the name out (RFC 9112, section 3.2), and no browser does.
#[must_use]
pub fn is_for_loopback(parts: &Parts) -> bool {
    let mut named = parts.version < Version::HTTP_11;
    for host in parts.headers.get_all(HOST) {
        if !host.to_str().is_ok_and(is_loopback) {
            return false;
        }
        named = true;
    }
    named && parts.uri.authority().is_none_or(|authority| is_loopback(authority.as_str()))
}

/// `localhost`, `127.0.0.1`, `[::1]` and their like, with a port or without.
fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether a browser says that a page of another site made the request. What is no browser says nothing.
///
/// `secure`: it came over TLS. Without, a TLS proxy may stand in front, so that the scheme of the page says nothing.
#[must_use]
pub fn is_cross_site(headers: &HeaderMap, secure: bool) -> bool {
    // "none": a person typed the address.
    let elsewhere = |site: &[u8]| site != b"same-origin" && site != b"none";
    headers.get_all(SEC_FETCH_SITE).iter().any(|site| elsewhere(site.as_bytes()))
        || headers.get_all(ORIGIN).iter().any(|origin| !is_own(origin.as_bytes(), headers, secure))
}

/// Whether an origin is the one that the request is addressed to.
fn is_own(origin: &[u8], headers: &HeaderMap, secure: bool) -> bool {
    let authority = match origin.strip_prefix(b"https://") {
        None if secure => return false,
        None => origin.strip_prefix(b"http://"),
        some => some,
    };
    let Some(authority) = authority else { return false };
    headers.get(HOST).is_some_and(|host| host.as_bytes().eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(target: &str, version: Version, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_loopback_names_are_for_this_machine() {
        let asked = |host: &str| is_for_loopback(&parts("/", Version::HTTP_11, &[("host", host)]));
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"] {
            assert!(asked(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1:8080", "", "[::2]"]
        {
            assert!(!asked(host), "{host}");
        }
        for host in ["localhost@evil.example", "evil.example:80@127.0.0.1.nip.io"] {
            assert!(!asked(host), "{host}");
        }
    }

    #[test]
    fn every_name_of_a_request_counts() {
        assert!(!is_for_loopback(&parts("/", Version::HTTP_11, &[])));
        assert!(is_for_loopback(&parts("/", Version::HTTP_10, &[])));
        assert!(!is_for_loopback(&parts("/", Version::HTTP_10, &[("host", "evil.example")])));
        assert!(!is_for_loopback(&parts("http://evil.example/", Version::HTTP_11, &[("host", "localhost")])));
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert!(!is_for_loopback(&parts("/", Version::HTTP_11, &twice)));
    }

    #[test]
    fn other_sites_are_told_by_either_header() {
        let cross = |headers: &[(&str, &str)], secure| {
            let own = ("host", "gate.example:8080");
            let headers = [&[own], headers].concat();
            is_cross_site(&parts("/", Version::HTTP_11, &headers).headers, secure)
        };
        for origin in ["http://gate.example:8080", "https://gate.example:8080"] {
            assert!(!cross(&[("origin", origin)], false), "{origin}");
        }
        assert!(cross(&[("origin", "http://gate.example:8080")], true), "a page without TLS is another one");
        for origin in ["null", "http://evil.example", "http://gate.example", "ftp://gate.example:8080", ""] {
            assert!(cross(&[("origin", origin)], false), "{origin}");
        }
        for site in ["cross-site", "same-site", "SAME-ORIGIN", ""] {
            assert!(cross(&[("sec-fetch-site", site)], false), "{site}");
        }
        assert!(!cross(&[("sec-fetch-site", "same-origin")], false) && !cross(&[("sec-fetch-site", "none")], false));
        assert!(!cross(&[], true), "no browser");
    }
}
