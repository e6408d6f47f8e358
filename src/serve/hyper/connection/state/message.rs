//! Whether the requests of a connection of HTTP/1 have arrived in full.
//!
//! This is only for connections that are set up by hand. There hyper reads ahead while it waits for
//! a handler, so a read that blocks does not mean that part of a body is missing. Anything that is
//! not understood here ends the watch, not the connection; what hyper understands is its own
//! business.

use std::mem;

/// How much of the present request has arrived.
pub(super) struct Message {
    step: Step,
    /// The part of the present line that has arrived.
    line: Vec<u8>,
    /// Whether the request line has arrived.
    begun: bool,
    length: u64,
    chunked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Head,
    /// This many bytes are still to come.
    Body(u64),
    ChunkSize,
    /// This many bytes are still to come, including the line break at the end.
    Chunk(u64),
    Trailers,
    /// Nothing is known any more.
    Lost,
}

impl Message {
    pub(super) fn new() -> Message {
        Message { step: Step::Head, line: Vec::new(), begun: false, length: 0, chunked: false }
    }

    /// Whether part of a request's head has arrived.
    pub(super) fn is_in_head(&self) -> bool {
        self.step == Step::Head && (self.begun || !self.line.is_empty())
    }

    /// Whether the client still has the rest of a body to send.
    pub(super) fn receives(&self) -> bool {
        !matches!(self.step, Step::Head | Step::Lost)
    }

    /// To be called with the bytes that were read.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        /// By default hyper accepts no longer lines.
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

    /// Returns the step that follows this line.
    fn after(&mut self, line: &[u8]) -> Step {
        match self.step {
            Step::Head if !line.is_empty() => match mem::replace(&mut self.begun, true) {
                false => request_line(line),
                true => self.header(line),
            },
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

    fn header(&mut self, line: &[u8]) -> Step {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Step::Head };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            let Some(length) = length else { return Step::Lost };
            self.length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            return Step::Lost; // what follows may not be HTTP
        }
        Step::Head
    }
}

fn request_line(line: &[u8]) -> Step {
    match line.starts_with(b"CONNECT ") {
        true => Step::Lost, // what follows may not be HTTP
        false => Step::Head,
    }
}
