//! Whether the requests of a connection of HTTP/1 have come in whole.
//!
//! Only for connections that are set up by hand: there hyper reads ahead while it waits for a
//! handler, so that a read which waits does not say that a body is missing. What is not understood
//! here ends the watch, not the connection; what hyper understands is its own affair.

use std::mem;

/// What has come of the present request, of each in turn.
pub(super) struct Message {
    step: Step,
    /// The part of the present line that has come.
    line: Vec<u8>,
    begun: bool,
    length: u64,
    chunked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Head,
    /// So many bytes are to come.
    Body(u64),
    ChunkSize,
    /// So many bytes, with the end of the line behind them.
    Chunk(u64),
    Trailers,
    /// Nothing is known any more.
    Lost,
}

impl Message {
    pub(super) fn new() -> Message {
        Message { step: Step::Head, line: Vec::new(), begun: false, length: 0, chunked: false }
    }

    /// Whether a part of a request's head has come.
    pub(super) fn is_in_head(&self) -> bool {
        self.step == Step::Head && (self.begun || !self.line.is_empty())
    }

    /// Whether the client has the rest of a body still to send.
    pub(super) fn receives(&self) -> bool {
        !matches!(self.step, Step::Head | Step::Lost)
    }

    /// These bytes were read.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        /// Longer lines hyper does not take by default.
        const LONGEST: usize = 512 * 1024;
        while !bytes.is_empty() && self.step != Step::Lost {
            if let Step::Body(left) | Step::Chunk(left) = &mut self.step {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= most as u64;
                bytes = &bytes[most..];
                if *left == 0 {
                    self.step = match self.step {
                        Step::Chunk(_) => Step::ChunkSize,
                        _ => Step::Head,
                    };
                }
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.line.extend_from_slice(part);
            bytes = rest;
            if end.is_some() {
                let line = mem::take(&mut self.line);
                self.step = self.after(line.trim_ascii());
            } else if self.line.len() > LONGEST {
                self.step = Step::Lost;
            }
        }
    }

    /// What follows this line.
    fn after(&mut self, line: &[u8]) -> Step {
        match self.step {
            Step::Head if !line.is_empty() => {
                let first = !mem::replace(&mut self.begun, true);
                self.header(line, first)
            }
            Step::Head if !self.begun => Step::Head, // an empty line before a request
            Step::Head => {
                let chunked = mem::take(&mut self.chunked);
                let length = mem::take(&mut self.length);
                self.begun = false;
                match (chunked, length) {
                    (true, _) => Step::ChunkSize,
                    (false, 0) => Step::Head,
                    (false, length) => Step::Body(length),
                }
            }
            Step::ChunkSize => {
                let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = str::from_utf8(size.trim_ascii()).ok();
                match size.and_then(|size| u64::from_str_radix(size, 16).ok()) {
                    Some(0) => Step::Trailers,
                    Some(size) => Step::Chunk(size.saturating_add(2)),
                    None => Step::Lost,
                }
            }
            Step::Trailers if line.is_empty() => Step::Head,
            step => step,
        }
    }

    fn header(&mut self, line: &[u8], first: bool) -> Step {
        if first {
            return if line.starts_with(b"CONNECT ") { Step::Lost } else { Step::Head };
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Step::Head };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            let Some(length) = length else { return Step::Lost };
            self.length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            return Step::Lost; // what follows may be no HTTP
        }
        Step::Head
    }
}
