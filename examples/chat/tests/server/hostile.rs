//! Clients that break the protocol, or try to take more than their share.

use chat::Limits;
use seedbed::{move_on_after, nursery, sleep};
use serde_json::json;

use crate::client::{BINARY, CLOSE, PING, PONG, TEXT, frame, head};
use crate::{Server, secs, serving};

/// How a server says goodbye to somebody who sends this, after having joined a room.
fn goodbye_to(bytes: &[u8]) -> Option<(u16, String)> {
    let mut goodbye = None;
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        let mut bad = server.join("tea", "Bad").await?;
        bad.stream.write_all(bytes).await?;
        goodbye = bad.goodbye().await?;
        // The others are not touched by that.
        assert_eq!(ann.event_of("left").await?["name"], "Bad");
        ann.say(&json!({ "type": "say", "text": "well" })).await?;
        assert_eq!(ann.event().await?["text"], "well");
        Ok(())
    });
    goodbye
}

#[test]
fn a_frame_that_is_not_masked_breaks_the_protocol() {
    let bytes = [&head(0x81, 2)[..], b"hi"].concat();
    assert_eq!(goodbye_to(&bytes).unwrap().0, 1002);
}

#[test]
fn reserved_bits_opcodes_and_broken_control_frames_break_the_protocol() {
    let with_first = |first: u8, payload: &[u8]| {
        let mut bytes = frame(TEXT, payload);
        bytes[0] = first;
        bytes
    };
    for (what, bytes) in [
        ("a reserved bit", with_first(0xc1, b"hi")),
        ("an opcode for data", with_first(0x83, b"hi")),
        ("an opcode for control", with_first(0x8b, b"hi")),
        ("a ping in pieces", with_first(PING, b"hi")),
        ("a ping that is long", frame(PING, &[0; 126])),
        ("a continuation of nothing", with_first(0x80, b"hi")),
        ("a message within another", [with_first(0x01, b"a"), frame(TEXT, b"b")].concat()),
    ] {
        assert_eq!(goodbye_to(&bytes).expect(what).0, 1002, "{what}");
    }
}

#[test]
fn what_is_not_utf_8_is_refused() {
    assert_eq!(goodbye_to(&frame(TEXT, b"\xff\xfe")).unwrap().0, 1007);
    // Half a character is, at the end of a message, and not at the end of a piece.
    assert_eq!(goodbye_to(&frame(TEXT, "é".as_bytes().split_at(1).0)).unwrap().0, 1007);
}

#[test]
fn a_message_may_come_in_pieces() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        let message = r#"{"type":"say","text":"é"}"#.as_bytes();
        let cut = message.iter().position(|byte| *byte == 0xc3).unwrap() + 1;
        let (mut first, mut second) = (frame(TEXT, &message[..cut]), frame(TEXT, &message[cut..]));
        (first[0], second[0]) = (0x01, 0x80);
        ann.stream.write_all(&first).await?;
        ann.send(PING, b"in between").await?;
        assert_eq!(ann.frame().await?, Some((PONG, b"in between".to_vec())));
        ann.stream.write_all(&second).await?;
        assert_eq!(ann.event().await?["text"], "é");
        Ok(())
    });
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert_eq!(goodbye_to(&frame(BINARY, b"hi")).unwrap().0, 1003);
}

#[test]
fn a_huge_frame_is_refused_before_it_has_come() {
    // Its head is all that comes: 2^62 bytes, and one more than is allowed.
    for length in [1 << 62, Limits::default().message_size + 1] {
        let mut bytes = head(0x81, length);
        bytes[1] |= 0x80;
        bytes.extend_from_slice(&[0; 4]);
        assert_eq!(goodbye_to(&bytes).unwrap().0, 1009, "{length}");
    }
    // In pieces, each of which would be allowed.
    let mut piece = frame(TEXT, &[b'x'; 5000]);
    piece[0] = 0x01;
    let mut next = piece.clone();
    next[0] = 0x00;
    assert_eq!(goodbye_to(&[piece, next].concat()).unwrap().0, 1009);
}

#[test]
fn a_head_of_a_request_has_to_come_in_time() {
    serving(Limits::default(), async |server: &Server| {
        let slow = server.connect().await?;
        slow.stream.write_all(b"GET /socket HTTP/1.1\r\nhost: ch").await?;
        let mut rest = Vec::new();
        slow.stream.read_to_end(&mut rest).await?;
        assert_eq!(server.elapsed().as_secs(), 10);
        Ok(())
    });
}

/// How many bytes somebody gets rid of within some seconds, by writing this again and again.
async fn flood(server: &Server, bytes: Vec<u8>, seconds: u64) -> seedbed::Result<usize> {
    let client = server.join("tea", "Flood").await?;
    let mut sent = 0;
    let writing = async {
        loop {
            sent += client.stream.write(&bytes).await?;
        }
    };
    move_on_after::<()>(secs(seconds), writing).await?;
    Ok(sent)
}

#[test]
fn a_flood_of_pings_is_read_at_a_limited_rate() {
    serving(Limits::default(), async |server: &Server| {
        let ping = frame(PING, &[7; 125]);
        let first = flood(server, ping.repeat(100), 10).await?;
        // As much as the buffers between us hold; after that, so many frames a second.
        let second = flood_for_longer(server, &ping).await?;
        assert!(second < first, "{first} bytes, and then {second} in a minute");
        Ok(())
    });
}

/// How much more a flood gets rid of in a minute, when all buffers are full.
async fn flood_for_longer(server: &Server, ping: &[u8]) -> seedbed::Result<usize> {
    let client = server.join("lake", "Flood").await?;
    let bytes = ping.repeat(100);
    let mut sent = 0;
    let mut before = 0;
    for seconds in [10, 60] {
        before = sent;
        let writing = async {
            loop {
                sent += client.stream.write(&bytes).await?;
            }
        };
        move_on_after::<()>(secs(seconds), writing).await?;
    }
    Ok(sent - before)
}

#[test]
fn who_talks_too_much_is_slowed_down_and_loses_nothing() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        let bob = server.join("tea", "Bob").await?;
        let count = 120;
        nursery(async |n| {
            n.spawn(async {
                for number in 0..count {
                    bob.say(&json!({ "type": "say", "text": number.to_string() })).await?;
                }
                Ok(())
            });
            for number in 0..count {
                assert_eq!(ann.event_of("said").await?["text"], number.to_string());
                // She is heard at once in between.
                if number == 50 {
                    let begun = server.elapsed();
                    ann.send(PING, b"?").await?;
                    while ann.frame().await?.unwrap().0 != PONG {}
                    assert_eq!(server.elapsed(), begun);
                }
            }
            Ok(())
        })
        .await?;
        // 20 at once (of which one was needed to join), and then 5 a second.
        assert_eq!(server.elapsed().as_secs(), (count - 19) / 5);
        Ok(())
    });
}

#[test]
fn who_does_not_read_holds_up_nobody_and_is_cut_off() {
    serving(Limits::default(), async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        let lazy = server.join("tea", "Lazy").await?;
        ann.event_of("joined").await?;
        // He does not read, but he pings, so that he is not taken for one who has vanished.
        nursery(async |n| {
            let pings = n.spawn::<_, ()>(async {
                loop {
                    sleep(secs(5)).await?;
                    lazy.send(PING, &[]).await?;
                }
            });
            let long = "x".repeat(8000);
            let mut said = 0;
            loop {
                let begun = server.elapsed();
                ann.say(&json!({ "type": "say", "text": long })).await?;
                let event = ann.event().await?;
                if event["type"] == "left" {
                    assert_eq!(event["name"], "Lazy");
                    break;
                }
                said += 1;
                assert_eq!(event["number"], said);
                // What she says is not delayed by him, only by the rate at which she may talk.
                assert!(server.elapsed() - begun <= secs(1), "message {said}");
                assert!(said < 1000, "he is not cut off");
            }
            pings.cancel();
            Ok(())
        })
        .await
    });
}

#[test]
fn who_reads_slowly_misses_something_and_is_told_how_much() {
    let limits = Limits { backlog: 5, write: secs(1000), ..Limits::default() };
    serving(limits, async |server: &Server| {
        let mut ann = server.join("tea", "Ann").await?;
        let mut slow = server.join("tea", "Slow").await?;
        ann.event_of("joined").await?;
        let long = "x".repeat(8000);
        let count = 100_u64;
        for number in 1..=count {
            ann.say(&json!({ "type": "say", "text": long })).await?;
            assert_eq!(ann.event().await?["number"], number);
            // She waits for nobody; but she has to answer pings, and so has he.
            slow.send(PONG, &[]).await?;
        }
        let (mut next, mut missed) = (1, 0);
        while next <= count {
            let event = slow.event().await?;
            match event["type"].as_str().unwrap() {
                "missed" => {
                    missed += event["count"].as_u64().unwrap();
                    next += event["count"].as_u64().unwrap();
                }
                "said" => {
                    assert_eq!(event["number"], next, "in order, and once");
                    next += 1;
                }
                other => panic!("{other}"),
            }
        }
        assert!(missed > 0, "he was slow enough");
        Ok(())
    });
}

#[test]
fn a_goodbye_of_its_own_invention_is_answered_properly() {
    for (payload, code) in [(&[3][..], 1002), (&999_u16.to_be_bytes(), 1002), (&[], 0)] {
        serving(Limits::default(), async |server: &Server| {
            let mut bad = server.join("tea", "Bad").await?;
            bad.send(CLOSE, payload).await?;
            let (kind, answer) = bad.frame().await?.unwrap();
            assert_eq!(kind, CLOSE);
            let answered = answer.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]]));
            assert_eq!(answered, code, "{payload:?}");
            Ok(())
        });
    }
}
