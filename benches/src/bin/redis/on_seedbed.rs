//! The example, as it is.

use redis_server::client::Settings;
use redis_server::data::Data;
use redis_server::serve::Server;
use seedbed::net::TcpListener;
use seedbed::sleep_forever;

pub fn run(port: u16) {
    let served = seedbed::run(async {
        let server = Server::new(Data::default(), Settings::default());
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        server.serve(listener, sleep_forever()).await
    });
    served.expect("a benchmark does not fail");
}
