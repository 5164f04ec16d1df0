//! Verdicts on their way back to the threads whose requests wait for them.
//!
//! To wake a task of another thread is a system call, and a thread that is woken for one verdict answers one request and
//! sleeps again. So each thread of the server gets its verdicts of a group in one piece, and hands them on by itself.

use std::cell::RefCell;

use millrace_messaging::error::MessagingError;
use tokio::sync::{mpsc, oneshot};

/// How many of a request's events were accepted.
pub(super) type Verdict = Result<u64, MessagingError>;

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<Courier>> = RefCell::default();
}

/// Takes verdicts to one thread. Cheap to clone.
#[derive(Clone, Debug)]
struct Courier(mpsc::UnboundedSender<Vec<Delivery>>);

/// A request that waits for its verdict, and the way to its thread.
#[derive(Debug)]
pub(super) struct Waiting {
    courier: Courier,
    done: oneshot::Sender<Verdict>,
}

#[derive(Debug)]
struct Delivery {
    verdict: Verdict,
    done: oneshot::Sender<Verdict>,
}

impl Courier {
    /// That of the thread which this runs on. It lives as long as the thread's runtime.
    fn of_this_thread() -> Self {
        OF_THIS_THREAD.with_borrow_mut(|courier| {
            courier.take_if(|courier| courier.0.is_closed());
            courier.get_or_insert_with(Self::start).clone()
        })
    }

    fn start() -> Self {
        // Holds no more than there are requests that wait on this thread.
        let (courier, mut bundles) = mpsc::unbounded_channel::<Vec<Delivery>>();
        actix_web::rt::spawn(async move {
            while let Some(bundle) = bundles.recv().await {
                for Delivery { verdict, done } in bundle {
                    // A sender that is gone does not need to know.
                    let _ = done.send(verdict);
                }
            }
        });
        Self(courier)
    }
}

impl Waiting {
    /// A request of this thread, and where its verdict will be.
    pub(super) fn here() -> (Self, oneshot::Receiver<Verdict>) {
        let (done, verdict) = oneshot::channel();
        (Self { courier: Courier::of_this_thread(), done }, verdict)
    }
}

/// Sends verdicts to those who wait for them.
pub(super) fn deliver(verdicts: impl Iterator<Item = (Waiting, Verdict)>) {
    let mut bundles: Vec<(Courier, Vec<Delivery>)> = Vec::new();
    for (Waiting { courier, done }, verdict) in verdicts {
        let delivery = Delivery { verdict, done };
        match bundles.iter_mut().find(|(known, _)| known.0.same_channel(&courier.0)) {
            Some((_, bundle)) => bundle.push(delivery),
            None => bundles.push((courier, vec![delivery])),
        }
    }
    for (courier, bundle) in bundles {
        // A thread that is gone has nobody who waits.
        let _ = courier.0.send(bundle);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread::{self, JoinHandle};

    use actix_web::rt::System;
    use futures_util::future::join_all;

    use super::*;

    /// A thread of the server on which requests with these numbers wait.
    fn thread_with(requests: [u64; 3], queue: Sender<(u64, Waiting)>) -> JoinHandle<Vec<Verdict>> {
        thread::spawn(move || {
            System::new().block_on(async move {
                let verdicts = requests.map(|number| {
                    let (waiting, verdict) = Waiting::here();
                    queue.send((number, waiting)).unwrap();
                    async { verdict.await.unwrap() }
                });
                join_all(verdicts).await
            })
        })
    }

    #[test]
    fn every_request_gets_its_own_verdict_whatever_thread_it_waits_on() {
        let (queue, gathered) = channel();
        let threads = [[1, 2, 3], [11, 12, 13]].map(|numbers| thread_with(numbers, queue.clone()));
        drop(queue);
        let mut group: Vec<(u64, Waiting)> = gathered.iter().take(6).collect();
        group.sort_by_key(|(number, _)| number % 10);
        deliver(group.into_iter().map(|(number, waiting)| (waiting, Ok(number))));
        let verdicts = |thread: JoinHandle<Vec<Verdict>>| -> Vec<u64> {
            thread.join().unwrap().into_iter().map(Result::unwrap).collect()
        };
        assert_eq!(threads.map(verdicts), [vec![1, 2, 3], vec![11, 12, 13]]);
    }

    #[actix_web::test]
    async fn a_sender_that_is_gone_takes_no_verdict_from_others() {
        let (gone, verdict) = Waiting::here();
        drop(verdict);
        let (patient, verdict) = Waiting::here();
        deliver([(gone, Ok(1)), (patient, Ok(2))].into_iter());
        assert_eq!(verdict.await.unwrap().unwrap(), 2);
    }
}
