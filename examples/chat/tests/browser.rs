//! The page in a real browser, and the server as a process.
#![cfg(target_os = "linux")]

use std::path::Path;

use browser::{Chromium, DevTools, Page, Program};
use seedbed::process::Command;
use seedbed::signal::Signal;
use seedbed::{Result, nursery};

/// What a person would do with nothing but a keyboard: the name has the focus as soon as the page
/// is drawn, then comes the room.
async fn join(browser: &mut DevTools, page: &Page, name: &str, room: &str) -> Result<()> {
    browser.until(page, "document.activeElement?.id === 'name'").await?;
    browser.insert(page, name).await?;
    browser.press(page, "Tab").await?;
    browser.insert(page, room).await?;
    browser.press(page, "Enter").await?;
    browser.until(page, "document.documentElement.dataset.state === 'in'").await
}

async fn say(browser: &mut DevTools, page: &Page, text: &str) -> Result<()> {
    browser.insert(page, text).await?;
    browser.press(page, "Enter").await
}

/// Waits until the last message is this one.
async fn hears(browser: &mut DevTools, page: &Page, name: &str, text: &str) -> Result<()> {
    let last = "document.querySelector('#log li:last-child";
    let (name, text) = (serde_json::json!(name), serde_json::json!(text));
    let condition =
        format!("{last} .name')?.textContent === {name} && {last} .text')?.textContent === {text}");
    browser.until(page, &condition).await
}

#[test]
fn two_pages_talk_one_is_killed_and_the_server_says_goodbye() {
    seedbed::run(converse()).unwrap();
}

async fn converse() -> Result<()> {
    nursery(async |n| {
        let mut chat = Command::new(env!("CARGO_BIN_EXE_chat"));
        let (mut server, line) = Program::start(n, chat.args(["--port", "0"])).await?;
        let address = line.strip_prefix("listening on ").expect("it listens").to_owned();
        let chromium = Chromium::start(n).await?;
        let browser = &mut DevTools::connect(&chromium.devtools).await?;

        let ann = browser.open(&format!("{address}#tea")).await?;
        photograph(browser, &ann, "join").await?;
        join(browser, &ann, "Ann", "tea").await?;
        let bob = browser.open(&address).await?;
        join(browser, &bob, "<i>Bob</i>", "tea").await?;
        browser.until(&ann, "document.getElementById('people').children.length === 2").await?;

        // They hear each other, whatever they say, and it stays text.
        let sly = "<img src=x onerror=\"document.title='hacked'\"> & <script>alert(1)</script>";
        say(browser, &ann, sly).await?;
        for page in [&ann, &bob] {
            hears(browser, page, "Ann", sly).await?;
            let found = "document.querySelectorAll('#log img, #log script, aside i').length";
            assert_eq!(browser.evaluate(page, found).await?, 0);
            assert_eq!(browser.evaluate(page, "document.title").await?, "Chat · tea");
        }
        say(browser, &bob, "Nice try! ☺").await?;
        hears(browser, &ann, "<i>Bob</i>", "Nice try! ☺").await?;
        hears(browser, &bob, "<i>Bob</i>", "Nice try! ☺").await?;
        looks(browser, &ann).await?;

        // Bob's page crashes.
        browser.crash(&bob).await?;
        let left = "[...document.querySelectorAll('#log .notice')].at(-1)?.textContent";
        browser.until(&ann, &format!("{left} === '<i>Bob</i> has left'")).await?;
        let alone = "document.getElementById('people').textContent";
        assert_eq!(browser.evaluate(&ann, alone).await?, "Ann");

        // Who comes now is told what was said, and they go on without him.
        let eve = browser.open(&address).await?;
        join(browser, &eve, "Eve", "tea").await?;
        hears(browser, &eve, "<i>Bob</i>", "Nice try! ☺").await?;
        say(browser, &eve, "What has happened?").await?;
        hears(browser, &ann, "Eve", "What has happened?").await?;
        assert_eq!(browser.complaints(), [""; 0], "nothing has gone wrong in the pages so far");

        // Even a script that somebody got into the page would not run.
        let inject = "const script = document.createElement('script'); \
            script.textContent = 'window.injected = true'; document.body.append(script); \
            'injected' in window";
        assert_eq!(browser.evaluate(&ann, inject).await?, false);

        // The server is told to stop. Both pages are told so, and the process ends well.
        server.process.signal(Signal::TERM)?;
        for page in [&ann, &eve] {
            browser.until(page, "document.documentElement.dataset.state === 'out'").await?;
            let code = browser.evaluate(page, "document.documentElement.dataset.code").await?;
            assert_eq!(code, "1001");
            let status = browser.evaluate(page, "document.getElementById('status').textContent");
            assert_eq!(status.await?, "closed: the server is stopping (1001)");
            let focus = browser.evaluate(page, "document.activeElement.id").await?;
            assert_eq!(focus, "name", "one may join again at once");
        }
        assert!(server.process.wait().await?.success());
        photograph(browser, &ann, "stopped").await?;

        // Nobody is there any more, which the page says as well.
        browser.press(&ann, "Enter").await?;
        browser.until(&ann, "document.documentElement.dataset.code === '1006'").await?;
        n.cancel();
        Ok(())
    })
    .await
}

/// The page is light or dark, as the system is.
async fn looks(browser: &mut DevTools, page: &Page) -> Result<()> {
    let ground = "getComputedStyle(document.body).backgroundColor";
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(page, scheme).await?;
        grounds.push(browser.evaluate(page, ground).await?);
        photograph(browser, page, scheme).await?;
    }
    assert_eq!(grounds, ["rgb(246, 245, 241)", "rgb(23, 25, 28)"]);
    Ok(())
}

/// Takes a picture of the page, for whoever wants to see it: into the folder `CHAT_PICTURES`.
async fn photograph(browser: &mut DevTools, page: &Page, name: &str) -> Result<()> {
    if let Some(folder) = std::env::var_os("CHAT_PICTURES") {
        let picture = browser.picture(page).await?;
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture)?;
    }
    Ok(())
}
