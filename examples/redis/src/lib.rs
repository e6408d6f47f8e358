//! A Redis-compatible server, for `redis-cli`, `redis-benchmark` and programs that know Redis:
//! strings, expiry, lists, publish and subscribe, pipelines, RESP2 and RESP3.
//!
//! Begin with [`serve`], which is the part that waits, and shows how such a server is written with
//! seedbed. The rest never waits, and knows nothing of a runtime.
//!
//! | folder | concept |
//! |---|---|
//! | `serve/` | the server: its connections, its subscribers, its service, how it stops |
//! | `client/` | a client, apart from its socket: what it has sent, and what answers it |
//! | `command/` | the commands |
//! | `data/` | keys and values, channels and subscribers, the file they are saved in |
//! | `resp/` | the protocol: requests and replies |

pub mod client;
pub mod command;
pub mod data;
pub mod resp;
pub mod serve;
