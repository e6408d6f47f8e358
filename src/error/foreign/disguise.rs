//! Cancellations in disguise: errors of a library that has dropped the [`Cancelled`] they come
//! from.
//!
//! Only code that works with the library can tell, so that is in a module above this one.

use std::error::Error as StdError;
use std::sync::OnceLock;

use crate::error::Cancelled;

/// Sees through the errors of a library. Implemented where this crate works with it.
pub(crate) trait Disguise: Sync {
    /// The cancellation that this error stands for.
    fn cancellation(&self, error: &(dyn StdError + Send + Sync + 'static)) -> Option<Cancelled>;
}

/// There is one such library.
static DISGUISE: OnceLock<&'static dyn Disguise> = OnceLock::new();

/// Lets conversions into [`Error`](crate::Error) see through these errors from now on.
pub(crate) fn recognise(disguise: &'static dyn Disguise) {
    DISGUISE.get_or_init(|| disguise);
}

/// The cancellation that an error of another library stands for.
pub(super) fn see_through(error: &(dyn StdError + Send + Sync + 'static)) -> Option<Cancelled> {
    DISGUISE.get()?.cancellation(error)
}
