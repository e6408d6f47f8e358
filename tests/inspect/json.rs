//! A dump as JSON.

use std::time::Duration;

use seedbed::{
    Event, Yielder, fail_after, generator, inspect, nursery, sleep, sleep_forever, yield_now,
};
use serde_json::{Value, json};

use super::run;

const SECOND: Duration = Duration::from_secs(1);

fn dump() -> Value {
    serde_json::from_str(&inspect::dump().unwrap().to_json()).unwrap()
}

#[test]
fn l01_json_has_the_tree() {
    let dump = run(async {
        let mut numbers = generator(async |y: Yielder<i32>| y.yield_(1).await.map(drop));
        numbers.anext().await?;
        let mut json = Value::Null;
        nursery(async |n| {
            n.named("it").spawn(fail_after(3 * SECOND, sleep_forever()));
            sleep(SECOND / 2).await?;
            json = dump();
            n.scope().cancel_with("seen");
            Ok(())
        })
        .await?;
        numbers.aclose().await?;
        Ok(json)
    });
    assert_eq!(dump["schema"], 1);
    assert_eq!(dump["time"], 0.5);
    assert!(dump["place"].as_str().unwrap().starts_with("tests/inspect/main.rs:"));
    let main = &dump["tree"][0];
    assert_eq!(
        (&main["kind"], &main["role"], &main["state"]),
        (&json!("task"), &json!("main"), &json!("polls"))
    );
    let nursery = &main["children"][0];
    assert_eq!(nursery["kind"], "nursery");
    assert_eq!(nursery["children"][0]["kind"], "body");
    assert_eq!(nursery["children"][0]["state"], "running");
    let it = &nursery["children"][1];
    assert_eq!((&it["name"], &it["state"]), (&json!("it"), &json!("waits")));
    assert_eq!((&it["operation"], &it["for"]), (&json!("sleep"), &json!(0.5)));
    assert!(it["at"].as_str().unwrap().starts_with("tests/inspect/json.rs:"));
    assert_eq!(it["children"][0]["deadline_in"], 2.5);
    assert_eq!(dump["generators"][0]["state"], "suspended");
    assert_eq!(dump["jobs"], json!([]));
    assert_eq!(dump["missing"], json!([]));
}

#[test]
fn l01_json_says_why_a_scope_was_cancelled() {
    let dump = run(async {
        let mut json = Value::Null;
        nursery(async |n| {
            n.scope().cancel_with("\"quoted\"\n</script>");
            json = dump();
            Ok(())
        })
        .await?;
        Ok(json)
    });
    let cancelled = &dump["tree"][0]["children"][0]["cancelled"];
    assert_eq!(cancelled["reason"], "requested");
    assert_eq!(cancelled["text"], "\"quoted\"\n</script>");
    assert!(cancelled["by"].as_str().unwrap().starts_with("tests/inspect/json.rs:"));
    assert_eq!(dump["tree"][0]["children"][0]["level"], "full");
}

/// Whatever a task is called, its name comes out as it was, and could stand in a page.
#[test]
fn l01_names_are_escaped() {
    let names =
        ["\"", "\\", "\u{0}\u{1f}\u{7f}", "</script><b>&", "\u{2028}\u{2029}", "ä 😀", "\r\n\t"];
    let (text, json) = run(async {
        let mut dumps = (String::new(), Value::Null);
        nursery(async |n| {
            for name in names {
                n.named(name).spawn(async { Event::new().wait().await });
            }
            yield_now().await?;
            dumps = (inspect::dump()?.to_json(), dump());
            n.scope().cancel();
            Ok(())
        })
        .await?;
        Ok(dumps)
    });
    assert!(!text.contains(['<', '>', '&', '\n', '\u{2028}', '\u{7f}']), "{text}");
    let tasks = json["tree"][0]["children"][0]["children"].as_array().unwrap().clone();
    let found: Vec<_> = tasks.iter().filter_map(|task| task["name"].as_str()).collect();
    assert_eq!(found, names);
}
