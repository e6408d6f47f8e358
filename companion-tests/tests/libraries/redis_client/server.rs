//! A Redis server for a test: it has a temporary folder and a free port of the loopback device, and
//! is stopped however the test ends.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use seedbed::net::TcpStream;
use seedbed::{Error, Result};

/// Starts the server (`$1` is its folder, `$2` the port), and stops it and removes the folder when
/// standard input ends: when the test says so, or has ended, however it has.
const SCRIPT: &str = r#"
    server=
    stop() {
        if [ -n "$server" ]; then
            kill "$server" 2>/dev/null
            wait "$server"
        fi
        rm -rf "$1"
    }
    trap 'stop "$@"' EXIT
    trap exit HUP INT TERM
    trap : PIPE # there is nobody to be told any more: go on, and find standard input ended
    redis-server --bind 127.0.0.1 --port "$2" --dir "$1" --save '' --appendonly no \
        </dev/null >"$1/log" 2>&1 &
    server=$!
    until [ "$(redis-cli -h 127.0.0.1 -p "$2" ping 2>/dev/null)" = PONG ]; do
        if ! kill -0 "$server" 2>/dev/null; then
            cat "$1/log" >&2
            exit 1
        fi
        sleep 0.05
    done
    echo ready
    cat >/dev/null
"#;

pub struct Server {
    shell: Child,
    port: u16,
}

impl Server {
    /// # Panics
    ///
    /// If there is no `redis-server` here, or it does not start.
    pub fn start() -> Server {
        // The port is free when it is looked for, and perhaps not a moment later.
        (0..5).find_map(|_| Self::try_start()).expect(
            "this test needs `redis-server` and `redis-cli`: install Debian's `redis-server`, as \
             `./test` does",
        )
    }

    fn try_start() -> Option<Server> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("seedbed-{}-{port}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(&folder)
            .arg(port.to_string())
            .process_group(0) // a signal to the test's group must not forestall the shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Server { shell, port };
        let mut ready = [0; 6];
        server.shell.stdout.take().unwrap().read_exact(&mut ready).is_ok().then_some(server)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A connection that is not one of those to be counted, and that has nothing to do with the
    /// library.
    pub async fn observe(&self) -> Result<Observer> {
        Ok(Observer { stream: TcpStream::connect(("127.0.0.1", self.port)).await? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

pub struct Observer {
    stream: TcpStream,
}

impl Observer {
    /// How many connections the server has, apart from this one.
    pub async fn connections(&self) -> Result<usize> {
        Ok(self.list().await?.lines().count() - 1)
    }

    /// How many of them wait for an item of a list.
    pub async fn blocked(&self) -> Result<usize> {
        Ok(self.list().await?.lines().filter(|line| line.contains(" flags=b ")).count())
    }

    /// The answer is `$`, its length, and that many bytes, with a line's end after each.
    async fn list(&self) -> Result<String> {
        self.stream.write_all(b"CLIENT LIST\r\n").await?;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer).await? {
                0 => return Err(Error::msg("the server has gone")),
                n => answer.extend_from_slice(&buffer[..n]),
            }
            let text = String::from_utf8_lossy(&answer);
            if let Some((head, list)) = text.split_once("\r\n")
                && let Some(length) = head.strip_prefix('$').and_then(|n| n.parse().ok())
                && let Some(list) = list.get(..length)
            {
                return Ok(list.to_owned());
            }
        }
    }
}
