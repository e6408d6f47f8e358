//! The resolver, with a server of its own.
#![cfg(unix)]

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use resolver::Resolver;
use seedbed::net::{TcpListener, UdpSocket, lookup_host};
use seedbed::testing::VirtualClock;
use seedbed::{Builder, Result, move_on_after, nursery, sleep};

/// What a server says to a question, after the first so many have been lost.
#[derive(Default)]
struct Server {
    lost: Cell<usize>,
    asked: RefCell<Vec<String>>,
}

impl Server {
    fn answer(&self, question: &Message, over_tcp: bool) -> Message {
        let query = question.query().unwrap();
        let name = query.name().to_utf8();
        let way = if over_tcp { " over TCP" } else { "" };
        self.asked.borrow_mut().push(format!("{} {name}{way}", query.query_type()));
        let mut answer = question.clone();
        answer.set_message_type(MessageType::Response);
        let mut add = |data| {
            answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
        };
        match (name.as_str(), query.query_type()) {
            ("here.test.", RecordType::A) => add(RData::A(A::new(127, 0, 0, 1))),
            ("here.test.", _) => add(RData::AAAA(AAAA::new(0, 0, 0, 0, 0, 0, 0, 1))),
            ("alias.test.", RecordType::A) => {
                add(RData::CNAME(CNAME("here.test.".parse::<Name>().unwrap())));
                add(RData::A(A::new(127, 0, 0, 2)));
            }
            ("alias.test.", _) => {}
            ("long.test.", RecordType::A) if !over_tcp => _ = answer.set_truncated(true),
            ("long.test.", RecordType::A) => add(RData::A(A::new(127, 0, 0, 3))),
            ("long.test.", _) => {}
            _ => _ = answer.set_response_code(ResponseCode::NXDomain),
        }
        answer
    }

    async fn over_udp(&self, socket: &UdpSocket) -> Result<()> {
        let mut buffer = [0; 512];
        loop {
            let (n, from) = socket.recv_from(&mut buffer).await?;
            if self.lost.get() > 0 {
                self.lost.set(self.lost.get() - 1);
                continue;
            }
            socket.send_to(b"garbage", from).await?; // which is passed over
            let answer = self.answer(&Message::from_vec(&buffer[..n])?, false);
            socket.send_to(&answer.to_vec()?, from).await?;
        }
    }

    async fn over_tcp(&self, listener: &TcpListener) -> Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let mut length = [0; 2];
            stream.read_exact(&mut length).await?;
            let mut question = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut question).await?;
            let answer = self.answer(&Message::from_vec(&question)?, true).to_vec()?;
            let length = u16::try_from(answer.len())?.to_be_bytes();
            stream.write_all(&[&length, answer.as_slice()].concat()).await?;
        }
    }
}

/// Runs with a resolver that asks the server.
fn with(server: &Server, main: impl AsyncFnOnce() -> Result<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let socket = std::net::UdpSocket::bind(address).unwrap();
    let resolver = Resolver::new(vec![address]);
    Builder::new()
        .clock(&VirtualClock::new())
        .resolver(async move |host: &str, port: u16| resolver.look_up(host, port).await)
        .run(async {
            let (socket, listener) =
                (UdpSocket::from_std(socket)?, TcpListener::from_std(listener)?);
            nursery(async |n| {
                n.spawn(server.over_udp(&socket));
                n.spawn(server.over_tcp(&listener));
                main().await?;
                n.cancel();
                Ok(())
            })
            .await
        })
        .unwrap();
}

async fn addresses(name: &str) -> Result<Vec<IpAddr>> {
    let found = lookup_host((name, 443)).await?;
    assert!(found.iter().all(|address| address.port() == 443));
    Ok(found.iter().map(SocketAddr::ip).collect())
}

fn ips<const N: usize>(texts: [&str; N]) -> Vec<IpAddr> {
    texts.map(|text| text.parse().unwrap()).into()
}

#[test]
fn addresses_of_both_kinds_are_found_and_kept_for_as_long_as_they_hold() {
    let server = Server::default();
    with(&server, async || {
        assert_eq!(addresses("here.test").await?, ips(["::1", "127.0.0.1"]));
        assert_eq!(server.asked.borrow().len(), 2);
        sleep(Duration::from_secs(59)).await?;
        addresses("here.test").await?;
        assert_eq!(server.asked.borrow().len(), 2);
        sleep(Duration::from_secs(2)).await?;
        addresses("here.test").await?;
        assert_eq!(server.asked.borrow().len(), 4);
        assert_eq!(addresses("alias.test").await?, ips(["127.0.0.2"]));
        Ok(())
    });
}

#[test]
fn what_does_not_fit_into_a_datagram_comes_over_tcp() {
    let server = Server::default();
    with(&server, async || {
        assert_eq!(addresses("long.test").await?, ips(["127.0.0.3"]));
        assert!(server.asked.borrow().contains(&"A long.test. over TCP".to_owned()));
        Ok(())
    });
}

#[test]
fn a_question_that_is_lost_is_asked_again() {
    let server = Server::default();
    server.lost.set(2);
    with(&server, async || {
        let begun = seedbed::now();
        assert_eq!(addresses("here.test").await?.len(), 2);
        assert_eq!((seedbed::now() - begun).as_secs(), 2);
        // And in the end given up.
        server.lost.set(100);
        let error = addresses("other.test").await.unwrap_err();
        assert_eq!(error.to_string(), "looking up `other.test:443`: no server answers");
        // Whoever has a limit of its own does not wait for that.
        let second = Duration::from_secs(1);
        assert!(move_on_after(second, addresses("third.test")).await?.is_none());
        Ok(())
    });
}

#[test]
fn a_name_that_is_not_there_is_an_error_that_says_so() {
    let server = Server::default();
    with(&server, async || {
        let error = addresses("nowhere.test").await.unwrap_err();
        assert!(error.to_string().contains("there is no such name"), "{error}");
        let error = addresses("not..a.name").await.unwrap_err();
        assert!(error.to_string().contains("`not..a.name"), "{error}");
        Ok(())
    });
}
