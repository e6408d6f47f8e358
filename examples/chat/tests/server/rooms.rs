//! What people in rooms see of each other.

use chat::Limits;
use serde_json::{Value, json};

use crate::client::TEXT;
use crate::{Server, secs, serving};

fn say(text: &str) -> Value {
    json!({ "type": "say", "text": text })
}

#[test]
fn what_one_says_all_in_the_room_hear_once_and_in_order() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        let mut bob = server.join("tea", "Bob").await?;
        let mut eve = server.join("coffee", "Eve").await?;
        assert_eq!(ann.event().await?, json!({ "type": "joined", "name": "Bob" }));
        for number in 1..=10 {
            let (speaker, name) = if number % 2 == 0 { (&ann, "Ann") } else { (&bob, "Bob") };
            speaker.say(&say(&format!("message {number}"))).await?;
            for listener in [&mut ann, &mut bob] {
                let event = listener.event().await?;
                assert_eq!(event["type"], "said");
                assert_eq!(event["number"], number);
                assert_eq!(event["name"], name);
                assert_eq!(event["text"], format!("message {number}"));
            }
        }
        eve.say(&say("anybody?")).await?;
        assert_eq!(eve.event().await?["text"], "anybody?"); // the others' did not come here
        Ok(())
    });
}

#[test]
fn who_comes_later_is_told_what_was_said_and_who_is_there() {
    let limits = Limits { history: 3, ..Limits::default() };
    serving(limits, async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        for number in 1..=5 {
            ann.say(&say(&format!("message {number}"))).await?;
            ann.event_of("said").await?;
        }
        let mut bob = server.connect().await?.open().await?;
        bob.say(&json!({ "type": "join", "room": "tea", "name": "bob" })).await?;
        let welcome = bob.event().await?;
        assert_eq!(welcome, json!({ "type": "welcome", "name": "bob", "people": ["Ann", "bob"] }));
        for number in 3..=5 {
            assert_eq!(bob.event().await?["number"], number);
        }
        ann.say(&say("hello")).await?;
        assert_eq!(bob.event().await?["number"], 6);
        Ok(())
    });
}

#[test]
fn a_name_is_that_of_one_person_until_they_leave() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        let mut other = server.connect().await?.open().await?;
        other.say(&json!({ "type": "join", "room": "tea", "name": "ANN" })).await?;
        let reason = "somebody in the room is called that already";
        assert_eq!(other.goodbye().await?, Some((1008, reason.into())));
        server.join("coffee", "ann").await?; // another room
        ann.send(crate::client::CLOSE, &[]).await?;
        while ann.frame().await?.is_some() {}
        server.join("tea", "ANN").await?;
        Ok(())
    });
}

#[test]
fn what_is_said_is_passed_on_as_it_is() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "<b>\"Ann\"</b>").await?;
        for text in ["<img src=x onerror=alert(1)>", "\"}\\\u{7}\u{2028}", "🦊", "a\nb"] {
            ann.say(&say(text)).await?;
            let event = ann.event().await?;
            assert_eq!((&event["name"], &event["text"]), (&json!("<b>\"Ann\"</b>"), &json!(text)));
        }
        ann.say(&say("  \n ")).await?; // which is nothing
        ann.say(&say("the end")).await?;
        assert_eq!(ann.event().await?["text"], "the end");
        Ok(())
    });
}

#[test]
fn who_does_not_join_properly_is_told_why() {
    serving(Limits::default(), async |server: &Server| {
        for (first, reason) in [
            ("hello", "join a room first"),
            (r#"{"type":"say","text":"hi"}"#, "join a room first"),
            (r#"{"type":"join","room":"tea","name":" "}"#, "nobody can be called that"),
            (r#"{"type":"join","room":"a/b","name":"Ann"}"#, "no room can be called that"),
        ] {
            let mut client = server.connect().await?.open().await?;
            client.send(TEXT, first.as_bytes()).await?;
            assert_eq!(client.goodbye().await?, Some((1008, reason.into())), "{first}");
        }
        let mut ann = server.join("tea", "Ann").await?;
        ann.say(&json!({ "type": "join", "room": "coffee", "name": "Ann" })).await?;
        assert_eq!(ann.goodbye().await?, Some((1008, "that was not understood".into())));
        Ok(())
    });
}

#[test]
fn there_are_so_many_rooms_and_those_that_are_empty_make_place() {
    let limits = Limits { rooms: 2, ..Limits::default() };
    serving(limits, async |server: &Server| {
        let mut ann = server.join("one", "Ann").await?;
        let _bob = server.join("two", "Bob").await?;
        let mut eve = server.connect().await?.open().await?;
        eve.say(&json!({ "type": "join", "room": "three", "name": "Eve" })).await?;
        assert_eq!(eve.goodbye().await?, Some((1008, "there are too many rooms".into())));
        ann.send(crate::client::CLOSE, &[]).await?;
        while ann.frame().await?.is_some() {}
        server.join("three", "Eve").await?;
        Ok(())
    });
}

#[test]
fn the_page_and_its_policy() {
    serving(Limits::default(), async |server: &Server| {
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let head = server.connect().await?.ask(&get("/")).await?;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
        let again = server.connect().await?.ask(&get("/")).await?;
        assert_ne!(head, again, "each page has a nonce of its own");
        let none = server.connect().await?.ask(&get("/nothing")).await?;
        assert!(none.starts_with("HTTP/1.1 404"), "{none}");
        let socket = server.connect().await?.ask(&get("/socket")).await?;
        assert!(socket.starts_with("HTTP/1.1 426"), "{socket}");
        Ok(())
    });
}

#[test]
fn a_page_of_another_site_gets_no_websocket() {
    serving(Limits::default(), async |server: &Server| {
        for (origin, status) in [
            ("http://localhost", "101"),
            ("https://friend.example", "101"),
            ("https://evil.example", "403"),
            ("null", "403"),
        ] {
            let mut client = server.connect().await?;
            let answer = client.open_with(&format!("origin: {origin}\r\n")).await?;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{origin}: {answer}");
        }
        Ok(())
    });
}

#[test]
fn who_says_nothing_at_first_is_sent_away() {
    serving(Limits::default(), async |server: &Server| {
        let mut client = server.connect().await?.open().await?;
        let goodbye = client.goodbye().await?;
        assert_eq!(goodbye, Some((1008, "you did not say who you are".into())));
        assert_eq!(server.elapsed().as_secs(), secs(10).as_secs());
        Ok(())
    });
}
