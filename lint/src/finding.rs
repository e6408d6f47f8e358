//! What was found.

use crate::place::Place;
use crate::rules::Rule;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub at: Place,
    pub rule: Rule,
    /// What is wrong, and what to do about it.
    pub text: String,
}
