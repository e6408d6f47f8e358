//! Whose pages may open a WebSocket here.

use std::net::IpAddr;

use seedbed::hyper::Request;
use seedbed::hyper::header::{HOST, ORIGIN};

/// Whether the page that asks is one of ours, or one of those that are `allowed`. A browser lets any
/// page in the world open a WebSocket to anywhere, but it says which page it was. What sends no
/// origin is not a browser, and could send any.
pub(crate) fn is_allowed<B>(request: &Request<B>, allowed: &[String]) -> bool {
    let Some(origin) = request.headers().get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let is_ours = match (origin.split_once("://"), host) {
        (Some((_, of_origin)), Some(host)) => of_origin == host && is_of_this_machine(host),
        _ => false,
    };
    is_ours || allowed.iter().any(|allowed| allowed == origin)
}

/// Whether a host is `localhost` or an address. Anything else is a name that somebody else may have
/// given to this machine, so that their pages count as ours (DNS rebinding).
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::get("/socket").header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        is_allowed(&request.body(()).unwrap(), &["https://friend.example".to_owned()])
    }

    #[test]
    fn a_page_of_ours_may_and_that_of_another_may_not() {
        let host = "localhost:8080";
        assert!(from(host, None));
        for ours in ["http://localhost:8080", "https://localhost:8080"] {
            assert!(from(host, Some(ours)), "{ours}");
        }
        assert!(from(host, Some("https://friend.example")));
        for other in [
            "null",
            "",
            "http://localhost",
            "http://evil.example",
            "http://localhost:8080.evil.example",
            "http://evil.example/://localhost:8080",
        ] {
            assert!(!from(host, Some(other)), "{other}");
        }
    }

    #[test]
    fn a_name_that_somebody_else_has_given_to_this_machine_is_not_ours() {
        for host in ["localhost", "127.0.0.1:80", "[::1]:8080", "[::1]", "192.0.2.1"] {
            assert!(from(host, Some(&format!("http://{host}"))), "{host}");
        }
        for host in ["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example:80"] {
            assert!(!from(host, Some(&format!("http://{host}"))), "{host}");
        }
    }
}
