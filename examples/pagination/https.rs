// A client of HTTPS, as the guide has it: `seedbed::guide::https`.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response, Uri};
use seedbed::hyper::{Io, NurseryExecutor};
use seedbed::net::TcpStream;
use seedbed::tls::{self, TlsFailed, rustls::ClientConfig};
use seedbed::{Error, Result, TooSlow, cancellable, fail_after, nursery, sleep};

/// How long one attempt may take, and how long to wait before the second and the third.
const LIMIT: Duration = Duration::from_secs(5);
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
/// How long an answer may be.
const MOST: usize = 1 << 20;

/// Gets what is at `url`. That can be asked for twice without harm, so a failure of the network is
/// no reason to give up.
pub async fn get(config: &Arc<ClientConfig>, url: &Uri) -> Result<Response<Bytes>> {
    let mut pauses = PAUSES.into_iter();
    loop {
        match fail_after(LIMIT, get_once(config, url)).await {
            Err(error)
                if may_pass(&error)
                    && let Some(pause) = pauses.next() =>
            {
                sleep(pause).await?
            }
            Err(error) if !error.is_cancelled() => return Err(NoAnswer(url.clone(), error).into()),
            outcome => return outcome,
        }
    }
}

/// Says who has not answered: the errors of HTTP do not.
#[derive(Debug)]
struct NoAnswer(Uri, Error);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer from {}: {}", self.0, self.1)
    }
}

impl std::error::Error for NoAnswer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.1.as_dyn())
    }
}

/// Whether it may be different the next time: not if the certificate is bad, for example.
fn may_pass(error: &Error) -> bool {
    let is_refused = error.find::<TlsFailed>().is_some_and(|failed| failed.error().is_some());
    let of_network = error.find::<io::Error>().is_some() || error.find::<hyper::Error>().is_some();
    !is_refused && (of_network || error.is::<TooSlow>())
}

async fn get_once(config: &Arc<ClientConfig>, url: &Uri) -> Result<Response<Bytes>> {
    let host = url.authority().ok_or_else(|| Error::msg("a URL without a host"))?;
    let stream = TcpStream::connect((host.host(), host.port_u16().unwrap_or(443))).await?;
    let stream = tls::connect(config, host.host(), stream).await?;
    let is_http2 = stream.alpn_protocol().is_some_and(|protocol| protocol == b"h2");
    nursery(async |n| {
        // The connection is a child. It ends when its sender is dropped.
        let answer = if is_http2 {
            let io = Io::new(stream);
            let (mut sender, connection) = http2::handshake(NurseryExecutor::new(n), io).await?;
            n.spawn(async { Ok(connection.await?) });
            let request = Request::get(url).body(Empty::<Bytes>::new())?;
            cancellable(sender.send_request(request)).await??
        } else {
            let (mut sender, connection) = http1::handshake(Io::new(stream)).await?;
            n.spawn(async { Ok(connection.await?) });
            let path = url.path_and_query().map_or("/", |path| path.as_str());
            let request = Request::get(path).header(HOST, host.as_str());
            cancellable(sender.send_request(request.body(Empty::<Bytes>::new())?)).await??
        };
        let (head, body) = answer.into_parts();
        let body = cancellable(Limited::new(body, MOST).collect()).await?;
        Ok(Response::from_parts(head, body.map_err(Error::from_boxed)?.to_bytes()))
    })
    .await
}
