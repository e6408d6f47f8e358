//! A client that sends anything, cut anywhere.
//!
//! It makes no difference where the bytes are cut, no buffer grows beyond what has arrived, every
//! request is answered once, and every answer is as the protocol says.

use redis_server::client::budget::Budget;
use redis_server::client::input::Input;
use redis_server::client::session::Session;
use redis_server::command::{self, Next};
use redis_server::data::Data;

/// What is likely to matter to the parser.
const FRAGMENTS: &[&[u8]] = &[
    b"*",
    b"$",
    b"\r\n",
    b"\r",
    b"\n",
    b"0",
    b"1",
    b"2",
    b"-1",
    b"9999999999999999999",
    b"*1\r\n",
    b"*3\r\n$3\r\n",
    b"$1\r\n",
    b"$4\r\n",
    b"PING\r\n",
    b"\"",
    b"'",
    b"\\x",
    b" ",
    b"\0",
    b"+",
    b":",
];

/// What requests are made of.
const WORDS: &[&str] = &[
    "APPEND",
    "CLIENT",
    "COMMAND",
    "CONFIG",
    "DBSIZE",
    "DECRBY",
    "DEL",
    "EXISTS",
    "EXPIRE",
    "EXPIREAT",
    "EXPIRETIME",
    "GET",
    "GETDEL",
    "GETRANGE",
    "GETSET",
    "HELLO",
    "INCR",
    "INCRBY",
    "KEYS",
    "LINDEX",
    "LLEN",
    "LPOP",
    "LPUSH",
    "LPUSHX",
    "LRANGE",
    "LREM",
    "LSET",
    "LTRIM",
    "MGET",
    "MSET",
    "MSETNX",
    "PERSIST",
    "PEXPIRE",
    "PING",
    "PSETEX",
    "PUBLISH",
    "PUBSUB",
    "RENAME",
    "RESET",
    "RPOP",
    "RPUSH",
    "SELECT",
    "SET",
    "SETEX",
    "SETNX",
    "STRLEN",
    "SUBSCRIBE",
    "TTL",
    "TYPE",
    "UNSUBSCRIBE",
    "a",
    "b",
    "l",
    "*",
    "[a-",
    "0",
    "1",
    "-1",
    "7",
    "9223372036854775807",
    "-9223372036854775808",
    "EX",
    "PX",
    "PXAT",
    "NX",
    "XX",
    "GT",
    "GET",
    "KEEPTTL",
    "2",
    "3",
    "SETNAME",
    "DOCS",
    "GETNAME",
    "CHANNELS",
    "NUMSUB",
    "x\r\ny",
    "",
];

/// Draws what the bytes say: what the client sends, and the lengths in which it arrives.
fn draw(bytes: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let (mut sent, mut cuts) = (Vec::new(), Vec::new());
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            0..16 => sent.push(bytes.next().unwrap_or_default()),
            16..48 => sent.extend_from_slice(FRAGMENTS[usize::from(byte) % FRAGMENTS.len()]),
            48..64 => cuts.push(usize::from(byte - 47)),
            64..72 => cuts.push(usize::from(byte) * 64),
            72.. => {
                let words: Vec<_> = bytes.by_ref().take(1 + usize::from(byte % 5)).collect();
                sent.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
                for word in words {
                    let word = WORDS[usize::from(word) % WORDS.len()];
                    sent.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
                }
            }
        }
    }
    (sent, cuts)
}

/// What came of it: the requests, and what was wrong then, if something was.
type Parsed = (Vec<Vec<Vec<u8>>>, Option<String>);

fn parse(sent: &[u8], cuts: &[usize]) -> Parsed {
    let mut input = Input::new(10_000, Budget::new(0));
    let mut requests = Vec::new();
    let mut cuts = cuts.iter().copied().cycle();
    let mut arrived = 0;
    while arrived < sent.len() {
        let room = input.room().expect("nothing is that long");
        assert!(room.len() <= (2 * arrived).max(64 * 1024));
        let length = cuts.next().unwrap_or(usize::MAX).min(room.len()).min(sent.len() - arrived);
        room[..length].copy_from_slice(&sent[arrived..][..length]);
        input.filled(length);
        arrived += length;
        loop {
            match input.next() {
                Ok(Some(request)) => requests.push(request.from(0).map(Vec::from).collect()),
                Ok(None) => break,
                Err(malformed) => return (requests, Some(malformed.to_string())),
            }
        }
    }
    (requests, None)
}

/// Executes everything, and returns how many replies there ought to be, and the replies.
fn execute(sent: &[u8]) -> (usize, Vec<u8>) {
    let mut input = Input::new(10_000, Budget::new(0));
    let (mut data, mut session) = (Data::default(), Session::new(1));
    data.store.set_now(1_700_000_000_000);
    let (mut expected, mut replies, mut rest) = (0, Vec::new(), sent);
    while !rest.is_empty() {
        let room = input.room().expect("nothing is that long");
        let length = room.len().min(rest.len());
        room[..length].copy_from_slice(&rest[..length]);
        input.filled(length);
        rest = &rest[length..];
        while let Ok(Some(request)) = input.next() {
            if request.is_empty() {
                continue;
            }
            let may_be_several =
                request.get(0).is_some_and(|name| name.eq_ignore_ascii_case(b"UNSUBSCRIBE"));
            expected += match command::execute(request, &mut data, &mut session, &mut replies) {
                // Each channel is confirmed, if there are as many as it takes.
                Next::GoOn | Next::Close if may_be_several => request.len().max(2) - 1,
                Next::GoOn | Next::Close => 1,
                Next::Subscribe | Next::Shutdown => 0,
            };
            data.store.remove_due(3);
        }
        if input.is_amid_request() && input.next().is_err() {
            break;
        }
    }
    for (key, ..) in data.store.iter() {
        assert!(data.store.deadline(key).is_some());
    }
    (expected, replies)
}

/// Takes one value from the beginning, and returns what comes after it.
fn value(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a line ends");
    let (kind, line, mut rest) = (bytes[0], &bytes[1..end], &bytes[end + 2..]);
    assert!(!line.contains(&b'\n'), "{}", line.escape_ascii());
    let number = || std::str::from_utf8(line).unwrap().parse::<i64>().unwrap();
    match kind {
        b'+' | b'-' => {}
        b'_' => assert!(line.is_empty()),
        b':' => drop(number()),
        b'$' if number() >= 0 => {
            let length = number() as usize;
            assert_eq!(&rest[length..length + 2], b"\r\n");
            rest = &rest[length + 2..];
        }
        b'$' => assert_eq!(number(), -1),
        b'*' | b'>' | b'%' => {
            let values = number() * if kind == b'%' { 2 } else { 1 };
            assert!(values >= -1);
            for _ in 0..values {
                rest = value(rest);
            }
        }
        _ => panic!("no kind of value: {}", bytes.escape_ascii()),
    }
    rest
}

pub fn run(bytes: &[u8]) {
    let (sent, cuts) = draw(bytes);
    let whole = parse(&sent, &[]);
    assert_eq!(parse(&sent, &cuts), whole);
    assert_eq!(parse(&sent, &[1]), whole);

    let (expected, replies) = execute(&sent);
    let (mut found, mut rest) = (0, &replies[..]);
    while !rest.is_empty() {
        rest = value(rest);
        found += 1;
    }
    assert_eq!(found, expected, "{}", sent.escape_ascii());
}
