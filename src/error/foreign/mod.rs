//! Errors of other libraries: they become [`Error`](super::Error)s, carry ours through code that
//! knows nothing of this crate, and may hide a cancellation.
//!
//! | file | concept |
//! |---|---|
//! | `convert` | into [`Error`](super::Error) and out again |
//! | `causes` | the walk along the causes of an error |
//! | `disguise` | recognising a cancellation that another library has wrapped in an error of its own |

pub(super) mod causes;
pub(super) mod convert;
pub(crate) mod disguise;
