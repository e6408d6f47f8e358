//! A gRPC service and its client, written as the compiler for protocol buffers would:
//!
//! ```text
//! service Counter {
//!     rpc Double (Number) returns (Number);
//!     rpc CountTo (Number) returns (stream Number);
//! }
//! ```

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc as Answer, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Number {
    #[prost(uint32, tag = "1")]
    pub value: u32,
    /// Only there to be large.
    #[prost(bytes = "vec", tag = "2")]
    pub ballast: Vec<u8>,
}

const DOUBLE: &str = "/seedbed.Counter/Double";
const COUNT_TO: &str = "/seedbed.Counter/CountTo";

#[derive(Clone)]
pub struct Counter {
    /// What may be counted.
    pub permits: Arc<Semaphore>,
}

impl NamedService for Counter {
    const NAME: &'static str = "seedbed.Counter";
}

impl Service<Request<Body>> for Counter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let permits = self.permits.clone();
        Box::pin(async move {
            let mut answer = Answer::new(ProstCodec::default());
            Ok(match request.uri().path() {
                DOUBLE => answer.unary(Double, request).await,
                COUNT_TO => answer.server_streaming(CountTo(permits), request).await,
                _ => Status::unimplemented("there is no such method").into_http(),
            })
        })
    }
}

struct Double;

impl UnaryService<Number> for Double {
    type Response = Number;
    type Future = BoxFuture<tonic::Response<Number>, Status>;

    fn call(&mut self, request: tonic::Request<Number>) -> Self::Future {
        let mut number = request.into_inner();
        number.value *= 2;
        Box::pin(async { Ok(tonic::Response::new(number)) })
    }
}

struct CountTo(Arc<Semaphore>);

impl ServerStreamingService<Number> for CountTo {
    type Response = Number;
    type ResponseStream = BoxStream<'static, Result<Number, Status>>;
    type Future = BoxFuture<tonic::Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: tonic::Request<Number>) -> Self::Future {
        let Number { value: last, ballast } = request.into_inner();
        let permits = self.0.clone();
        let numbers = stream::iter(1..=last).then(move |value| {
            let (permits, ballast) = (permits.clone(), ballast.clone());
            async move {
                permits.acquire().await.expect("nobody closes it").forget();
                Ok(Number { value, ballast })
            }
        });
        Box::pin(async { Ok(tonic::Response::new(numbers.boxed())) })
    }
}

pub async fn double(channel: Channel, number: Number) -> Result<u32, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(not_ready)?;
    let path = PathAndQuery::from_static(DOUBLE);
    let answer = client
        .unary(tonic::Request::new(number), path, ProstCodec::<Number, Number>::default())
        .await?;
    Ok(answer.into_inner().value)
}

pub async fn count_to(channel: Channel, number: Number) -> Result<Streaming<Number>, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(not_ready)?;
    let path = PathAndQuery::from_static(COUNT_TO);
    Ok(client
        .server_streaming(tonic::Request::new(number), path, ProstCodec::default())
        .await?
        .into_inner())
}

fn not_ready(error: tonic::transport::Error) -> Status {
    Status::from_error(error.into())
}
