//! One connection, served or driven to its end.
//!
//! | file or folder | concept |
//! |---|---|
//! | `serve_connection` | serving one connection: the entry point |
//! | `preface` | which version of HTTP a client speaks |
//! | `drive` | polling hyper to the end |
//! | `steps` | what happens when hyper has nothing to do, and when it is over |
//! | `giving_up` | how often something that is cancelled but keeps waiting is polled |
//! | `pace` | whether the client does its part in time |
//! | `state/` | what is known about the connection meanwhile |

pub(crate) mod drive;
pub(crate) mod giving_up;
pub(crate) mod pace;
mod preface;
pub(crate) mod serve_connection;
pub(crate) mod state;
pub(crate) mod steps;
