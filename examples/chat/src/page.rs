//! The page that a browser opens.

use std::hash::{BuildHasher, RandomState};

use seedbed::hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use seedbed::hyper::{Body, Response};

const PAGE: &str = include_str!("page.html");

/// The page, with a policy by which a browser runs and loads nothing else, whatever anybody says.
pub(crate) fn page() -> Response<Body<'static>> {
    // A number that nobody can guess.
    let half = || RandomState::new().hash_one(0);
    let nonce = format!("{:016x}{:016x}", half(), half());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let mut response = Response::new(Body::from(PAGE.replace("{{nonce}}", &nonce)));
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, &policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("it is ASCII");
        response.headers_mut().insert(name, value);
    }
    response
}
