//! What a client is answered, in RESP2 or RESP3.

/// No reply to one request is longer than this.
const LONGEST_REPLY: usize = 128 * 1024 * 1024;

/// The version of the protocol that a client has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

impl Protocol {
    #[must_use]
    pub fn version(self) -> i64 {
        match self {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        }
    }
}

/// Appends the reply to one request.
///
/// A short request can have a very long reply, such as that to ten thousand times the same key. One
/// that would be [too long](Self::is_too_long) is not put together.
#[derive(Debug)]
pub struct Reply<'a> {
    bytes: &'a mut Vec<u8>,
    protocol: Protocol,
    begin: usize,
    is_too_long: bool,
}

impl<'a> Reply<'a> {
    pub fn new(bytes: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        let begin = bytes.len();
        Reply { bytes, protocol, begin, is_too_long: false }
    }

    /// What comes from now on is in another version of the protocol.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    /// Takes back what has been appended.
    pub fn discard(&mut self) {
        self.bytes.truncate(self.begin);
        self.is_too_long = false;
    }

    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error: a word in capitals, and what is wrong. It may quote what the client has sent, so
    /// it is made to fit on one line.
    pub fn error(&mut self, text: &str) {
        self.put(b"-");
        let (begin, end) = (self.bytes.len(), text.len());
        self.put(text.as_bytes());
        if !self.is_too_long {
            for byte in &mut self.bytes[begin..begin + end] {
                if matches!(byte, b'\r' | b'\n') {
                    *byte = b' ';
                }
            }
        }
        self.put(b"\r\n");
    }

    pub fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    /// A number of things.
    pub fn count(&mut self, count: usize) {
        self.number(b':', count as i64);
    }

    /// A string of any bytes.
    pub fn string(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.number(b'$', bytes.len() as i64);
        self.put(bytes);
        self.put(b"\r\n");
    }

    /// Nothing, in place of a string.
    pub fn null(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.put(b"$-1\r\n"),
            Protocol::Resp3 => self.put(b"_\r\n"),
        }
    }

    /// Nothing, in place of an array.
    pub fn null_array(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.put(b"*-1\r\n"),
            Protocol::Resp3 => self.put(b"_\r\n"),
        }
    }

    pub fn string_or_null(&mut self, bytes: Option<impl AsRef<[u8]>>) {
        match bytes {
            Some(bytes) => self.string(bytes),
            None => self.null(),
        }
    }

    /// The head of an array of so many values, which are to follow.
    pub fn array(&mut self, length: usize) {
        self.number(b'*', length as i64);
    }

    /// The head of so many pairs.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.number(b'*', 2 * pairs as i64),
            Protocol::Resp3 => self.number(b'%', pairs as i64),
        }
    }

    /// The head of a message that is no reply.
    pub fn push(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.number(b'*', length as i64),
            Protocol::Resp3 => self.number(b'>', length as i64),
        }
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.put(&[kind]);
        self.put(text);
        self.put(b"\r\n");
    }

    fn number(&mut self, kind: u8, value: i64) {
        // A kind, a sign, nineteen digits, the end of the line.
        let mut line = [0; 23];
        let mut begin = line.len() - 2;
        line[begin..].copy_from_slice(b"\r\n");
        let mut rest = value.unsigned_abs();
        loop {
            begin -= 1;
            line[begin] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            begin -= 1;
            line[begin] = b'-';
        }
        begin -= 1;
        line[begin] = kind;
        self.put(&line[begin..]);
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.bytes.len() - self.begin + bytes.len() > LONGEST_REPLY {
            self.is_too_long = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut Reply<'_>)) -> String {
        let mut bytes = Vec::new();
        write(&mut Reply::new(&mut bytes, protocol));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn replies_are_as_the_protocol_says() {
        for (protocol, expected) in [
            (Protocol::Resp2, "$-1\r\n*-1\r\n*4\r\n*3\r\n"),
            (Protocol::Resp3, "_\r\n_\r\n%2\r\n>3\r\n"),
        ] {
            let text = written(protocol, |reply| {
                reply.null();
                reply.null_array();
                reply.map(2);
                reply.push(3);
            });
            assert_eq!(text, expected);
        }
        let text = written(Protocol::Resp2, |reply| {
            reply.simple("OK");
            reply.integer(i64::MIN);
            reply.integer(i64::MAX);
            reply.count(0);
            reply.string("");
            reply.string(b"a\r\nb");
            reply.array(12);
        });
        let expected = "+OK\r\n:-9223372036854775808\r\n:9223372036854775807\r\n:0\r\n\
                        $0\r\n\r\n$4\r\na\r\nb\r\n*12\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_error_stays_on_its_line() {
        let text = written(Protocol::Resp2, |reply| reply.error("ERR unknown 'a\r\n+OK'"));
        assert_eq!(text, "-ERR unknown 'a  +OK'\r\n");
    }

    #[test]
    fn a_reply_that_grows_without_end_is_not_put_together() {
        let value = vec![0; 15 * 1024 * 1024];
        let mut bytes = b"+OK\r\n".to_vec();
        let mut reply = Reply::new(&mut bytes, Protocol::Resp2);
        for _ in 0..9 {
            reply.string(&value);
        }
        assert!(reply.is_too_long());
        reply.discard();
        assert_eq!(bytes, b"+OK\r\n");
    }
}
