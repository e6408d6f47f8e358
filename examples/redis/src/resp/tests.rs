//! Requests, whole and cut anywhere.

use crate::resp::request::{Malformed, Parser};

type Parsed = (Vec<Vec<String>>, Result<usize, Malformed>);

/// The requests in these bytes, and how many bytes are left that are none yet, or what is wrong
/// with them. The bytes arrive in pieces of this length.
fn parse_in_pieces(bytes: &[u8], piece: usize) -> Parsed {
    let mut parser = Parser::new(1000);
    let (mut requests, mut begin, mut end) = (Vec::new(), 0, 0);
    loop {
        match parser.parse(&bytes[begin..end]) {
            Err(malformed) => return (requests, Err(malformed)),
            Ok(Some(length)) => {
                let arguments = parser.arguments(&bytes[begin..end]);
                let text = |argument| String::from_utf8_lossy(argument).into_owned();
                requests.push(arguments.from(0).map(text).collect());
                begin += length;
            }
            Ok(None) if end == bytes.len() => return (requests, Ok(end - begin)),
            Ok(None) => end = bytes.len().min(end + piece),
        }
    }
}

/// Parses bytes as a whole, and sees that it makes no difference where they are cut.
fn parse(bytes: &[u8]) -> Parsed {
    let parsed = parse_in_pieces(bytes, bytes.len().max(1));
    for piece in 1..bytes.len() {
        assert_eq!(parse_in_pieces(bytes, piece), parsed, "in pieces of {piece}");
    }
    parsed
}

#[test]
fn requests_are_arrays_of_strings_or_lines_of_words() {
    let bytes = b"*2\r\n$4\r\nECHO\r\n$5\r\na\r\n\0b\r\nPING\r\n*0\r\n\r\nget  a\n*1\r\n$0\r\n\r\n";
    let (requests, rest) = parse(bytes);
    let expected: [&[&str]; 6] = [&["ECHO", "a\r\n\0b"], &["PING"], &[], &[], &["get", "a"], &[""]];
    assert_eq!(requests, expected);
    assert_eq!(rest, Ok(0));
}

#[test]
fn words_can_be_quoted() {
    for (line, expected) in [
        (&br#"set a "b c\n\x41\"" 'd"\'' "#[..], &["set", "a", "b c\nA\"", "d\"'"][..]),
        (br#""" a"b" '\n'"#, &["", "ab", "\\n"]),
    ] {
        let (requests, rest) = parse(&[line, b"\r\n"].concat());
        assert_eq!((requests, rest), (vec![expected.iter().map(|s| (*s).into()).collect()], Ok(0)));
    }
    for line in ["\"a", "'a", "\"a\"b", "'a'b", "\"a\\"] {
        assert_eq!(parse(format!("{line}\r\n").as_bytes()).1, Err(Malformed::Quotes), "{line}");
    }
}

#[test]
fn a_request_that_is_cut_is_waited_for() {
    let whole = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n";
    for length in 0..whole.len() {
        assert_eq!(parse(&whole[..length]), (vec![], Ok(length)));
    }
}

#[test]
fn what_is_no_request_is_told_at_once() {
    for (bytes, expected) in [
        (&b"*-1\r\n"[..], Malformed::Count((*b"-1").into())),
        (b"*1048577\r\n", Malformed::Count((*b"1048577").into())),
        (b"*99999999999999999999999\r\n", Malformed::Count((*b"99999999999999999999999").into())),
        (b"*\r\n", Malformed::Count((*b"").into())),
        (b"*1\r\n$-1\r\n", Malformed::Length((*b"-1").into())),
        (b"*+1\r\n", Malformed::Count((*b"+1").into())),
        (b"*1\r\n$1x\r\n", Malformed::Length((*b"1x").into())),
        (b"*1\r\n$536870912\r\n", Malformed::TooLong { longest: 1000 }),
        (b"*1\r\n$18446744073709551615\r\n", Malformed::TooLong { longest: 1000 }),
        (b"*1\r\n*", Malformed::NoString(b'*')),
        (b"*2\r\n$1\r\na\r\n:", Malformed::NoString(b':')),
        (b"*1\r\n$1\r\nabc", Malformed::NoEnd),
        (b"*000000000000000000000000000000001", Malformed::LongLine),
        (b"*1\r\n$000000000000000000000000000000001", Malformed::LongLine),
    ] {
        assert_eq!(parse(bytes), (vec![], Err(expected)), "{}", bytes.escape_ascii());
    }
    let line = vec![b'x'; 64 * 1024 + 1];
    assert_eq!(parse_in_pieces(&line, 4096).1, Err(Malformed::LongLine));
}

#[test]
fn a_million_levels_are_no_deeper_than_one() {
    let nested = b"*1\r\n".repeat(1_000_000);
    assert_eq!(parse_in_pieces(&nested, 65_536), (vec![], Err(Malformed::NoString(b'*'))));
}

#[test]
fn a_request_in_many_pieces_is_looked_at_once() {
    // If each piece began anew, this would take a hundred billion steps.
    let mut bytes = b"*300000\r\n".to_vec();
    bytes.extend(b"$1\r\nx\r\n".repeat(300_000));
    let mut parser = Parser::new(bytes.len());
    for end in 1..bytes.len() {
        assert_eq!(parser.parse(&bytes[..end]), Ok(None));
    }
    assert_eq!(parser.parse(&bytes), Ok(Some(bytes.len())));
    assert_eq!(parser.arguments(&bytes).len(), 300_000);
}

#[test]
fn what_is_announced_is_not_allocated() {
    let mut parser = Parser::new(usize::MAX);
    assert_eq!(parser.parse(b"*1048576\r\n$1000000000\r\nabc"), Ok(None));
    assert!(parser.room_for_arguments() < 8);
}
