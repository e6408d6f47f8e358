//! The cancellation of a request whose client has gone, and how to recognise a cancellation that
//! comes back from hyper without its [`Cancelled`].

use std::error::Error as StdError;

use crate::error::{Cancelled, Disguise, Reason};
use crate::scope::current::with_scope;

/// Why a handler is cancelled when its client has gone.
pub(crate) fn departed() -> Reason {
    Reason::Requested(Some("the client has gone".into()))
}

/// From now on, conversions into [`Error`](crate::Error) recognise a cancellation in an error of
/// hyper's.
pub(crate) fn recognise() {
    crate::error::recognise(&OfHyper);
}

struct OfHyper;

impl Disguise for OfHyper {
    /// In HTTP/2, hyper keeps only the kind and the text of the error of a read or write: a
    /// cancellation is recognised by its text, as long as the scope it came from is still open.
    /// Once a client has gone, any failure of hyper's in the scope of its request is taken for a
    /// consequence of that: hyper fails a body that is being read without saying why.
    fn cancellation(&self, error: &(dyn StdError + Send + Sync + 'static)) -> Option<Cancelled> {
        let error = error.downcast_ref::<hyper::Error>()?;
        let why = with_scope(|scope| scope.filter(|scope| scope.is_cancelled())?.cause())?;
        if *why.reason() == departed() {
            return Some(why);
        }
        let mut last: &dyn StdError = error;
        while let Some(cause) = last.source() {
            last = cause;
        }
        (last.to_string() == why.to_string()).then_some(why)
    }
}
