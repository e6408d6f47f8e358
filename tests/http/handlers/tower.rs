//! X4: services of the crate `tower` are served as handlers are, and what they await of this crate
//! sees its cancellations and cleans up.

use std::cell::{Cell, RefCell};
use std::future::{Ready, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::StreamExt;
use futures::{AsyncReadExt, AsyncWriteExt};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming};
use hyper::{Request, Response};
use seedbed::hyper::{
    Body, Connection, Limits, OnThread, Server, local, local_answer, serve_tower, upgrade,
};
use seedbed::net::{TcpListener, TcpStream, UnixStream};
use seedbed::{
    CancelScope, Error, Event, HandlerPanicked, Receiver, Result, Yielder, cancellable, channel,
    fail_after, finishing, generator, move_on_after, nursery, sleep, sleep_forever, until_stopped,
};
use tower_service::Service;

use super::{CLEANED_UP, Log, get, http2_client};
use crate::{GET, SECOND, run_virtually};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Answered = Result<Response<Full<Bytes>>>;

/// A service made of a function, always ready.
#[derive(Clone)]
struct Function<F>(F);

impl<F, T, B> Service<Request<Incoming>> for Function<F>
where
    F: FnMut(Request<Incoming>) -> T,
    T: Future<Output = Result<Response<B>>>,
{
    type Response = Response<B>;
    type Error = Error;
    type Future = T;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> T {
        (self.0)(request)
    }
}

/// What a router asks of its handlers.
fn handler<T>(future: impl Future<Output = T> + Send + 'static) -> BoxFuture<T> {
    Box::pin(future)
}

fn text(text: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::from(text))
}

/// How the client or the server ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    ClientGoes,
    ServerIsCancelled,
    GraceIsOver,
}

const WAYS: [Ends; 3] = [Ends::ClientGoes, Ends::ServerIsCancelled, Ends::GraceIsOver];

/// Serves one request for which the log begins, ends in this way, and says how long all took.
fn ends<S, B>(how: Ends, http2: bool, begun: &Event, service: S) -> Duration
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Error> + Clone,
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static,
{
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        let (server, asking) = (CancelScope::new(), CancelScope::new());
        let (server, asking) = (&server, &asking);
        nursery(async |n| {
            n.spawn(
                server.enter(async |_| Connection::new(stream, "test").serve_tower(service).await),
            );
            n.spawn(asking.enter(async |_| {
                nursery(async |n| match http2 {
                    true => {
                        let mut sender = http2_client(n, client).await?;
                        let all = async {
                            let answer = sender.send_request(get("/")).await.ok()?;
                            answer.into_body().collect().await.ok()
                        };
                        cancellable(all).await.map(drop)
                    }
                    false => {
                        client.write_all(GET).await?;
                        while client.read(&mut [0; 64]).await? > 0 {}
                        Ok(())
                    }
                })
                .await
            }));
            begun.wait().await?;
            match how {
                Ends::ClientGoes => asking.cancel(),
                Ends::ServerIsCancelled => server.cancel(),
                Ends::GraceIsOver => server.cancel_gracefully(5 * SECOND),
            }
            Ok(())
        })
        .await
    })
}

/// Serves one request of HTTP/1, and gives what came back in ten seconds and what was reported.
fn outcome<S, B>(service: S) -> (String, Vec<Error>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Error> + Clone,
    B: HttpBody<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static,
{
    let (answer, reported) = (Cell::new(Vec::new()), RefCell::new(Vec::new()));
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            let connection = Connection::new(stream, "test")
                .on_error(|error, _| reported.borrow_mut().push(error));
            n.spawn(connection.serve_tower(service));
            client.write_all(GET).await?;
            let mut bytes = Vec::new();
            move_on_after(10 * SECOND, client.read_to_end(&mut bytes)).await?;
            answer.set(bytes);
            Ok(())
        })
        .await
    });
    (String::from_utf8(answer.into_inner()).unwrap(), reported.into_inner())
}

// ---- Serving ------------------------------------------------------------------------------------

#[test]
fn x04_a_service_is_served_in_one_call_over_both_versions() {
    run_virtually(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let served = Cell::new(0); // borrowed
        let service = Function(|request: Request<Incoming>| {
            served.set(served.get() + 1);
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                Ok(Response::new(Full::new(body)))
            }
        });
        let server = CancelScope::new();
        nursery(async |n| {
            n.spawn(server.enter(async |_| serve_tower(listener, service).await));
            let client = TcpStream::connect(address).await?;
            let post = b"POST / HTTP/1.1\r\nhost: me\r\nconnection: close\r\ncontent-length: 4\r\n\r\nping";
            client.write_all(post).await?;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await?;
            assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"ping"));

            nursery(async |n| {
                let client = TcpStream::connect(address).await?;
                let mut sender = http2_client(n, client).await?;
                let post = Request::post("http://me/").body(Full::from("pong")).unwrap();
                let answer = sender.send_request(post).await?;
                assert_eq!(answer.into_body().collect().await?.to_bytes(), "pong");
                n.cancel();
                Ok(())
            })
            .await?;
            server.cancel_gracefully(SECOND);
            Ok(())
        })
        .await?;
        assert_eq!(served.get(), 2);
        Ok(())
    });
}

#[test]
fn x04_a_service_goes_through_the_stage_and_has_the_limits_of_a_server() {
    let time = run_virtually(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (accepted, reported, ending) = (Cell::new(0), Cell::new(0), Event::new());
        let service = Function(|request: Request<Incoming>| async move {
            let body = request.into_body().collect().await; // slower than the limit
            body.map(|_| text("all of it")).map_err(Error::from)
        });
        let serving = Server::new(listener)
            .limits(Limits::new().head(3 * SECOND))
            .shutdown_on(ending.wait())
            .on_error(|_, _| reported.set(reported.get() + 1))
            .on_accept(async |stream: TcpStream, _| {
                accepted.set(accepted.get() + 1);
                Ok(stream)
            });
        nursery(async |n| {
            n.spawn(serving.serve_tower(service));
            for (half, limit) in [
                (&b"GET / HTTP/1.1\r\nhost"[..], 3 * SECOND),
                (
                    &b"POST / HTTP/1.1\r\nhost: me\r\ncontent-length: 9999\r\n\r\nhalf"[..],
                    5 * SECOND,
                ),
            ] {
                let began = seedbed::now();
                let client = TcpStream::connect(address).await?;
                client.write_all(half).await?;
                let mut answer = Vec::new();
                let _reset = client.read_to_end(&mut answer).await;
                assert!(!answer.starts_with(b"HTTP/1.1 200"));
                assert!(seedbed::now() - began >= limit);
            }
            ending.set();
            Ok(())
        })
        .await?;
        assert_eq!((accepted.get(), reported.get()), (2, 0));
        Ok(())
    });
    assert!(time < 20 * SECOND, "{time:?}");
}

#[derive(Clone)]
struct NotReady {
    ready: Rc<Cell<bool>>,
    waiting: Rc<RefCell<Vec<Waker>>>,
    error: Option<&'static str>,
    /// Set when it is asked whether it is ready, and counted when a clone goes.
    log: Rc<Log>,
}

impl Drop for NotReady {
    fn drop(&mut self) {
        self.log.lines.borrow_mut().push("clone dropped");
    }
}

impl Service<Request<Incoming>> for NotReady {
    type Response = Response<Full<Bytes>>;
    type Error = Error;
    type Future = Ready<Answered>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.log.begun.set();
        if let Some(error) = self.error {
            return Poll::Ready(Err(Error::msg(error)));
        }
        match self.ready.get() {
            true => Poll::Ready(Ok(())),
            false => {
                self.waiting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        assert!(self.ready.get(), "it was called before it was ready");
        ready(Ok(text("ready")))
    }
}

#[test]
fn x04_a_service_that_is_not_ready_is_waited_for_and_its_failure_is_reported() {
    let service = |error| NotReady {
        ready: Rc::default(),
        waiting: Rc::default(),
        error,
        log: Rc::default(),
    };

    let patient = service(None);
    let (ready, waiting) = (patient.ready.clone(), patient.waiting.clone());
    let called = Cell::new(false);
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            let (log, patient) = (patient.log.clone(), patient.clone());
            n.spawn(Connection::new(stream, "test").serve_tower(patient));
            client.write_all(GET).await?;
            log.begun.wait().await?;
            sleep(SECOND).await?;
            ready.set(true);
            waiting.take().into_iter().for_each(Waker::wake);
            let n = client.read(&mut [0; 1024]).await?;
            called.set(n > 0);
            Ok(())
        })
        .await
    });
    assert!(called.get());

    let (answer, reported) = outcome(service(Some("out of paper")));
    assert!(answer.starts_with("HTTP/1.1 500") && !answer.contains("paper"), "{answer}");
    assert_eq!(reported[0].to_string(), "out of paper");

    for how in WAYS {
        let never = service(None);
        let log = never.log.clone();
        ends(how, false, &log.begun, never);
        // The one that was given, and the clone for the request.
        assert_eq!(log.lines.borrow().len(), 2, "{how:?}");
    }
}

#[test]
fn x04_a_service_that_fails_or_panics_is_a_500_and_the_others_go_on() {
    let service =
        Function(|_| handler(async { Err::<Response<String>, _>(Error::msg("no paper")) }));
    let (answer, reported) = outcome(service);
    assert!(answer.starts_with("HTTP/1.1 500") && !answer.contains("paper"), "{answer}");
    assert_eq!(reported[0].to_string(), "no paper");

    let when_called = Function(|_| -> Ready<Answered> { panic!("a bug") });
    let service = Function(|_| handler(local(async { panic!("a bug") })));
    let after_a_while = Function(|_| {
        handler(local(async {
            sleep(SECOND).await?;
            panic!("a bug")
        }))
    });
    let outcomes = [
        outcome(when_called),
        outcome::<_, Full<Bytes>>(service),
        outcome::<_, Full<Bytes>>(after_a_while),
    ];
    for (answer, reported) in outcomes {
        assert!(answer.starts_with("HTTP/1.1 500") && !answer.contains("bug"), "{answer}");
        assert!(reported.len() == 1 && reported[0].is::<HandlerPanicked>(), "{reported:?}");
    }
}

// ---- Cancellation -------------------------------------------------------------------------------

#[test]
fn x04_what_a_service_awaits_of_this_crate_is_cancelled_and_cleans_up() {
    for how in WAYS {
        for http2 in [false, true] {
            let log = Rc::new(Log::default());
            let shared = local(log.clone());
            let service = Function(move |_| {
                let log = shared.clone();
                handler(async move {
                    local(async move { log.transaction(sleep_forever()).await }).await?;
                    Ok(text("done"))
                })
            });
            let time = ends(how, http2, &log.begun, service);
            assert_eq!(log.lines.take(), CLEANED_UP, "{how:?} {http2}");
            let grace = if how == Ends::GraceIsOver { 5 * SECOND } else { Duration::ZERO };
            assert!(time >= grace && time < grace + SECOND, "{how:?} {http2}: {time:?}");
        }
    }
}

#[test]
fn x04_what_knows_nothing_of_scopes_is_dropped_when_its_request_is_cancelled() {
    struct Dropped(Rc<Log>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.add("dropped");
        }
    }
    for how in WAYS {
        for http2 in [false, true] {
            let log = Rc::new(Log::default());
            let shared = log.clone();
            let service = Function(move |_| {
                let log = shared.clone();
                async move {
                    log.add("begin");
                    let _guard = Dropped(log);
                    pending::<Answered>().await
                }
            });
            let time = ends(how, http2, &log.begun, service);
            assert_eq!(log.lines.take(), ["begin", "dropped"], "{how:?} {http2}");
            let grace = if how == Ends::GraceIsOver { 5 * SECOND } else { Duration::ZERO };
            assert!(time >= grace && time < grace + SECOND, "{how:?} {http2}: {time:?}");
        }
    }
}

/// A layer with a time limit, which drops what took too long, as tower's does.
async fn limited<T>(
    limit: Duration,
    late: impl FnOnce() -> Result<T>,
    inner: impl Future<Output = Result<T>>,
) -> Result<T> {
    let (mut inner, mut late) = (Box::pin(inner), Some(late));
    let mut limit = Box::pin(local(sleep(limit)));
    poll_fn(move |cx| match inner.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(value),
        Poll::Pending => limit.as_mut().poll(cx).map(|_| late.take().unwrap()()),
    })
    .await
}

#[test]
fn x04_what_a_layer_drops_half_way_cleans_up_in_a_task_of_the_request() {
    for fails in [false, true] {
        let log = Rc::new(Log::default());
        let shared = local(log.clone());
        let service = Function(move |_| {
            let log = shared.clone();
            let late = move || match fails {
                true => Err(Error::msg("too late")),
                false => Ok(text("too late")),
            };
            handler(limited(SECOND, late, async move {
                local(async move { log.transaction(sleep_forever()).await }).await?;
                Ok(text("done"))
            }))
        });
        let answered = Cell::new(Duration::ZERO);
        let (shared, answered_at) = (&log, &answered);
        run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            let began = seedbed::now();
            nursery(async |n| {
                let connection = Connection::new(stream, "test").on_error(|_, _| ());
                n.spawn(connection.serve_tower(service));
                client.write_all(GET).await?;
                let mut answer = [0; 1024];
                let read = client.read(&mut answer).await?;
                answered_at.set(seedbed::now() - began);
                let status = if fails { "HTTP/1.1 500" } else { "HTTP/1.1 200" };
                assert!(answer[..read].starts_with(status.as_bytes()));
                // A failure is told when nothing is left of the request.
                assert_eq!(shared.lines.borrow().len(), if fails { 3 } else { 2 });
                Ok(())
            })
            .await
        });
        assert_eq!(log.lines.take(), CLEANED_UP);
        assert_eq!(answered.get(), if fails { SECOND + SECOND / 10 } else { SECOND });
    }
}

#[cfg(feature = "tokio")]
#[test]
fn x04_a_layer_with_one_of_tokios_timers_has_it_in_a_companion() {
    let log = Rc::new(Log::default());
    let shared = local(log.clone());
    let service = Function(move |_| {
        let log = shared.clone();
        handler(async move {
            let inner = local(async move { log.transaction(sleep_forever()).await });
            match tokio::time::timeout(Duration::from_millis(1), inner).await {
                Ok(done) => done.map(|()| text("done")),
                Err(_) => Ok(text("too late")),
            }
        })
    });
    let main = async {
        let (client, stream) = UnixStream::pair()?;
        nursery(async |n| {
            n.spawn(Connection::new(stream, "test").serve_tower(service));
            let get = b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n";
            client.write_all(get).await?;
            let mut answer = [0; 1024];
            let read = client.read(&mut answer).await?;
            assert!(answer[..read].ends_with(b"too late"));
            Ok(())
        })
        .await
    };
    seedbed::Builder::new().tokio(seedbed::tokio::Companion::new()).run(main).unwrap();
    assert_eq!(log.lines.take(), CLEANED_UP);
}

#[test]
fn x04_what_a_layer_of_this_crate_drops_when_it_is_cancelled_cleans_up() {
    for how in WAYS {
        for http2 in [false, true] {
            let log = Rc::new(Log::default());
            let shared = local(log.clone());
            let service = Function(move |_| {
                let log = shared.clone();
                let inner = handler(async move {
                    local(async move { log.transaction(sleep_forever()).await }).await?;
                    Ok(text("done"))
                });
                handler(local(async move {
                    match fail_after(60 * SECOND, cancellable(inner)).await {
                        Ok(answer) => answer,
                        Err(_) => Ok(text("nobody reads this")),
                    }
                }))
            });
            ends(how, http2, &log.begun, service);
            assert_eq!(log.lines.take(), CLEANED_UP, "{how:?} {http2}");
        }
    }
}

#[test]
fn x04_a_layer_may_have_its_work_done_by_a_task_elsewhere() {
    for how in [None, Some(Ends::ClientGoes)] {
        let log = Rc::new(Log::default());
        let (add, jobs) = channel::<BoxFuture<Result<()>>>(8);
        let (add, shared) = (local(Rc::new(add)), local(log.clone()));
        let service = Function(move |_| {
            let (add, log) = (add.clone(), shared.clone());
            handler(local(async move {
                let (done, outcome) = futures::channel::oneshot::channel();
                let job = local(async move {
                    log.add("begin");
                    sleep(SECOND).await?;
                    log.add("done");
                    let _gone = done.send(());
                    Ok(())
                });
                add.send(handler(job)).await.map_err(|_| Error::msg("no workers"))?;
                cancellable(outcome).await?.map_err(Error::from)?;
                Ok(text("done"))
            }))
        });
        let log = &log;
        run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            nursery(async |n| {
                let work = |jobs: Receiver<BoxFuture<Result<()>>>| async move {
                    nursery(async |n| {
                        while let Some(job) = jobs.recv().await? {
                            n.spawn(job);
                        }
                        Ok(())
                    })
                    .await
                };
                n.spawn(work(jobs));
                n.spawn(Connection::new(stream, "test").serve_tower(service));
                client.write_all(GET).await?;
                log.begun.wait().await?;
                if how.is_none() {
                    assert!(client.read(&mut [0; 1024]).await? > 0);
                }
                Ok(())
            })
            .await
        });
        assert_eq!(log.lines.take(), ["begin", "done"]);
    }
}

// ---- Bodies -------------------------------------------------------------------------------------

const CLOSED: [&str; 3] = ["begin", "closed", "cleaned up"];

/// An answer with events of this size, one each second, from a generator.
fn events(
    log: OnThread<Rc<Log>>,
    size: usize,
) -> Response<impl HttpBody<Data = Bytes, Error = Error> + Send> {
    let events = generator(async move |y: Yielder<Bytes>| {
        log.add("begin");
        loop {
            match until_stopped(sleep(SECOND)).await {
                Ok(Some(())) => {}
                Ok(None) => break log.add("stopped"),
                Err(error) => {
                    log.add("cancelled");
                    return Err(error);
                }
            }
            if let Err(error) = y.yield_(Bytes::from(vec![b'x'; size])).await {
                log.add("closed");
                let shield = CancelScope::new().with_shield();
                shield.enter(async |_| sleep(SECOND / 10).await).await?;
                log.add("cleaned up");
                return Err(error);
            }
        }
        Ok(())
    });
    Response::new(StreamBody::new(local(events.map(|event| Ok(Frame::data(event?))))))
}

#[test]
fn x04_a_generator_in_a_body_is_closed_when_its_client_goes_in_the_middle_of_it() {
    for (http2, size) in [(false, 10), (true, 10), (false, 1_000_000), (true, 1_000_000)] {
        let log = Rc::new(Log::default());
        let shared = local(log.clone());
        let service = Function(move |_| {
            let events = events(shared.clone(), size);
            handler(async move { Ok(events) })
        });
        run_virtually(async || {
            let (client, stream) = UnixStream::pair()?;
            nursery(async |n| {
                n.spawn(Connection::new(stream, "test").serve_tower(service));
                let gone = CancelScope::new();
                let client = gone.enter(async |gone| {
                    nursery(async |n| {
                        if http2 {
                            let mut sender = http2_client(n, client).await?;
                            let _unread = sender.send_request(get("/")).await?;
                            sleep(60 * SECOND).await?;
                        } else {
                            client.write_all(GET).await?;
                            sleep(60 * SECOND).await?;
                        }
                        gone.cancel();
                        Ok(())
                    })
                    .await
                });
                client.await.map(drop)
            })
            .await
        });
        // Small ones are sent: it was closed while it waited. There is no room for large ones.
        let closed = if size == 10 { &["begin", "cancelled"][..] } else { &CLOSED };
        assert_eq!(log.lines.take(), closed, "{http2} {size}");
    }
}

#[test]
fn x04_open_streams_of_events_end_when_the_server_stops() {
    let log = Rc::new(Log::default());
    let shared = local(log.clone());
    let service = Function(move |_| {
        let events = events(shared.clone(), 10);
        handler(async move { Ok(events) })
    });
    let time = run_virtually(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = CancelScope::new();
        nursery(async |n| {
            n.spawn(server.enter(async |_| serve_tower(listener, service).await));
            let mut clients = Vec::new();
            for _ in 0..3 {
                let client = TcpStream::connect(address).await?;
                client.write_all(GET).await?;
                assert!(client.read(&mut [0; 1024]).await? > 0);
                clients.push(client);
            }
            sleep(5 * SECOND / 2).await?;
            server.cancel_gracefully(60 * SECOND);
            for client in clients {
                let mut rest = Vec::new();
                client.read_to_end(&mut rest).await?;
                assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "the end can be told");
            }
            Ok(())
        })
        .await
    });
    assert_eq!(log.lines.take(), ["begin", "begin", "begin", "stopped", "stopped", "stopped"]);
    assert!(time < 10 * SECOND, "{time:?}");
}

#[test]
fn x04_a_body_that_is_made_in_a_task_comes_through_a_service_with_its_task() {
    for how in WAYS {
        for http2 in [false, true] {
            let log = Rc::new(Log::default());
            let shared = local(log.clone());
            let service = Function(move |_| {
                let log = shared.clone();
                handler(async move {
                    Ok(local_answer(Response::new(Body::stream(async move |sender| {
                        let events = async {
                            loop {
                                sender.send("data: something\n\n").await?;
                                sleep(SECOND).await?;
                            }
                        };
                        log.transaction(events).await
                    }))))
                })
            });
            let time = ends(how, http2, &log.begun, service);
            assert_eq!(log.lines.take(), CLEANED_UP, "{how:?} {http2}");
            let grace = if how == Ends::GraceIsOver { 5 * SECOND } else { Duration::ZERO };
            assert!(time >= grace && time < grace + SECOND, "{how:?} {http2}: {time:?}");
        }
    }
}

#[test]
fn x04_a_body_that_fails_is_reported_once_and_one_whose_task_is_lost_is_cut_off() {
    let (answer, reported) = outcome(Function(|_| {
        handler(async {
            Ok(local_answer(Response::new(Body::stream(async |sender| {
                sender.send("the beginning").await?;
                sleep(SECOND).await?;
                Err(Error::msg("out of paper"))
            }))))
        })
    }));
    assert!(answer.contains("the beginning") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert_eq!(reported[0].to_string(), "out of paper");

    let (answer, reported) = outcome(Function(|_| {
        handler(async {
            let mut answer = local_answer(Response::new(Body::stream(async |_| Ok(()))));
            answer.extensions_mut().clear();
            Ok(answer)
        })
    }));
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(reported.len(), 0, "{reported:?}");
}

#[test]
fn x04_an_upgrade_goes_through_a_service() {
    run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        let service = Function(|request| {
            handler(async {
                Ok(local_answer(upgrade(request, async |mut stream| {
                    let mut text = [0; 4];
                    stream.read_exact(&mut text).await?;
                    finishing(async { Ok(stream.write_all(&text).await?) }).await
                })))
            })
        });
        nursery(async |n| {
            n.spawn(Connection::new(stream, "test").serve_tower(service));
            let ask =
                b"GET / HTTP/1.1\r\nhost: me\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nping";
            client.write_all(ask).await?;
            let mut answer = String::new();
            (&client).read_to_string(&mut answer).await?;
            assert!(answer.starts_with("HTTP/1.1 101") && answer.ends_with("ping"), "{answer}");
            Ok(())
        })
        .await
    });
}

#[test]
fn x04_a_request_is_read_as_fast_as_its_service_does() {
    let time = run_virtually(async || {
        let (client, stream) = UnixStream::pair()?;
        let service = Function(|request: Request<Incoming>| {
            handler(async move {
                let mut body = request.into_body();
                let mut bytes = 0;
                while let Some(frame) = body.frame().await {
                    bytes += frame?.data_ref().map_or(0, Bytes::len);
                    local(sleep(SECOND / 100)).await?;
                }
                Ok(Response::new(format!("{bytes}")))
            })
        });
        nursery(async |n| {
            n.spawn(Connection::new(stream, "test").serve_tower(service));
            let head = b"POST / HTTP/1.1\r\nhost: me\r\ncontent-length: 10000000\r\n\r\n";
            client.write_all(head).await?;
            let began = seedbed::now();
            client.write_all(&vec![0; 10_000_000]).await?;
            assert!(seedbed::now() - began > SECOND / 10, "the client was not held up");
            let mut answer = [0; 1024];
            let n = client.read(&mut answer).await?;
            assert!(answer[..n].ends_with(b"10000000"));
            Ok(())
        })
        .await
    });
    assert!(time > SECOND / 10);
}

// ---- On its thread ------------------------------------------------------------------------------

#[test]
fn x04_what_stays_on_its_thread_panics_when_it_is_used_elsewhere_and_is_leaked_when_dropped() {
    struct Loud(Rc<Cell<u32>>);
    impl Drop for Loud {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let value = local(Loud(dropped.clone()));
    drop(local(Loud(dropped.clone())));
    assert_eq!(dropped.get(), 1);
    let counter = local(dropped.clone());
    std::thread::scope(|s| {
        s.spawn(|| {
            let refused = |f: &mut dyn FnMut()| {
                let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
                let text = payload.downcast_ref::<&str>().unwrap();
                assert!(text.contains("on a thread other than its own"), "{text}");
            };
            refused(&mut || assert_eq!(counter.get(), 1));
            refused(&mut || drop(counter.clone()));
            let mut future = Some(local(async {}));
            assert!(future.is_some());
            future = None;
            drop(future);
            drop(value);
            assert!(format!("{counter:?}").contains("another thread"));
        });
    });
    assert_eq!(dropped.get(), 1, "it was leaked");
    assert_eq!(counter.get(), 1);

    let mut future = local(async { Rc::new(1) });
    std::thread::scope(|s| {
        let polled = s.spawn(|| {
            let mut cx = Context::from_waker(Waker::noop());
            Pin::new(&mut future).poll(&mut cx).is_ready()
        });
        assert!(polled.join().is_err());
    });
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut future).poll(&mut cx).is_ready());
    assert_eq!(local(5).into_inner(), 5);
}

#[test]
fn x04_a_future_that_is_dropped_outside_of_a_request_is_just_dropped() {
    let log = Rc::new(Log::default());
    let inside = log.clone();
    run_virtually(async || {
        let future = local(async move { inside.transaction(sleep_forever()).await });
        assert!(move_on_after(SECOND, cancellable(future)).await?.is_none());
        Ok(())
    });
    assert_eq!(log.lines.take(), ["begin", "dropped"]);
}
