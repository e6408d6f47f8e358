//! L5: the page, in a real browser, finds what each of the programs hangs in.

use std::path::Path;

use browser::{Chromium, DevTools, Page};
use seedbed::signal::Signal;
use seedbed::{Nursery, Result, fail_after, nursery, run};
use serde_json::json;

use crate::program::{Lines, Program};
use crate::{LIMIT, place};

#[test]
fn l05_the_page_finds_each_hang() {
    let test = nursery(async |n| {
        let (mut futurelock, of_futurelock) = start(n, "futurelock").await?;
        let (ignored, of_ignored) = start(n, "ignored").await?;
        let (mut blocked, of_blocked) = start(n, "blocked").await?;
        let (_leak, of_leak) = start(n, "leak").await?;
        let browser = &mut DevTools::connect(&Chromium::start(n).await?.devtools).await?;

        let shop = nursery(async |n| {
            // While somebody reads what it prints, it goes on.
            n.service(read(&mut blocked.output));
            open(browser, &of_blocked, "“log”").await
        })
        .await?;
        let clock = open(browser, &of_ignored, "“commands”").await?;
        ignored.send(Signal::INT)?;
        let chat = open(browser, &of_leak, "“visitor ").await?;
        futurelock.output.until("saved").await?;
        let prices = open(browser, &of_futurelock, "3 ×").await?;

        shows_what_holds_the_thread(browser, &shop).await?;
        shows_what_is_left_in_a_cancelled_nursery(browser, &clock).await?;
        shows_where_tasks_are_spawned(browser, &chat).await?;
        shows_who_waits_for_a_lock(browser, &prices).await?;

        // Somebody reads it again.
        nursery(async |n| {
            n.service(read(&mut blocked.output));
            browser.until(&shop, "document.documentElement.dataset.link === 'live'").await
        })
        .await?;
        assert_eq!(browser.complaints(), [""; 0], "nothing has gone wrong in the pages");
        n.cancel();
        Ok(())
    });
    run(fail_after(LIMIT, test)).unwrap();
}

/// Starts a program, and returns it with the address of its page.
async fn start<'scope>(n: &'scope Nursery<'scope, '_>, name: &str) -> Result<(Program, String)> {
    let mut program = Program::start(n, &[name, "--inspect", "0"])?;
    let address = program.output.until("http://").await?.trim_end().to_owned();
    Ok((program, address))
}

async fn read(lines: &mut Lines) -> Result<()> {
    loop {
        lines.next().await?;
    }
}

/// Opens a page, and returns when its tree shows this.
async fn open(browser: &mut DevTools, address: &str, text: &str) -> Result<Page> {
    let page = browser.open(address).await?;
    browser.resize(&page, 1200, 470).await?;
    browser.until(&page, &says("tree", &[text])).await?;
    Ok(page)
}

/// Whether the text of an element has all these parts.
fn says(id: &str, parts: &[&str]) -> String {
    let text = format!("document.getElementById({}).textContent", json!(id));
    let says = parts.iter().map(|part| format!("{text}.includes({})", json!(part)));
    says.collect::<Vec<_>>().join(" && ")
}

/// A place as the page writes it in its tree.
fn short(file: &str, text: &str) -> String {
    place(file, text).strip_prefix("examples/hangs/").expect("it is in there").to_owned()
}

async fn shows_what_holds_the_thread(browser: &mut DevTools, page: &Page) -> Result<()> {
    browser.until(page, &says("link", &["held up"])).await?;
    browser.until(page, &says("alarms", &["The run has not answered for"])).await?;
    photograph(browser, page, "blocked").await
}

async fn shows_what_is_left_in_a_cancelled_nursery(
    browser: &mut DevTools,
    page: &Page,
) -> Result<()> {
    let opened = short("ignored.rs", "nursery(async |n|");
    browser.until(page, &says("alarms", &["nursery", &opened, "and still open"])).await?;
    browser.evaluate(page, "document.querySelector('#alarms button').click()").await?;
    // By whom, and why.
    let cancelled = place("ignored.rs", "cancel_with(");
    browser.until(page, &says("side", &["SIGINT", &cancelled])).await?;
    let rows = "[...document.querySelectorAll('.row.elsewhere:not([hidden])')]";
    let left = format!("{rows}.some((row) => row.textContent.includes('“commands”'))");
    browser.until(page, &left).await?;
    photograph(browser, page, "ignored").await
}

async fn shows_where_tasks_are_spawned(browser: &mut DevTools, page: &Page) -> Result<()> {
    let spawned = short("leak.rs", "n.spawn(keep_alive(");
    let first = "document.querySelector('#side tr:nth-child(2)')";
    let first_is = format!(
        "{first}?.textContent.includes({}) && {first}.querySelector('.grows')",
        json!(spawned)
    );
    browser.until(page, &first_is).await?;
    if pictures().is_some() {
        // It says so once it has been sure for a while.
        let alarm = ["more tasks spawned at ", &spawned];
        browser.until(page, &says("alarms", &alarm)).await?;
    }
    photograph(browser, page, "leak").await
}

async fn shows_who_waits_for_a_lock(browser: &mut DevTools, page: &Page) -> Result<()> {
    let waits = short("futurelock.rs", "Ok(prices.lock().await?.tea)");
    browser
        .until(page, &says("alarms", &["has waited for Mutex for", &waits, "(and 2 more)"]))
        .await?;
    browser.evaluate(page, "document.querySelector('#alarms button').click()").await?;
    browser.until(page, &says("side", &["“customer ", "in Mutex::lock"])).await?;
    photograph(browser, page, "futurelock").await
}

fn pictures() -> Option<std::ffi::OsString> {
    std::env::var_os("HANGS_PICTURES")
}

/// Takes a picture of the page, for whoever wants to see it: into the folder `HANGS_PICTURES`.
async fn photograph(browser: &mut DevTools, page: &Page, name: &str) -> Result<()> {
    if let Some(folder) = pictures() {
        let picture = browser.picture(page).await?;
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture)?;
    }
    Ok(())
}
