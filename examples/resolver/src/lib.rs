//! A resolver that asks servers of DNS itself, over this crate's sockets, and keeps what it has
//! found: an example of [`seedbed::Builder::resolver`]. The messages are hickory's.
//!
//! The system's resolver knows more than this one: files, local names, search domains. This one can
//! be cancelled, waits in no thread, and knows for how long an answer holds.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use seedbed::net::{TcpStream, UdpSocket};
use seedbed::{Result, move_on_after, now, nursery};

/// How long a server may take to answer, and how often all of them are asked.
const PATIENCE: Duration = Duration::from_secs(2);
const ROUNDS: usize = 2;
/// An answer is kept for at most so long, whatever its server says.
const LONGEST: Duration = Duration::from_secs(3600);

/// Asks these servers, one after the other.
pub struct Resolver {
    servers: Vec<SocketAddr>,
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    addresses: Vec<IpAddr>,
    until: Instant,
}

impl Resolver {
    pub fn new(servers: Vec<SocketAddr>) -> Resolver {
        Resolver { servers, known: Mutex::default() }
    }

    /// Looks a name up. This is what the `Builder` is given.
    pub async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        let addresses = match self.remembered(host) {
            Some(addresses) => addresses,
            None => self.ask_for_both(host).await?,
        };
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    fn remembered(&self, host: &str) -> Option<Vec<IpAddr>> {
        let known = self.known.lock().unwrap();
        known.get(host).filter(|known| now() < known.until).map(|known| known.addresses.clone())
    }

    /// Asks for addresses of both kinds at once.
    async fn ask_for_both(&self, host: &str) -> Result<Vec<IpAddr>> {
        let name = Name::from_utf8(host.to_owned() + ".").map_err(|error| invalid(&error))?;
        let begun = now();
        let (six, four) = nursery(async |n| {
            let six = n.spawn(async { Ok(self.ask(&name, RecordType::AAAA).await) });
            let four = self.ask(&name, RecordType::A).await;
            Ok((six.await?, four))
        })
        .await?;
        // One of them will do.
        let (mut addresses, ttl) = match (six, four) {
            (Ok((mut six, ttl)), Ok((four, other))) => {
                six.extend(four);
                (six, ttl.min(other))
            }
            (Ok((some, ttl)), Err(_)) | (Err(_), Ok((some, ttl))) if !some.is_empty() => {
                (some, ttl)
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        addresses.dedup();
        if !addresses.is_empty() {
            let known = Known { addresses: addresses.clone(), until: begun + ttl };
            self.known.lock().unwrap().insert(host.to_owned(), known);
        }
        Ok(addresses)
    }

    /// Asks the servers until one answers. Returns for how long that holds, too.
    async fn ask(&self, name: &Name, kind: RecordType) -> Result<(Vec<IpAddr>, Duration)> {
        let mut last = None;
        for server in self.servers.iter().copied().cycle().take(ROUNDS * self.servers.len()) {
            match move_on_after(PATIENCE, question(server, name, kind)).await {
                Ok(Some(answer)) => return found(&answer),
                Ok(None) => {} // it is silent
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => last = Some(error), // nobody is there, for example
            }
        }
        let silent = || io::Error::new(io::ErrorKind::TimedOut, "no server answers").into();
        Err(last.unwrap_or_else(silent))
    }
}

/// Asks one server: in a datagram, and over TCP if the answer does not fit into one.
async fn question(server: SocketAddr, name: &Name, kind: RecordType) -> Result<Message> {
    let mut message = Message::new();
    let id = RandomState::new().hash_one(name) as u16; // another one each time
    let query = Query::query(name.clone(), kind);
    message.set_id(id).set_recursion_desired(true).add_query(query.clone());
    let question = message.to_vec()?;
    let is_answer = |answer: &Message| answer.id() == id && answer.query() == Some(&query);

    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(&question).await?;
    let mut buffer = [0; 4096];
    loop {
        let n = socket.recv(&mut buffer).await?;
        // What is not an answer to this is an old one, or somebody's who wants to deceive.
        match Message::from_vec(&buffer[..n]) {
            Ok(answer) if is_answer(&answer) && answer.truncated() => break,
            Ok(answer) if is_answer(&answer) => return Ok(answer),
            _ => {}
        }
    }
    let stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len())?.to_be_bytes();
    stream.write_all(&[&length, question.as_slice()].concat()).await?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let mut bytes = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut bytes).await?;
    let answer = Message::from_vec(&bytes)?;
    match is_answer(&answer) {
        true => Ok(answer),
        false => Err(invalid("the answer is to another question").into()),
    }
}

/// The addresses in an answer, whatever names led there, and for how long they hold.
fn found(answer: &Message) -> Result<(Vec<IpAddr>, Duration)> {
    match answer.response_code() {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such name").into());
        }
        other => return Err(io::Error::other(format!("the server says: {other}")).into()),
    }
    let ttl = answer.answers().iter().map(|record| record.ttl()).min();
    let ttl = ttl.map_or(LONGEST, |seconds| Duration::from_secs(seconds.into()).min(LONGEST));
    let addresses = answer.answers().iter().filter_map(|record| record.data().ip_addr());
    Ok((addresses.collect(), ttl))
}

fn invalid(error: &(impl ToString + ?Sized)) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
