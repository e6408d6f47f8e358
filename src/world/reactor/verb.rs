//! What an operation on a source does: its name, and the direction whose news it waits for. Both
//! are known from the operation's type, so it stores neither.

use crate::schedule::units::parked::What;
use crate::world::reactor::readiness::Side;

/// What an operation on a source does.
pub(crate) trait Verb {
    /// The name of the method that the user called. It is listed in `schedule::units::parked`.
    const NAME: &'static str;
    const SIDE: Side;

    /// What the operation leaves where it waits.
    const WANTED: Wanted = Wanted { side: Self::SIDE, what: What::of(Self::NAME) };
}

/// The news that an operation waits for, and which operation it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(super) side: Side,
    pub(super) what: What,
}

impl Wanted {
    /// What a `poll` function of a foreign trait waits for.
    #[inline(always)]
    pub(super) const fn by_foreign_trait(side: Side) -> Wanted {
        match side {
            Side::Read => Read::WANTED,
            Side::Write => Write::WANTED,
        }
    }
}

macro_rules! verbs {
    ($($verb:ident: $name:literal waits to $side:ident;)*) => {$(
        #[doc = concat!("`", $name, "`")]
        pub(crate) struct $verb;

        impl Verb for $verb {
            const NAME: &'static str = $name;
            const SIDE: Side = Side::$side;
        }
    )*};
}

verbs! {
    Accept: "accept" waits to Read;
    Connect: "connect" waits to Write;
    Peek: "peek" waits to Read;
    Read: "read" waits to Read;
    ReadWith: "read_with" waits to Read;
    Readable: "readable" waits to Read;
    Recv: "recv" waits to Read;
    RecvFrom: "recv_from" waits to Read;
    RecvSignal: "Signals::recv" waits to Read;
    RecvWithDescriptors: "recv_with_descriptors" waits to Read;
    Send: "send" waits to Write;
    SendTo: "send_to" waits to Write;
    SendWithDescriptors: "send_with_descriptors" waits to Write;
    WaitForProcess: "the end of a process" waits to Read;
    Writable: "writable" waits to Write;
    Write: "write" waits to Write;
    WriteWith: "write_with" waits to Write;
}
