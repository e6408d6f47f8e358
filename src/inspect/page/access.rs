//! Who may look: from where, under which name, and with which token.

use std::hint::black_box;
use std::io;
use std::net::IpAddr;
use std::panic::Location;

use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};

use crate::error::Result;
use crate::inspect::page::listening::Listening;

/// What is demanded of those who ask.
#[derive(Default)]
pub(super) struct Access {
    pub(super) token: Option<String>,
    /// The names under which it may be asked, besides `localhost` and addresses.
    pub(super) hosts: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    Method,
    Host,
    OtherSite,
    Token,
}

impl Access {
    /// # Errors
    ///
    /// An [`io::Error`] if other machines could see the page, and nobody would ask who they are.
    pub(super) fn check_reach(
        &self,
        listening: &Listening,
        place: &'static Location<'static>,
    ) -> Result<()> {
        let refuse = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text).into());
        match (&self.token, listening.reached_at()?) {
            (Some(token), _) if token.is_empty() => {
                refuse(format!("the token of the page served at {place} is empty"))
            }
            (None, Some(address)) => refuse(format!(
                "the page served at {place} could be opened by everybody who reaches {address}; \
                 bind its listener to 127.0.0.1, or demand a token: `inspect::Server::token`"
            )),
            _ => Ok(()),
        }
    }

    /// Whether this request may be answered.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Refused> {
        if request.method() != Method::GET {
            return Err(Refused::Method);
        }
        if !self.is_host_known(request) {
            return Err(Refused::Host);
        }
        // A browser says which site makes it ask. Anybody may link to the page itself, which has
        // nothing in it.
        let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
        let is_ours = site.is_none_or(|site| matches!(site, b"same-origin" | b"none"));
        if !is_ours && request.uri().path() != "/" {
            return Err(Refused::OtherSite);
        }
        match &self.token {
            Some(token) if !is_given(request, token) => Err(Refused::Token),
            _ => Ok(()),
        }
    }

    /// Whether nobody else can have made up the name under which this was asked for. Otherwise any
    /// site could give a name of its own our address, and its pages would be ours for a browser
    /// (DNS rebinding).
    fn is_host_known<B>(&self, request: &Request<B>) -> bool {
        let of_header = request.headers().get(HOST);
        let Ok(of_header) = of_header.map(HeaderValue::to_str).transpose() else { return false };
        let of_uri = request.uri().authority().map(|authority| authority.as_str());
        let mut hosts = of_header.into_iter().chain(of_uri).peekable();
        hosts.peek().is_some() && hosts.all(|host| self.is_known(host))
    }

    fn is_known(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']');
        let is_name = |known: &str| known.eq_ignore_ascii_case(name);
        address.parse::<IpAddr>().is_ok()
            || is_name("localhost")
            || self.hosts.iter().any(|known| is_name(known))
    }
}

impl Refused {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Refused::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refused::Host | Refused::OtherSite => StatusCode::FORBIDDEN,
            Refused::Token => StatusCode::UNAUTHORIZED,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Refused::Method => "there is only GET here\n",
            Refused::Host => {
                "this is not known under that name: use an IP address or localhost, \
                 or allow the name with `inspect::Server::allow_host`\n"
            }
            Refused::OtherSite => "this is not for the pages of other sites\n",
            Refused::Token => "this needs the token, as the password or as a bearer token\n",
        }
    }
}

/// Whether the request has the token: as a bearer token, or as the password of anybody.
fn is_given<B>(request: &Request<B>, token: &str) -> bool {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.and_then(|given| given.split_once(' ')) {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") => {
            is_same(given.trim().as_bytes(), token.as_bytes())
        }
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("basic") => {
            let user = decode(given.trim()).unwrap_or_default();
            let password = user.iter().position(|&byte| byte == b':').map(|at| &user[at + 1..]);
            password.is_some_and(|password| is_same(password, token.as_bytes()))
        }
        _ => false,
    }
}

/// Compares in a time that tells nothing but whether the lengths are the same.
fn is_same(given: &[u8], token: &[u8]) -> bool {
    let difference = given.iter().zip(token).fold(0, |sum, (one, other)| sum | (one ^ other));
    given.len() == token.len() && black_box(difference) == 0
}

/// Base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.trim_end_matches('=').bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(access: &Access, headers: &[(&str, &str)]) -> Result<(), Refused> {
        let request = Request::get("/events");
        let with = headers.iter().fold(request, |with, (name, value)| with.header(*name, *value));
        access.check(&with.body(()).unwrap())
    }

    #[test]
    fn a_name_that_somebody_else_has_given_to_this_machine_is_refused() {
        let access = Access { hosts: vec!["inside.example".into()], ..Access::default() };
        for host in ["localhost", "LocalHost:1", "127.0.0.1:80", "[::1]:8080", "inside.example:1"] {
            assert_eq!(outcome(&access, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", ""] {
            assert_eq!(outcome(&access, &[("host", host)]), Err(Refused::Host), "{host}");
        }
        assert_eq!(outcome(&access, &[]), Err(Refused::Host));
    }

    #[test]
    fn both_ways_of_giving_the_token() {
        let access = Access { token: Some("over the hills".into()), ..Access::default() };
        let with = |authorization| {
            outcome(&access, &[("host", "localhost"), ("authorization", authorization)])
        };
        assert_eq!(with("Bearer over the hills"), Ok(()));
        assert_eq!(with("basic OnBvdmVyIHRoZSBoaWxscw=="), Err(Refused::Token)); // ":pover…"
        assert_eq!(with("basic OM92ZXIgdGhlIGhpbGxz"), Err(Refused::Token)); // not ASCII
        assert_eq!(with("Basic Om92ZXIgdGhlIGhpbGxz"), Ok(())); // ":over the hills"
        assert_eq!(with("Basic bWU6b3ZlciB0aGUgaGlsbHM="), Ok(())); // "me:over the hills"
        for wrong in ["Bearer over the hill", "Bearer ", "Bearer", "Digest x", "Basic *", "Basic "]
        {
            assert_eq!(with(wrong), Err(Refused::Token), "{wrong}");
        }
    }
}
