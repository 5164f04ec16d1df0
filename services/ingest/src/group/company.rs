//! How long requests wait for others to share a group with.
//!
//! A message costs the machine about as much as six of the requests in it, so the more share one the better. Senders that
//! wait for their answers come again once they have them, about as many as before: so a group goes when most of those are
//! there that have been seen to wait at the same time, and not after a fixed time, which would be too short for one machine
//! and leave another one idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// How long those who are there wait for the others, at most.
const PATIENCE: Duration = Duration::from_millis(5);

/// Those who wait for the log, counted in events.
#[derive(Debug)]
pub(super) struct Company {
    /// In the queue.
    queued: AtomicUsize,
    /// In the queue or under way.
    unanswered: AtomicUsize,
    /// The most that were unanswered at the same time and have come again since.
    most: AtomicUsize,
    /// As many as have room in a group.
    room: usize,
    enough: Notify,
}

/// Events of a request that has no verdict, until it is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    company: Arc<Company>,
    events: usize,
}

impl Company {
    /// Of groups that have room for so many.
    pub(super) fn new(room: usize) -> Self {
        let [queued, unanswered, most] = <[AtomicUsize; 3]>::default();
        Self { queued, unanswered, most, room, enough: Notify::new() }
    }

    /// Counts those that are about to be in the queue.
    pub(super) fn enter(self: &Arc<Self>, events: usize) -> Guest {
        let unanswered = self.unanswered.fetch_add(events, Ordering::Relaxed) + events;
        self.most.fetch_max(unanswered, Ordering::Relaxed);
        self.queued.fetch_add(events, Ordering::Relaxed);
        Guest { company: Arc::clone(self), events }
    }

    /// Tells whoever gathers, if enough are in the queue.
    pub(super) fn look_around(&self) {
        if self.is_enough() {
            self.enough.notify_one();
        }
    }

    /// Counts those that have left the queue.
    pub(super) fn leave(&self, events: usize) {
        self.queued.fetch_sub(events, Ordering::Relaxed);
    }

    /// Waits until enough are in the queue, or nobody has patience for the others any more. Who has not come by then is not
    /// waited for again.
    pub(super) async fn gathers(&self) {
        let enough = async {
            while !self.is_enough() {
                self.enough.notified().await;
            }
        };
        if timeout(PATIENCE, enough).await.is_err() {
            self.most.store(self.unanswered.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Three quarters of those who may come: all the others need not wait for one that is slow.
    fn is_enough(&self) -> bool {
        let expected = (self.most.load(Ordering::Relaxed) * 3).div_ceil(4);
        self.queued.load(Ordering::Relaxed) >= expected.min(self.room)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.company.unanswered.fetch_sub(self.events, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn company(room: usize) -> Arc<Company> {
        Arc::new(Company::new(room))
    }

    /// A group of so many comes, goes and is answered.
    fn go(company: &Arc<Company>, events: usize) {
        let guest = company.enter(events);
        company.leave(events);
        drop(guest);
    }

    /// Whether those who are in the queue wait for nobody.
    fn go_at_once(company: &Company) -> bool {
        company.gathers().now_or_never().is_some()
    }

    #[actix_web::test]
    async fn a_lone_sender_waits_for_nobody() {
        let company = company(100);
        for _ in 0..3 {
            let guest = company.enter(1);
            assert!(go_at_once(&company));
            company.leave(1);
            drop(guest);
        }
    }

    #[actix_web::test]
    async fn senders_wait_for_those_who_waited_with_them_before() {
        let company = company(100);
        go(&company, 8);
        let mut gathers = Box::pin(company.gathers());
        let _five = company.enter(5);
        company.look_around();
        assert!(gathers.as_mut().now_or_never().is_none());
        let _another = company.enter(1);
        company.look_around();
        assert!(gathers.now_or_never().is_some(), "one in four may be late");
    }

    #[actix_web::test]
    async fn those_who_queue_while_a_group_is_under_way_are_of_the_company() {
        let company = company(100);
        let under_way = company.enter(8);
        company.leave(8);
        let _four = company.enter(4);
        drop(under_way);
        assert!(!go_at_once(&company), "twelve were there, and four are");
        let _five = company.enter(5);
        assert!(go_at_once(&company));
    }

    #[actix_web::test]
    async fn nobody_waits_for_more_than_have_room() {
        let company = company(10);
        go(&company, 40);
        let _guest = company.enter(10);
        assert!(go_at_once(&company));
    }

    #[actix_web::test]
    async fn those_who_do_not_come_are_waited_for_once() {
        let company = company(100);
        go(&company, 8);
        let guest = company.enter(1);
        company.gathers().await;
        company.leave(1);
        drop(guest);
        let _again = company.enter(1);
        assert!(go_at_once(&company));
    }
}
