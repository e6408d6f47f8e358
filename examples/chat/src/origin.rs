//! Whose pages may open a WebSocket here.

use seedbed::hyper::Request;
use seedbed::hyper::header::{HOST, ORIGIN};

/// Whether the page that asks is one of ours, or one of those that are `allowed`. A browser lets any
/// page in the world open a WebSocket to anywhere and sends cookies along, but it says which page
/// it was. What sends no origin is not a browser, and could send any.
pub(crate) fn is_allowed<B>(request: &Request<B>, allowed: &[String]) -> bool {
    let Some(origin) = request.headers().get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.split_once("://").map(|(_, host)| host);
    of_origin.is_some() && of_origin == host || allowed.iter().any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: Option<&str>) -> bool {
        let mut request = Request::get("/socket").header(HOST, "chat.example:8080");
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        is_allowed(&request.body(()).unwrap(), &["https://friend.example".to_owned()])
    }

    #[test]
    fn a_page_of_ours_may_and_that_of_another_may_not() {
        assert!(from(None));
        for ours in ["http://chat.example:8080", "https://chat.example:8080"] {
            assert!(from(Some(ours)), "{ours}");
        }
        assert!(from(Some("https://friend.example")));
        for other in [
            "null",
            "",
            "http://chat.example",
            "http://evil.example",
            "http://chat.example:8080.evil.example",
            "http://evil.example/://chat.example:8080",
        ] {
            assert!(!from(Some(other)), "{other}");
        }
    }
}
