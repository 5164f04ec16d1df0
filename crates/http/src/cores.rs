//! Which cores the threads of a server run on.
//!
//! The system puts a thread that is woken near the one that wakes it. Where a request passes from thread to thread, all of them
//! gather on one core that way, and for milliseconds wait for each other beside another core with nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use actix_web::web::ServiceConfig;
use rustix::io;
use rustix::process::getpid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// `routes`, with every thread that a server makes them for staying on a core of its own from then on. One server's: another
/// one begins with the first core again.
///
/// Only where a server has a thread for each core that the process may use. A process with a share of many cores (a quota
/// of its control group) has fewer, and several such processes would be together on the first few.
pub fn each_on_its_own<R>(routes: R) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static
where
    R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let cores = Arc::new(Cores::of_this_process());
    move |service| {
        if let Err(error) = cores.settle() {
            tracing::info!(%error, "a thread of the server runs on any core");
        }
        routes(service);
    }
}

/// Has the calling thread run on any core that the process may use. For threads that do what would hold up a server's:
/// they begin where the one that starts them is, and would hold it up none the less.
pub fn roam() {
    let moved = sched_getaffinity(Some(getpid()))
        .and_then(|all| if sched_getaffinity(None)? == all { Ok(()) } else { sched_setaffinity(None, &all) });
    if let Err(error) = moved {
        tracing::debug!(%error, "a thread stays where the one is that started it");
    }
}

/// The core that the calling thread stays on, if it stays on one.
#[must_use]
pub fn own() -> Option<u32> {
    let here = sched_getaffinity(None).ok().filter(|here| here.count() == 1)?;
    members(&here).next()?.try_into().ok()
}

fn members(cores: &CpuSet) -> impl Iterator<Item = usize> + '_ {
    (0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core))
}

/// The cores of a server's threads, and how many of them are taken.
#[derive(Debug)]
struct Cores {
    all: Vec<usize>,
    taken: AtomicUsize,
}

impl Cores {
    fn of_this_process() -> Self {
        let may_use = sched_getaffinity(Some(getpid())).unwrap_or_default();
        Self::of(members(&may_use).collect(), available_parallelism().map_or(1, usize::from))
    }

    /// None where there are more cores than threads.
    fn of(all: Vec<usize>, threads: usize) -> Self {
        Self { all: if all.len() == threads { all } else { Vec::new() }, taken: AtomicUsize::new(0) }
    }

    /// Has the calling thread stay on the next core, unless it stays on one: a server asks it once for each address.
    fn settle(&self) -> io::Result<()> {
        if sched_getaffinity(None)?.count() == 1 {
            return Ok(());
        }
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let next = taken.checked_rem(self.all.len()).and_then(|turn| self.all.get(turn));
        let Some(core) = next else { return Ok(()) };
        let mut own = CpuSet::new();
        own.set(*core);
        sched_setaffinity(None, &own)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::Duration;

    use actix_web::web;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::serve::serve;

    fn cores_of_this_thread() -> Vec<usize> {
        members(&sched_getaffinity(None).unwrap()).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_thread_of_a_server_has_a_core_of_its_own() {
        let routes = each_on_its_own(|service| {
            service.route("/", web::get().to(async || format!("{:?}", cores_of_this_thread())));
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let server = serve(listener, routes, shutdown.clone(), Duration::ZERO).unwrap();
        let server = tokio::spawn(server);
        let all = cores_of_this_thread();
        let found = tokio::task::spawn_blocking({
            let connections = all.len();
            // Connections are handed out to threads in turn.
            move || (0..connections).map(|_| ask(address)).collect::<BTreeSet<_>>()
        });
        // With a quota there are fewer threads than cores, and they stay nowhere.
        let expected: BTreeSet<_> = match Cores::of_this_process().all.as_slice() {
            [] => BTreeSet::from([format!("{all:?}")]),
            own => own.iter().map(|core| format!("[{core}]")).collect(),
        };
        assert_eq!(found.await.unwrap(), expected);
        shutdown.cancel();
        server.await.unwrap().unwrap();
    }

    fn ask(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    #[test]
    fn a_thread_that_is_asked_again_stays() {
        let cores = Cores::of_this_process();
        let asked = || {
            cores.settle().unwrap();
            own()
        };
        let (first, again) = thread::scope(|scope| scope.spawn(|| (asked(), asked())).join().unwrap());
        assert_eq!(first, again);
    }

    #[test]
    fn what_a_settled_thread_starts_may_go_elsewhere() {
        let all = cores_of_this_thread();
        let cores = Cores::of_this_process();
        let roaming = thread::scope(|scope| {
            let settled = scope.spawn(|| {
                cores.settle().unwrap();
                thread::spawn(|| {
                    roam();
                    cores_of_this_thread()
                })
                .join()
            });
            settled.join().unwrap().unwrap()
        });
        assert_eq!(roaming, all);
    }

    #[test]
    fn with_a_share_of_the_cores_threads_run_on_any() {
        let all = cores_of_this_thread();
        Cores::of(all.clone(), all.len() - 1).settle().unwrap();
        assert_eq!(cores_of_this_thread(), all);
    }
}
