//! A PostgreSQL server for a test: it has a temporary folder and a free port of the loopback
//! device, runs as a user without privileges, and is stopped however the test ends.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Starts the server (`$1` is the folder of its programs, `$2` its own, `$3` the port), and stops
/// it and removes the folder when standard input ends: when the test says so, or has ended, however
/// it has.
const SCRIPT: &str = r#"
    server=
    stop() {
        if [ -n "$server" ]; then
            kill -INT "$server"
            wait "$server"
        fi
        rm -rf "$2"
    }
    trap 'stop "$@"' EXIT
    trap exit HUP INT TERM
    trap : PIPE # there is nobody to be told any more: go on, and find standard input ended
    "$1/initdb" --pgdata "$2/data" --username postgres --auth trust --encoding UTF8 --locale C \
        --no-sync >&2 || exit
    "$1/postgres" -D "$2/data" -h 127.0.0.1 -p "$3" -c unix_socket_directories= -c fsync=off \
        -c log_statement=all -c log_line_prefix='%d ' </dev/null >&2 &
    server=$!
    until "$1/pg_isready" --quiet --host 127.0.0.1 --port "$3"; do
        kill -0 "$server" 2>/dev/null || exit 1
        sleep 0.05
    done
    echo ready
    cat >/dev/null
"#;

pub struct Server {
    shell: Child,
    /// Read from its start. It outlives the folder it was made in.
    log: File,
    port: u16,
}

impl Server {
    /// # Panics
    ///
    /// With what to do about it, if there is no PostgreSQL here, or it does not start.
    pub fn start() -> Server {
        let programs = programs();
        let user = is_root().then(unprivileged_user);
        // The port is free when it is looked for, and perhaps not a moment later.
        (0..5)
            .find_map(|_| Self::try_start(&programs, user))
            .expect("PostgreSQL does not start; its messages are above")
    }

    fn try_start(programs: &Path, user: Option<(u32, u32)>) -> Option<Server> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("seedbed-{}-{port}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let log = folder.join("log");
        let (writer, log) = (File::create(&log).unwrap(), File::open(&log).unwrap());
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "sh"])
            .args([programs, &folder])
            .arg(port.to_string())
            .current_dir("/")
            .process_group(0) // a signal to the test's group must not forestall the shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(writer);
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        let shell = command.spawn().unwrap();
        let mut server = Server { shell, log, port };
        let mut ready = [0; 6];
        match server.shell.stdout.take().unwrap().read_exact(&mut ready) {
            Ok(()) => Some(server),
            Err(_) => {
                eprintln!("{}", server.log());
                None
            }
        }
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// What the server has written, every statement included. A line begins with the database.
    pub fn log(&self) -> String {
        let mut log = vec![0; self.log.metadata().unwrap().len() as usize];
        self.log.read_exact_at(&mut log, 0).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let stopped = self.shell.wait();
        if !std::thread::panicking() {
            assert!(stopped.unwrap().success(), "{}", self.log());
        }
    }
}

/// The folder with the newest programs of PostgreSQL, as Debian has them, or else what is in
/// `PATH`.
fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version =
        |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = debian.map(|entry| entry.path()).max_by_key(version).map(|path| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").exists())
        .expect(
            "this test needs PostgreSQL's server: install Debian's `postgresql`, as `./test` does, or \
             have `initdb` and `postgres` in PATH",
        )
}

fn is_root() -> bool {
    id(&["-u"]).expect("`id` works") == 0
}

/// PostgreSQL refuses to run as root.
fn unprivileged_user() -> (u32, u32) {
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)))
        .expect("there is a user `postgres` or `nobody` to run the server")
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
