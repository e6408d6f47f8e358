//! What is said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use redis_server::client::Settings;
use seedbed::{Error, Result};

const USAGE: &str = "usage: redis_server [--port N] [--file FILE] [--timeout SECONDS]
                    [--max-clients N] [--max-request BYTES] [--max-unread BYTES]";

pub(crate) struct Options {
    /// 0 lets the system choose.
    pub(crate) port: u16,
    /// Where the keys are kept while there is no server.
    pub(crate) file: Option<PathBuf>,
    pub(crate) settings: Settings,
}

impl Options {
    pub(crate) fn of_command_line() -> Result<Options> {
        let mut options = Options { port: 6379, file: None, settings: Settings::default() };
        let settings = &mut options.settings;
        let mut arguments = std::env::args().skip(1);
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or_else(|| Error::msg(USAGE))?;
            match option.as_str() {
                "--port" => options.port = value.parse()?,
                "--file" => options.file = Some(value.into()),
                "--timeout" => {
                    settings.idle_limit = Some(Duration::from_secs(value.parse()?));
                }
                "--max-clients" => settings.most_clients = value.parse()?,
                "--max-request" => settings.longest_request = value.parse()?,
                "--max-unread" => settings.most_unread = value.parse()?,
                _ => return Err(Error::msg(USAGE)),
            }
        }
        Ok(options)
    }
}
