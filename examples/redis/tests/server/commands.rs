//! What the commands do. In an expectation, a space stands for the end of a line.

use std::time::Duration;

use redis_server::client::Settings;
use seedbed::{Result, sleep};

use crate::{Beside, Client, beside};

/// Asks one thing after the other.
fn conversation(lines: &[(&str, &str)]) {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        for (line, replies) in lines {
            client.ask(line, replies).await?;
        }
        Ok(())
    });
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn strings() {
    conversation(&[
        ("GET a", "$-1"),
        ("SET a hello", "+OK"),
        ("get a", "$5 hello"),
        ("SET a other NX", "$-1"),
        ("SET a other XX GET", "$5 hello"),
        ("SET b x XX", "$-1"),
        ("APPEND a !", ":6"),
        ("STRLEN a", ":6"),
        ("GETRANGE a -3 -1", "$3 er!"),
        ("GETRANGE a 4 1", "$0 "),
        ("INCR n", ":1"),
        ("INCRBY n 41", ":42"),
        ("DECR n", ":41"),
        ("DECRBY n -9", ":50"),
        ("MSET x 1 y 2", "+OK"),
        ("MGET x nobody y", "*3 $1 1 $-1 $1 2"),
        ("MSETNX y 3 z 4", ":0"),
        ("MSETNX z 4 zz 5", ":1"),
        ("GETSET x 9", "$1 1"),
        ("GETDEL x", "$1 9"),
        ("GET x", "$-1"),
        ("SETNX x 1", ":1"),
        ("SETNX x 1", ":0"),
    ]);
}

#[test]
fn what_fails_changes_nothing() {
    beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        client.send("SET s text\r\nRPUSH l a\r\nSET n 9223372036854775807\r\n").await?;
        client.expect("+OK\r\n:1\r\n+OK\r\n").await?;
        for (line, error) in [
            ("INCR s", "ERR value is not an integer or out of range"),
            ("INCR n", "ERR increment or decrement would overflow"),
            ("DECRBY n -9223372036854775808", "ERR decrement would overflow"),
            ("INCRBY n 01", "ERR value is not an integer or out of range"),
            ("GET", "ERR wrong number of arguments for 'get' command"),
            ("MSET a 1 b", "ERR wrong number of arguments for 'mset' command"),
            ("SET a 1 NX XX", "ERR syntax error"),
            ("SET a 1 EX", "ERR syntax error"),
            ("SET a 1 EX 5 PX 5", "ERR syntax error"),
            ("SET a 1 EX 0", "ERR invalid expire time in 'set' command"),
            ("SET a 1 EX 9223372036854775807", "ERR invalid expire time in 'set' command"),
            ("LSET l 5 x", "ERR index out of range"),
            ("LSET a 0 x", "ERR no such key"),
            ("RENAME a b", "ERR no such key"),
            ("LPOP l -1", "ERR value is out of range, must be positive"),
            ("EXPIRE l 10 ZZ", "ERR Unsupported option"),
            ("SELECT 1", "ERR DB index is out of range: there is one database, 0"),
            ("HELLO 4", "NOPROTO unsupported protocol version"),
            ("NO \"a\\r\\n+OK\"", "ERR unknown command 'NO', with args beginning with: 'a  +OK'"),
            ("CLIENT KILL x", "ERR unknown subcommand 'KILL'. Try CLIENT HELP."),
        ] {
            client.send(format!("{line}\r\n")).await?;
            client.expect(format!("-{error}\r\n")).await?;
        }
        let wrong = WRONG_TYPE.to_owned() + "\r\n";
        for line in ["GET l", "INCR l", "LPUSH s x", "LRANGE s 0 1", "LPOP s", "SET l x GET"] {
            client.send(format!("{line}\r\n")).await?;
            client.expect(&wrong).await?;
        }
        client.ask("DBSIZE", ":3").await?;
        client.ask("MGET s n l", "*3 $4 text $19 9223372036854775807 $-1").await
    });
}

#[test]
fn lists() {
    conversation(&[
        ("RPUSH l a b c", ":3"),
        ("LPUSH l y z", ":5"),
        ("LRANGE l 0 -1", "*5 $1 z $1 y $1 a $1 b $1 c"),
        ("LRANGE l 3 99", "*2 $1 b $1 c"),
        ("LRANGE l 5 9", "*0"),
        ("LRANGE nobody 0 -1", "*0"),
        ("LLEN l", ":5"),
        ("LINDEX l -1", "$1 c"),
        ("LINDEX l 5", "$-1"),
        ("LSET l -1 C", "+OK"),
        ("LPOP l", "$1 z"),
        ("RPOP l 2", "*2 $1 C $1 b"),
        ("LPOP nobody 2", "*-1"),
        ("LPOP nobody", "$-1"),
        ("LPUSHX nobody x", ":0"),
        ("RPUSHX l a x a a", ":6"),
        ("LREM l -2 a", ":2"),
        ("LRANGE l 0 -1", "*4 $1 y $1 a $1 a $1 x"),
        ("LREM l 1 a", ":1"),
        ("LREM l 0 nobody", ":0"),
        ("LTRIM l 1 1", "+OK"),
        ("LRANGE l 0 -1", "*1 $1 a"),
        ("TYPE l", "+list"),
        ("LTRIM l 5 9", "+OK"),
        ("EXISTS l", ":0"),
    ]);
}

#[test]
fn keys_expire() {
    let data = beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        let ask = async |line, replies| client.ask(line, replies).await;
        ask("SET a 1 PX 1500", "+OK").await?;
        ask("SETEX b 10 2", "+OK").await?;
        ask("RPUSH l x", ":1").await?;
        ask("TTL l", ":-1").await?;
        ask("TTL nobody", ":-2").await?;
        ask("PEXPIRE l 20000", ":1").await?;
        ask("EXPIRE l 10 GT", ":0").await?;
        ask("EXPIRE l 10 LT", ":1").await?;
        ask("EXPIRE l 10 NX", ":0").await?;
        ask("TTL l", ":10").await?;
        ask("DBSIZE", ":3").await?;

        sleep(Duration::from_millis(1499)).await?;
        ask("GET a", "$1 1").await?;
        sleep(Duration::from_millis(1)).await?;
        ask("GET a", "$-1").await?; // whoever asks sees at once that it has gone
        ask("EXISTS a", ":0").await?;
        ask("TTL a", ":-2").await?;
        sleep(Duration::from_millis(100)).await?;
        ask("DBSIZE", ":2").await?; // though nobody had asked, its memory would be free

        ask("SET b 3 KEEPTTL", "+OK").await?;
        ask("TTL b", ":8").await?;
        ask("PERSIST b", ":1").await?;
        ask("PERSIST b", ":0").await?;
        ask("EXPIRE b -1", ":1").await?; // it is gone
        ask("GET b", "$-1").await?;
        ask("SET c 1 EX 100", "+OK").await?;
        ask("SET c 2", "+OK").await?; // for ever
        sleep(Duration::from_secs(1000)).await?;
        ask("KEYS *", "*1 $1 c").await
    });
    assert_eq!((data.store.len(), data.store.deadlines(), data.store.expired()), (1, 0, 2));
}

#[test]
fn the_service_removes_many_keys_and_lets_others_run() {
    let data = beside(Settings::default(), async |server: Beside| {
        let client = Client::connect(&server).await?;
        for i in 0..5000 {
            client.ask(&format!("SET {i} x PX 1000"), "+OK").await?;
        }
        sleep(Duration::from_secs(2)).await?;
        client.ask("DBSIZE", ":0").await
    });
    assert_eq!(data.store.expired(), 5000);
}

#[test]
fn keys() {
    conversation(&[
        ("MSET one 1 two 2 three 3", "+OK"),
        ("KEYS th[a-r]e*", "*1 $5 three"),
        ("EXISTS one one nobody", ":2"),
        ("DEL one nobody", ":1"),
        ("RENAME two three", "+OK"),
        ("GET three", "$1 2"),
        ("TYPE three", "+string"),
        ("TYPE nobody", "+none"),
        ("FLUSHALL", "+OK"),
        ("DBSIZE", ":0"),
    ]);
}

#[test]
fn connections() {
    conversation(&[
        ("PING", "+PONG"),
        ("PING hi", "$2 hi"),
        ("ECHO hi", "$2 hi"),
        ("SELECT 0", "+OK"),
        ("CLIENT ID", ":1"),
        ("CLIENT SETNAME me", "+OK"),
        ("CLIENT GETNAME", "$2 me"),
        ("CONFIG GET save", "*2 $4 save $0 "),
        ("CONFIG GET APPEND*", "*2 $10 appendonly $2 no"),
        ("COMMAND COUNT", ":66"),
        (
            "HELLO 3 SETNAME you",
            "%6 $6 server $5 redis $7 version $5 7.0.0 $5 proto :3 $2 id :1 $4 role $6 master $7 modules *0",
        ),
        ("GET nobody", "_"),
        ("LPOP nobody 1", "_"),
        ("CLIENT GETNAME", "$3 you"),
        ("RESET", "+RESET"),
        ("GET nobody", "$-1"),
    ]);
}

#[test]
fn quit_is_answered() {
    beside(Settings::default(), async |server: Beside| -> Result<()> {
        let client = Client::connect(&server).await?;
        client.send("PING\r\nQUIT\r\nPING\r\n").await?;
        client.expect("+PONG\r\n+OK\r\n").await?;
        client.expect_end().await
    });
}
