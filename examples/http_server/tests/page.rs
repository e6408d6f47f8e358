//! The page that shows what a run is doing, in a real browser: L5.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::Duration;

use browser::{Chromium, DevTools, Page};
use seedbed::net::TcpListener;
use seedbed::{
    CancelScope, Event, Result, cancel_scope, fail_after, inspect, nursery, sleep, sleep_forever,
};
use serde_json::{Value, json};

/// Far more than this takes, so that a test that hangs says so.
const LIMIT: Duration = Duration::from_secs(20);

const TASKS: u32 = 10_000;

/// What somebody may have put into a task's name.
const SLY: &str = "<img src=x onerror=\"document.title='hacked'\"><script>alert(1)</script>";

#[test]
fn l05_ten_thousand_tasks() {
    seedbed::run(async {
        let stop = Event::new();
        nursery(async |n| {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = format!("http://{}", listener.local_addr()?);
            inspect::enable()?;
            n.service(inspect::serve(listener));
            n.spawn(program(&stop));
            let browser = &mut DevTools::connect(&Chromium::start(n).await?.devtools).await?;
            let page = browser.open(&address).await?;
            let looked = fail_after(LIMIT, look(browser, &page)).await;
            stop.set();
            looked?;
            browser.until(&page, &tasks_are("< 100")).await?;
            n.scope().cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

async fn look(browser: &mut DevTools, page: &Page) -> Result<()> {
    shows_the_tree(browser, page).await?;
    finds_one(browser, page).await?;
    is_fluent(browser, page).await?;
    works_by_keyboard(browser, page).await?;
    names_stay_text(browser, page).await?;
    is_light_and_dark(browser, page).await
}

/// Ten thousand tasks, of which a thousand do something each second, and three others.
async fn program(stop: &Event) -> Result<()> {
    nursery(async |n| {
        for nth in 0..TASKS {
            let first = Duration::from_millis(u64::from(nth) * 37 % 20_000);
            n.named(format!("connection {nth}")).spawn::<_, ()>(async move {
                loop {
                    sleep(first).await?;
                    sleep(Duration::from_secs(20) - first).await?;
                }
            });
        }
        n.named("metronome").spawn::<_, ()>(async {
            loop {
                sleep(Duration::from_millis(300)).await?; // tick
                sleep(Duration::from_millis(300)).await?; // tock
            }
        });
        n.named(SLY).spawn(fail_after(Duration::from_secs(3600), sleep_forever()));
        n.named("deaf").spawn(deaf(stop));
        stop.wait().await?;
        n.scope().cancel();
        Ok(())
    })
    .await
}

/// Ignores that its scope is cancelled.
async fn deaf(stop: &Event) -> Result<()> {
    cancel_scope(async |scope| {
        scope.cancel();
        CancelScope::new().with_shield().enter(async |_| stop.wait().await).await
    })
    .await
    .map(drop)
}

/// Says of the number of tasks that the page shows.
fn tasks_are(what: &str) -> String {
    format!("parseInt(document.getElementById('counts').textContent.replaceAll(',', '')) {what}")
}

/// Whether a row is there that has this text.
fn row_with(text: &str) -> String {
    let text = json!(text);
    format!(
        "[...document.querySelectorAll('.row')].some((row) => row.textContent.includes({text}))"
    )
}

async fn shows_the_tree(browser: &mut DevTools, page: &Page) -> Result<()> {
    browser.resize(page, 1360, 800).await?;
    browser.until(page, &tasks_are("> 10000")).await?;
    photograph(browser, page, "tree").await?;
    // Like tasks are folded together, and there are no more elements than can be seen.
    let counts = "[...document.querySelectorAll('.row .count')]";
    let most =
        format!("{counts}.some((count) => parseInt(count.textContent.replace(',', '')) > 1000)");
    browser.until(page, &most).await?;
    let rows = browser.evaluate(page, "document.querySelectorAll('.row').length").await?;
    assert!(rows.as_u64().is_some_and(|rows| rows < 100), "{rows}");
    let charts = "document.getElementById('charts').textContent";
    browser.until(page, &format!("{charts}.includes('polls a second')")).await?;
    // What is wrong is said.
    let alarms = "document.getElementById('alarms').textContent";
    browser
        .until(page, &format!("/, in “deaf”: cancelled .* ago, and still open/.test({alarms})"))
        .await
}

async fn search(browser: &mut DevTools, page: &Page, text: &str) -> Result<()> {
    browser.press(page, "Escape").await?;
    browser.press(page, "/").await?;
    browser.until(page, "document.activeElement.id === 'search'").await?;
    browser.insert(page, text).await?;
    browser
        .until(page, "document.getElementById('counts').textContent.startsWith('1 found of')")
        .await?;
    browser.press(page, "Enter").await
}

async fn finds_one(browser: &mut DevTools, page: &Page) -> Result<()> {
    search(browser, page, "connection 7777").await?;
    let title = "document.querySelector('#side h2').textContent";
    browser.until(page, &format!("{title} === '“connection 7777”'")).await?;
    photograph(browser, page, "found").await?;
    // What it was seen doing, and what it is in.
    search(browser, page, "metronome").await?;
    browser.until(page, &format!("{title} === '“metronome”'")).await?;
    browser.until(page, "document.querySelectorAll('#side ol:last-child li').length >= 3").await?;
    let inside = "document.querySelector('#side ol').textContent";
    let inside = browser.evaluate(page, inside).await?;
    assert!(inside.as_str().is_some_and(|inside| inside.contains("main future")), "{inside}");
    photograph(browser, page, "history").await
}

/// Says how fluent the page is, for whoever wants to know.
async fn is_fluent(browser: &mut DevTools, page: &Page) -> Result<()> {
    if std::env::var_os("PAGE_PICTURES").is_some() {
        let frames = "new Promise((done) => {
            const times = [];
            const frame = (time) => {
                times.push(time);
                if (time - times[0] < 5000) return requestAnimationFrame(frame);
                const gaps = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => b - a);
                done(`${times.length} frames in 5 s, the longest took ${gaps.slice(0, 5)} ms`);
            };
            requestAnimationFrame(frame);
        })";
        eprintln!("{}", browser.evaluate(page, frames).await?);
    }
    Ok(())
}

async fn works_by_keyboard(browser: &mut DevTools, page: &Page) -> Result<()> {
    let selected = "document.querySelector('.row[aria-selected=true]')";
    browser.press(page, "Escape").await?;
    browser.press(page, "Home").await?;
    browser.until(page, &format!("{selected}?.textContent.includes('main future')")).await?;
    let rows = "document.querySelectorAll('.row:not([hidden])').length";
    browser.press(page, "ArrowLeft").await?;
    browser.until(page, &format!("{selected}.getAttribute('aria-expanded') === 'false'")).await?;
    browser.until(page, &format!("{rows} < 3")).await?;
    browser.press(page, "ArrowRight").await?;
    browser.until(page, &format!("{rows} > 5")).await?;
    browser.press(page, "ArrowDown").await?;
    browser.until(page, &format!("{selected}.getAttribute('aria-level') === '2'")).await?;
    let active = "document.getElementById('tree').getAttribute('aria-activedescendant')";
    let agree = format!("{active} === {selected}.id && document.activeElement.id === 'tree'");
    assert_eq!(browser.evaluate(page, &agree).await?, true);
    Ok(())
}

async fn names_stay_text(browser: &mut DevTools, page: &Page) -> Result<()> {
    search(browser, page, "onerror").await?;
    browser.until(page, &row_with(SLY)).await?;
    let title =
        format!("document.querySelector('#side h2').textContent === {}", json!(format!("“{SLY}”")));
    browser.until(page, &title).await?;
    let made = "document.querySelectorAll('main img, main script').length";
    assert_eq!(browser.evaluate(page, made).await?, 0);
    assert_ne!(browser.evaluate(page, "document.title").await?, "hacked");
    assert_eq!(browser.complaints(), [""; 0], "nothing has gone wrong in the page so far");
    // Even a script that somebody got into the page would not run.
    let inject = "const script = document.createElement('script'); \
        try { script.text = 'window.injected = true'; } catch (error) { error.name }";
    assert_eq!(browser.evaluate(page, inject).await?, "TypeError");
    browser.press(page, "Escape").await
}

/// The page is light or dark, as the system is.
async fn is_light_and_dark(browser: &mut DevTools, page: &Page) -> Result<()> {
    let ground = "getComputedStyle(document.body).backgroundColor";
    let mut grounds: Vec<Value> = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(page, scheme).await?;
        grounds.push(browser.evaluate(page, ground).await?);
        photograph(browser, page, scheme).await?;
    }
    assert_eq!(grounds, ["rgb(244, 243, 239)", "rgb(20, 23, 26)"]);
    Ok(())
}

/// Takes a picture of the page, for whoever wants to see it: into the folder `PAGE_PICTURES`.
async fn photograph(browser: &mut DevTools, page: &Page, name: &str) -> Result<()> {
    if let Some(folder) = std::env::var_os("PAGE_PICTURES") {
        let picture = browser.picture(page).await?;
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture)?;
    }
    Ok(())
}
