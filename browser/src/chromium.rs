//! The process.

use std::process::Stdio;

use futures::io::BufReader;
use futures::{AsyncBufReadExt, StreamExt};
use seedbed::process::Command;
use seedbed::{Error, Nursery, Result};

/// A browser without a window, with nothing in its profile.
pub struct Chromium {
    /// Where it speaks the DevTools protocol.
    pub devtools: String,
}

/// What keeps it from doing anything of its own.
const QUIET: [&str; 15] = [
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-gpu",
    "--disable-hang-monitor",
    "--disable-quic",
    "--disable-renderer-backgrounding",
    "--disable-sync",
    "--no-first-run",
    "--password-store=basic",
];

impl Chromium {
    /// Starts the browser. It ends with the nursery, and what it says goes to standard error.
    pub async fn start<'scope>(n: &'scope Nursery<'scope, '_>) -> Result<Chromium> {
        let profile = tempfile::tempdir()?;
        let mut command = Command::new("chromium");
        command
            .args(["--headless", "--no-sandbox", "--remote-debugging-port=0"])
            // Containers have little shared memory.
            .arg("--disable-dev-shm-usage")
            // Pages that share a process would crash together.
            .arg("--disable-features=ProcessPerSiteUpToMainFrameThreshold,Translate")
            .args(QUIET)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .own_group();
        let mut process = command.spawn(n).map_err(|error| {
            Error::msg(format_args!("this test needs Debian's package `chromium`: {error}"))
        })?;
        let output = process.stderr.take().expect("it is a pipe");
        let mut lines = BufReader::new(output).lines();
        let devtools = loop {
            let Some(line) = lines.next().await.transpose()? else {
                return Err(Error::msg("chromium has ended before it listened"));
            };
            eprintln!("chromium: {line}");
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                break address.to_owned();
            }
        };
        n.service(async move {
            while let Some(line) = lines.next().await.transpose()? {
                eprintln!("chromium: {line}");
            }
            drop((process, profile));
            Ok(())
        });
        Ok(Chromium { devtools })
    }
}
