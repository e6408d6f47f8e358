//! Clients that leave, vanish, or are left.

use chat::Limits;
use seedbed::{nursery, sleep};
use serde_json::json;

use crate::client::{CLOSE, PING, PONG};
use crate::{Server, secs, serving};

#[test]
fn who_says_goodbye_is_answered_and_the_others_are_told() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        let mut bob = server.join("tea", "Bob").await?;
        bob.send(CLOSE, &[&1000_u16.to_be_bytes()[..], b"bye"].concat()).await?;
        assert_eq!(bob.goodbye().await?, Some((1000, "bye".into())));
        assert_eq!(ann.event_of("left").await?["name"], "Bob");
        assert_eq!(server.elapsed().as_secs(), 0);
        Ok(())
    });
}

#[test]
fn who_hangs_up_has_left() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        drop(server.join("tea", "Bob").await?);
        assert_eq!(ann.event_of("left").await?["name"], "Bob");
        // In the middle of a message.
        let eve = server.join("tea", "Eve").await?;
        eve.stream.write_all(&[0x81, 0xfe, 0x10]).await?;
        drop(eve);
        assert_eq!(ann.event_of("left").await?["name"], "Eve");
        // And who only ends his side, since a WebSocket is of no use with one.
        let half = server.join("tea", "Half").await?;
        half.stream.shutdown(std::net::Shutdown::Write)?;
        assert_eq!(ann.event_of("left").await?["name"], "Half");
        assert_eq!(server.elapsed().as_secs(), 0);
        Ok(())
    });
}

#[test]
fn who_vanishes_without_a_word_has_left_after_a_ping_that_nobody_answered() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        // Bob's machine is gone: his end of the connection stays open, and nothing comes from it.
        let _bob = server.join("tea", "Bob").await?;
        ann.event_of("joined").await?;
        let left = loop {
            match ann.frame().await? {
                Some((PING, payload)) => ann.send(PONG, &payload).await?,
                Some((_, event)) => break String::from_utf8(event).unwrap(),
                None => panic!("Ann is still there"),
            }
        };
        assert_eq!(left, r#"{"name":"Bob","type":"left"}"#);
        assert_eq!(server.elapsed().as_secs(), 30);
        Ok(())
    });
}

#[test]
fn who_answers_pings_may_be_silent_for_ever() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        for number in 1..=100 {
            assert_eq!(ann.frame().await?, Some((PING, vec![])));
            assert_eq!(server.elapsed().as_secs(), 20 * number);
            ann.send(PONG, &[]).await?;
        }
        Ok(())
    });
}

#[test]
fn whoever_speaks_is_not_asked() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        for _ in 0..10 {
            sleep(secs(15)).await?;
            ann.say(&json!({ "type": "say", "text": "still here" })).await?;
            assert_eq!(ann.frame().await?.unwrap().0, crate::client::TEXT);
        }
        Ok(())
    });
}

#[test]
fn when_the_server_stops_all_are_told_and_hear_what_was_said_before() {
    serving(Limits::default(), async |server: &Server| {
        let mut people = Vec::new();
        for number in 0..5 {
            people.push(server.join("tea", &format!("person {number}")).await?);
        }
        let mut stranger = server.connect().await?.open().await?; // who has not said a word yet
        people[0].say(&json!({ "type": "say", "text": "last words" })).await?;
        people[0].event_of("said").await?;
        server.stop.set();
        for person in &mut people[1..] {
            assert_eq!(person.event_of("said").await?["text"], "last words");
        }
        for person in people.iter_mut().chain([&mut stranger]) {
            let goodbye = person.goodbye().await?;
            assert_eq!(goodbye, Some((1001, "the server is stopping".into())));
        }
        assert_eq!(server.elapsed().as_secs(), 0);
        Ok(())
    });
}

#[test]
fn a_stop_does_not_wait_for_ever_for_who_does_not_answer_its_goodbye() {
    serving(Limits::default(), async |server: &Server| {
        let mut silent = server.join("tea", "Silent").await?;
        server.stop.set();
        let (kind, payload) = silent.frame().await?.unwrap();
        assert_eq!((kind, &payload[..2]), (CLOSE, &1001_u16.to_be_bytes()[..]));
        // Two seconds for the goodbye.
        assert_eq!(silent.frame().await?, None);
        assert_eq!(server.elapsed().as_secs(), 2);
        Ok(())
    });
}

#[test]
fn a_room_in_which_many_come_and_go_at_once_stays_right() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        nursery(async |n| {
            for number in 0..50 {
                n.spawn(async move {
                    let client = server.join("tea", &format!("guest {number}")).await?;
                    if number % 2 == 0 {
                        client.send(CLOSE, &[]).await?;
                    }
                    Ok(())
                });
            }
            Ok(())
        })
        .await?;
        for _ in 0..50 {
            ann.event_of("left").await?;
        }
        let mut bob = server.connect().await?.open().await?;
        bob.say(&json!({ "type": "join", "room": "tea", "name": "Bob" })).await?;
        assert_eq!(bob.event().await?["people"], json!(["Ann", "Bob"]));
        Ok(())
    });
}
