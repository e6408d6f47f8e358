//! HTTP through hyper: S2 to S7.
#![cfg(unix)]

mod connections;
mod handlers;
mod limits;
