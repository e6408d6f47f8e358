//! The frames that pass through a connection of HTTP/2, as far as they tell what the client still
//! has to do.
//!
//! hyper does not tell whether a client has sent all of a request, or has taken all of an answer.
//! The frames do: their heads are looked at as they go by, and nothing inside them.

/// The client begins with this many bytes that are not a frame.
const PREFACE: usize = 24;
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection of HTTP/2.
pub(super) struct Wire {
    input: Frames,
    output: Frames,
    /// The streams that the client has opened and that have not ended in both directions.
    streams: Vec<Stream>,
    /// Whether the first frame has arrived.
    begun: bool,
    /// Whether the head of a request has begun to arrive, and has not ended.
    in_head: bool,
    /// The number of bytes of bodies that have begun to arrive.
    received: u64,
    sent: u64,
}

struct Stream {
    id: u32,
    /// Whether the client has more to send.
    receives: bool,
    /// Whether the client has not been sent all of the answer yet.
    sends: bool,
}

impl Wire {
    pub(super) fn new() -> Wire {
        Wire {
            input: Frames::after(PREFACE),
            output: Frames::after(0),
            streams: Vec::new(),
            begun: false,
            in_head: false,
            received: 0,
            sent: 0,
        }
    }

    /// To be called with the bytes that were read.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        let Wire { input, streams, begun, in_head, received, .. } = self;
        input.pass(bytes, |frame| {
            let Frame { kind, flags, id, length } = frame;
            *begun = true;
            match kind {
                HEADERS => {
                    let ends = flags & END_STREAM != 0;
                    match streams.iter_mut().find(|stream| stream.id == id) {
                        Some(stream) => stream.receives &= !ends, // trailers
                        None => streams.push(Stream { id, receives: !ends, sends: true }),
                    }
                    *in_head = flags & END_HEADERS == 0;
                }
                CONTINUATION => *in_head = flags & END_HEADERS == 0,
                DATA => {
                    *received += u64::from(length);
                    if flags & END_STREAM != 0
                        && let Some(stream) = streams.iter_mut().find(|stream| stream.id == id)
                    {
                        stream.receives = false;
                    }
                }
                RST_STREAM => streams.retain(|stream| stream.id != id),
                _ => return,
            }
            streams.retain(|stream| stream.receives || stream.sends);
        });
    }

    /// To be called with the bytes that were written.
    pub(super) fn written(&mut self, bytes: &[u8]) {
        let Wire { output, streams, sent, .. } = self;
        output.pass(bytes, |Frame { kind, flags, id, length }| match kind {
            DATA | HEADERS => {
                if kind == DATA {
                    *sent += u64::from(length);
                }
                if flags & END_STREAM != 0 {
                    for stream in streams.iter_mut().filter(|stream| stream.id == id) {
                        stream.sends = false;
                    }
                    streams.retain(|stream| stream.receives || stream.sends);
                }
            }
            RST_STREAM => streams.retain(|stream| stream.id != id),
            _ => {}
        });
    }

    /// Whether every request that has begun has ended.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.is_empty() && !self.is_in_head()
    }

    /// Whether the client has sent what a connection begins with.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether part of a request's head has arrived, or of what comes before the first request.
    pub(super) fn is_in_head(&self) -> bool {
        !self.begun || self.in_head || self.input.is_within(&[HEADERS, CONTINUATION])
    }

    /// Whether the client still has the rest of a body to send.
    pub(super) fn receives(&self) -> bool {
        self.streams.iter().any(|stream| stream.receives)
    }

    /// Whether there is an answer that the client has not been sent in full.
    pub(super) fn sends(&self) -> bool {
        self.streams.iter().any(|stream| stream.sends)
    }

    /// How many bytes of bodies have begun to arrive.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// How many bytes of bodies have begun to be sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}

#[derive(Clone, Copy)]
struct Frame {
    kind: u8,
    flags: u8,
    id: u32,
    length: u32,
}

/// The frames of one direction.
struct Frames {
    /// How many of the next bytes are not part of a frame's head.
    skip: usize,
    head: [u8; HEAD],
    /// How many bytes of a head have passed.
    have: usize,
    kind: u8,
}

impl Frames {
    fn after(skip: usize) -> Frames {
        Frames { skip, head: [0; HEAD], have: 0, kind: u8::MAX }
    }

    /// Whether the rest of a frame of one of these kinds is still to come.
    fn is_within(&self, kinds: &[u8]) -> bool {
        self.skip > 0 && kinds.contains(&self.kind)
    }

    /// Calls `tell` for each frame whose head ends in `bytes`, which follow what has passed before.
    fn pass(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Frame)) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let taken = (HEAD - self.have).min(bytes.len());
            self.head[self.have..][..taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have < HEAD {
                return;
            }
            let [a, b, c, kind, flags, id @ ..] = self.head;
            let length = u32::from_be_bytes([0, a, b, c]);
            (self.have, self.skip, self.kind) = (0, length as usize, kind);
            // The first bit of the number has no meaning.
            tell(Frame { kind, flags, id: u32::from_be_bytes(id) & (u32::MAX >> 1), length });
        }
    }
}
