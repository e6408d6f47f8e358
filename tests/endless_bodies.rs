//! N16: bodies that are endless loops. What they give where something says that their value is
//! `()`, and what the compiler says where nothing does.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use seedbed::testing::VirtualClock;
use seedbed::{Result, Yielder, context_manager, move_on_after, nursery, sleep, with};
use support::{run, run_on, secs};

#[test]
fn n16_a_loop_without_an_end_is_ok_when_its_nursery_is_cancelled() {
    async fn as_the_last_expression() -> Result<()> {
        nursery(async |n| {
            n.spawn(async move {
                n.cancel();
                Ok(())
            });
            loop {
                sleep(secs(1)).await?;
            }
        })
        .await
    }
    run(async {
        as_the_last_expression().await?;
        nursery::<_, ()>(async |n| {
            n.scope().set_timeout(secs(3));
            loop {
                sleep(secs(1)).await?;
            }
        })
        .await?;
        let (): () = nursery(async |n| {
            n.cancel();
            loop {
                sleep(secs(1)).await?;
            }
        })
        .await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn n16_a_loop_in_a_with_is_ok_when_the_manager_ends_it() {
    let clock = VirtualClock::new();
    run_on(&clock, async {
        let limited = context_manager(async |y: Yielder<()>| {
            let in_time = move_on_after(secs(5), async { y.yield_(()).await.map(drop) });
            in_time.await.map(drop)
        });
        with::<_, (), _>(limited, async |()| {
            loop {
                sleep(secs(1)).await?;
            }
        })
        .await?;
        assert_eq!(clock.elapsed(), secs(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn n16_a_child_may_be_a_loop_without_an_end() {
    run(async {
        nursery(async |n| {
            drop(n.spawn::<_, ()>(async {
                loop {
                    sleep(secs(1)).await?;
                }
            }));
            n.cancel();
            Ok(())
        })
        .await
    })
    .unwrap();
}

#[test]
fn n16_where_nothing_says_what_the_value_is_it_does_not_compile_and_the_compiler_says_what_to_write()
 {
    let nursery = "seedbed::nursery(async |n| {
        n.cancel();
        loop { seedbed::checkpoint().await?; }
    }).await?;";
    let said = compile(nursery).expect_err("it compiled");
    assert!(said.contains("write `nursery::<_, ()>(…)`, or make the body end with `()`"), "{said}");
    assert!(said.contains("program.rs:3:"), "it names the place: {said}");
    compile(&nursery.replace("nursery(", "nursery::<_, ()>(")).unwrap();

    let with = "let manager = seedbed::context_manager(async |y: seedbed::Yielder<()>| {
        seedbed::cancel_scope(async |_| y.yield_(()).await).await.map(drop)
    });
    seedbed::with(manager, async |()| loop { seedbed::checkpoint().await?; }).await?;";
    let said = compile(with).expect_err("it compiled");
    assert!(said.contains("write `with::<_, (), _>(…)`"), "{said}");
    compile(&with.replace("with(", "with::<_, (), _>(")).unwrap();
}

/// Compiles a program whose main future does this. What the compiler says if it cannot.
fn compile(statements: &str) -> std::result::Result<(), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("endless_bodies");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("program.rs");
    let text = format!(
        "fn main() -> seedbed::Result<()> {{\nseedbed::run(async {{\n{statements}\nOk(())\n}})\n}}"
    );
    std::fs::write(&program, text).unwrap();
    let (dependencies, seedbed) = library();
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "bin",
            "--emit",
            "obj",
            "--error-format",
            "human",
        ])
        .args(["-o".as_ref(), folder.join("program.o").as_os_str()])
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .arg("--extern")
        .arg(format!("seedbed={}", seedbed.display()))
        .arg(&program)
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The library that this test was linked with: of those beside it, the one that was built last.
fn library() -> (PathBuf, PathBuf) {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let built = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let libraries = built.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libseedbed-") && name.ends_with(".rlib")
    });
    let newest = libraries.max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    (folder, newest.expect("the library is beside its tests"))
}
