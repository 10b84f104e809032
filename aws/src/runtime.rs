//! The one runtime of a program, whose threads are had before it begins: where there is none left, tokio panics, or waits
//! for ever for those that it has.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use tokio::runtime::{Builder, Runtime};

/// Returns the runtime. The first call makes it.
///
/// # Errors
/// When the system gives this user no more threads.
pub(crate) fn runtime() -> io::Result<Arc<Runtime>> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(Arc::clone(runtime));
    }
    threads_are_had(WORKERS + HELPERS)?;
    let mut builder = Builder::new_multi_thread();
    // Names are looked up in a helper, which stays for the next.
    let builder = builder.worker_threads(WORKERS).thread_keep_alive(A_DAY);
    let made = Arc::new(builder.thread_name("aws").enable_all().build()?);
    drop(made.spawn_blocking(|| ()));
    Ok(Arc::clone(RUNTIME.get_or_init(|| made)))
}

/// Starts so many threads at once, and waits until they are gone again.
fn threads_are_had(count: usize) -> io::Result<()> {
    let before = threads();
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let _shut = gate.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..count {
            let wait = || drop(gate.lock());
            thread::Builder::new().spawn_scoped(scope, wait)?;
        }
        Ok::<(), io::Error>(())
    })?;
    // One that has ended counts for the user's limit until it has left /proc.
    let since = Instant::now();
    while threads() > before && since.elapsed() < PATIENCE {
        thread::yield_now();
    }
    Ok(())
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Calls are few, and none may wait for another.
const WORKERS: usize = 2;
/// What looks up names.
const HELPERS: usize = 1;
const A_DAY: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_millis(500);
