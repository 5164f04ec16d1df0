//! Verdicts on their way back to the threads whose requests wait for them.
//!
//! To wake a task of another thread is a system call, and a thread that is woken for one verdict answers one request and
//! sleeps again. So each thread of the server gets its verdicts of a group in one piece, and hands them on by itself.

use std::cell::RefCell;

use tokio::sync::{mpsc, oneshot};

use super::Verdict;

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
