//! The runtimes, each set up as its authors advise for one thread.
//!
//! Each `run` starts the runtime, runs a future to its end, and takes the runtime down. What is
//! timed is inside the future, so starting and ending the runtime do not count.

pub mod seedbed {
    use seedbed::Result;

    /// Everything inside is awaited with `?`; nothing in a benchmark may fail.
    #[track_caller]
    pub fn run<T>(main: impl Future<Output = Result<T>>) -> T {
        seedbed::run(main).expect("a benchmark does not fail")
    }

    #[cfg(feature = "companion")]
    #[track_caller]
    pub fn run_with_companion<T>(main: impl Future<Output = Result<T>>) -> T {
        let builder = seedbed::Builder::new().tokio(seedbed::tokio::Companion::new());
        builder.run(main).expect("a benchmark does not fail")
    }
}

/// How a runtime talks to the kernel, where it has a choice.
#[cfg(feature = "peers")]
#[derive(Clone, Copy)]
pub enum Driver {
    Epoll,
    Uring,
}

#[cfg(feature = "companion")]
pub mod tokio {
    use ::tokio::runtime::Builder;
    #[cfg(feature = "peers")]
    use ::tokio::{runtime::LocalOptions, task::LocalSet};

    #[cfg(feature = "peers")]
    pub fn run<T>(main: impl Future<Output = T>) -> T {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        runtime.expect("tokio runs").block_on(main)
    }

    /// Everything runs on the worker.
    pub fn run_worker<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("tokio runs");
        runtime.block_on(runtime.spawn(main)).expect("a benchmark does not panic")
    }

    #[cfg(feature = "peers")]
    pub fn run_local_set<T>(main: impl Future<Output = T>) -> T {
        let runtime = Builder::new_current_thread().enable_all().build().expect("tokio runs");
        LocalSet::new().block_on(&runtime, main)
    }

    #[cfg(feature = "peers")]
    pub fn run_send<T>(main: impl Future<Output = T>) -> T {
        Builder::new_current_thread().enable_all().build().expect("tokio runs").block_on(main)
    }
}

#[cfg(feature = "peers")]
pub mod smol {
    use std::rc::Rc;

    pub type Executor = Rc<async_executor::LocalExecutor<'static>>;

    pub fn run<T>(main: impl AsyncFnOnce(Executor) -> T) -> T {
        let executor = Executor::default();
        async_io::block_on(executor.run(main(executor.clone())))
    }
}

#[cfg(feature = "peers")]
pub mod futures {
    pub fn run<T>(main: impl Future<Output = T>) -> T {
        ::futures::executor::block_on(main)
    }
}

#[cfg(feature = "peers")]
pub mod monoio {
    use super::Driver;
    use ::monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

    pub fn run<T>(driver: Driver, main: impl Future<Output = T>) -> T {
        match driver {
            Driver::Epoll => {
                let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
                builder.build().expect("monoio runs").block_on(main)
            }
            Driver::Uring => {
                let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
                builder.build().expect("monoio runs").block_on(main)
            }
        }
    }
}

#[cfg(feature = "peers")]
pub mod compio {
    use super::Driver;
    use ::compio::driver::{DriverType, ProactorBuilder};
    use ::compio::runtime::RuntimeBuilder;

    pub fn run<T>(driver: Driver, main: impl Future<Output = T>) -> T {
        let mut proactor = ProactorBuilder::new();
        let driver = match driver {
            Driver::Epoll => DriverType::Poll,
            Driver::Uring => DriverType::IoUring,
        };
        proactor.driver_type(driver);
        let runtime = RuntimeBuilder::new().with_proactor(proactor).build().expect("compio runs");
        assert_eq!(runtime.driver_type(), driver);
        runtime.block_on(main)
    }
}

#[cfg(feature = "peers")]
pub mod glommio {
    use ::glommio::{LocalExecutor, LocalExecutorBuilder, Placement};
    use std::sync::OnceLock;

    fn executor() -> ::glommio::Result<LocalExecutor, ()> {
        LocalExecutorBuilder::new(Placement::Unbound).make()
    }

    pub fn unavailable() -> Option<String> {
        static WHY: OnceLock<Option<String>> = OnceLock::new();
        let probe = || executor().err().map(|error| error.to_string());
        WHY.get_or_init(probe).clone()
    }

    pub fn run<T>(main: impl Future<Output = T>) -> T {
        executor().expect("glommio runs").run(main)
    }
}
