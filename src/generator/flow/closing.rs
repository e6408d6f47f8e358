//! What comes of it when something has ended and was closed afterwards.

use std::panic::resume_unwind;

use crate::error::Result;
use crate::error::panic::{Payload, discard, report};

/// The outcome of something that may panic.
pub(super) type Caught<T> = std::result::Result<T, Payload>;

/// The outcome of something that was closed afterwards. An error of the closing replaces that of
/// the work, as in Python; the one that is replaced is reported. A panic goes before both.
pub(super) fn settle<R>(outcome: Caught<Result<R>>, closed: Caught<Result<()>>) -> Result<R> {
    match (outcome, closed) {
        (Ok(outcome), Ok(Ok(()))) => outcome,
        (Ok(outcome), Ok(Err(error))) => {
            if let Err(replaced) = outcome
                && !replaced.is_cancelled()
            {
                report!(warn, error = %replaced, "replaced by an error of the clean-up of a flow");
            }
            Err(error)
        }
        (Ok(_), Err(payload)) => resume_unwind(payload),
        (Err(payload), closed) => {
            match closed {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    report!(error, %error, "a flow failed while it was closed after a panic");
                }
                Err(further) => discard(further),
            }
            resume_unwind(payload)
        }
    }
}
