//! A cancellation that comes back from hyper without its [`Cancelled`].

use std::error::Error as StdError;

use crate::error::Cancelled;
use crate::scope::current::with_scope;
use crate::serve::hyper::state::departed;

/// The [`Cancelled`] that an error of hyper's stands for. Of what a read or a write fails with,
/// HTTP/2 keeps only the kind and the text: by that it is known, where the scope it came from is
/// still open. Once a client has gone, whatever of hyper fails in the scope of its request is taken
/// for a consequence: hyper fails a body that is being read without saying why.
pub(crate) fn cancellation(error: &(dyn StdError + Send + Sync + 'static)) -> Option<Cancelled> {
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
