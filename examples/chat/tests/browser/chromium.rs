//! A browser without a window.

use std::path::Path;
use std::process::Stdio;

use futures::io::BufReader;
use futures::{AsyncBufReadExt, StreamExt};
use seedbed::process::Command;
use seedbed::{Nursery, Result};

pub struct Chromium {
    /// Where it speaks the DevTools protocol.
    pub devtools: String,
}

impl Chromium {
    /// Starts the browser, with nothing in its profile, which is in `folder`.
    pub async fn start<'scope>(n: &'scope Nursery<'scope, '_>, folder: &Path) -> Result<Chromium> {
        let mut command = Command::new("chromium");
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            // Containers have little shared memory.
            .args(["--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", folder.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .own_group();
        let mut process = command.spawn(n).map_err(|error| {
            seedbed::Error::msg(format_args!(
                "this test needs Debian's package `chromium`: {error}"
            ))
        })?;
        let output = process.stderr.take().expect("it is a pipe");
        let mut lines = BufReader::new(output).lines();
        let mut said = Vec::new();
        let devtools = loop {
            let Some(line) = lines.next().await.transpose()? else {
                panic!("chromium has ended: {said:#?}");
            };
            match line.strip_prefix("DevTools listening on ") {
                Some(address) => break address.to_owned(),
                None => said.push(line),
            }
        };
        n.service(async move {
            while lines.next().await.transpose()?.is_some() {}
            drop(process);
            Ok(())
        });
        Ok(Chromium { devtools })
    }
}
