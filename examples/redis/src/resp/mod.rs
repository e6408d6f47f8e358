//! RESP, the protocol of Redis.
//!
//! | file | concept |
//! |---|---|
//! | `request` | what a client sends, byte by byte |
//! | `words` | a request as a person types it: a line of words |
//! | `reply` | what a client is answered |

pub mod reply;
pub mod request;
#[cfg(test)]
mod tests;
mod words;
