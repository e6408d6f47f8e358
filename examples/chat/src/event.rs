//! What the server and its clients say to each other: JSON objects, told apart by their `type`.

use std::time::{SystemTime, UNIX_EPOCH};

use async_tungstenite::tungstenite::Utf8Bytes;
use serde_json::{Value, json};

use crate::name::Name;

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// To enter a room. This comes first, and once.
    Join {
        room: String,
        name: String,
    },
    Say {
        text: String,
    },
}

impl Request {
    /// Returns `None` if this is not one.
    pub(crate) fn parse(text: &str) -> Option<Request> {
        let value: Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        match field("type")?.as_str() {
            "join" => Some(Request::Join { room: field("room")?, name: field("name")? }),
            "say" => Some(Request::Say { text: field("text")? }),
            _ => None,
        }
    }
}

fn event(value: Value) -> Utf8Bytes {
    value.to_string().into()
}

/// To somebody who has just come in. What was said before follows, one by one.
pub(crate) fn welcome<'a>(name: &Name, people: impl Iterator<Item = &'a Name>) -> Utf8Bytes {
    let people: Vec<_> = people.map(Name::to_string).collect();
    event(json!({ "type": "welcome", "name": name.to_string(), "people": people }))
}

pub(crate) fn joined(name: &Name) -> Utf8Bytes {
    event(json!({ "type": "joined", "name": name.to_string() }))
}

pub(crate) fn left(name: &Name) -> Utf8Bytes {
    event(json!({ "type": "left", "name": name.to_string() }))
}

pub(crate) fn said(number: u64, name: &Name, text: &str) -> Utf8Bytes {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = u64::try_from(since.as_millis()).unwrap_or_default();
    event(
        json!({ "type": "said", "number": number, "name": name.to_string(), "text": text, "at": at }),
    )
}

/// To somebody who was too slow.
pub(crate) fn missed(count: u64) -> Utf8Bytes {
    event(json!({ "type": "missed", "count": count }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_parsed_and_nothing_else_is() {
        let say = Request::Say { text: "hi".into() };
        assert_eq!(Request::parse(r#"{"type":"say","text":"hi","more":1}"#), Some(say));
        let join = Request::Join { room: "a".into(), name: "b".into() };
        assert_eq!(Request::parse(r#"{"type":"join","room":"a","name":"b"}"#), Some(join));
        let deep = "[".repeat(8_000);
        for bad in ["", "[]", "null", r#"{"type":"say"}"#, r#"{"type":"say","text":1}"#, &deep] {
            assert_eq!(Request::parse(bad), None, "{bad}");
        }
    }
}
