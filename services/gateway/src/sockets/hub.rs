//! One subscription for each project, whatever the number of its sockets. It begins with the first and ends with the
//! last of them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use millrace_domain::ids::ProjectId;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How many items a socket may be behind the others; then it is too slow.
const BEHIND: usize = 32;

/// How long the subscription of a project may take to stand, which it does at once where there is a broker.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the subscription of a project stands: what happens from then on is told.
pub type Standing = watch::Sender<bool>;

/// What brings the items of a project to its sockets, for as long as there is one.
type Follow<T> = dyn Fn(ProjectId, broadcast::Sender<T>, Standing) -> Pin<Box<dyn Future<Output = ()> + Send>>
    + Send
    + Sync;

/// The projects that somebody looks at. Cheap to clone.
pub struct Hub<T> {
    rooms: Arc<Mutex<HashMap<ProjectId, Weak<Room<T>>>>>,
    follow: Arc<Follow<T>>,
    runtime: Handle,
}

#[derive(Debug)]
struct Room<T> {
    items: broadcast::Sender<T>,
    standing: watch::Receiver<bool>,
    _followed: AbortOnDropHandle<()>,
}

/// A place from which one project is looked at.
#[derive(Debug)]
pub struct Seat<T> {
    items: broadcast::Receiver<T>,
    room: Arc<Room<T>>,
}

impl<T> fmt::Debug for Hub<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hub")
    }
}

impl<T: Clone + Send + 'static> Hub<T> {
    /// A hub that follows projects with `follow`, on `runtime`: sockets live on threads of their own.
    pub fn new(
        runtime: Handle,
        follow: impl Fn(ProjectId, broadcast::Sender<T>, Standing) -> Pin<Box<dyn Future<Output = ()> + Send>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { rooms: Arc::default(), follow: Arc::new(follow), runtime }
    }

    /// Looks at a project from now on.
    #[must_use]
    pub fn join(&self, project: ProjectId) -> Seat<T> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.get(&project).and_then(Weak::upgrade).unwrap_or_else(|| {
            let items = broadcast::Sender::new(BEHIND);
            let (stands, standing) = watch::channel(false);
            let followed = self.runtime.spawn((self.follow)(project, items.clone(), stands));
            let room = Arc::new(Room { items, standing, _followed: AbortOnDropHandle::new(followed) });
            rooms.retain(|_, room| room.strong_count() > 0);
            rooms.insert(project, Arc::downgrade(&room));
            room
        });
        Seat { items: room.items.subscribe(), room }
    }
}

impl<T: Clone> Seat<T> {
    /// Waits until this seat hears all that happens from then on, and returns whether it does.
    pub async fn stands(&self) -> bool {
        let mut standing = self.room.standing.clone();
        timeout(PATIENCE, standing.wait_for(|stands| *stands)).await.is_ok_and(|stands| stands.is_ok())
    }

    /// The next item.
    ///
    /// # Errors
    /// When this seat is too far behind.
    pub async fn next(&mut self) -> Result<T, broadcast::error::RecvError> {
        self.items.recv().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use tokio::sync::{Notify, mpsc};

    use super::*;

    struct Gone(mpsc::UnboundedSender<&'static str>);

    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.send("left alone");
        }
    }

    #[tokio::test]
    async fn a_project_is_followed_once_and_for_as_long_as_somebody_looks() {
        let (happened, mut happenings) = mpsc::unbounded_channel();
        let (told, subscribed) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let waits = Arc::clone(&subscribed);
        let hub =
            Hub::new(Handle::current(), move |_, sender: broadcast::Sender<usize>, standing: Standing| {
                let (gone, told, waits) = (Gone(happened.clone()), Arc::clone(&told), Arc::clone(&waits));
                Box::pin(async move {
                    gone.0.send("followed").unwrap();
                    waits.notified().await;
                    standing.send_replace(true);
                    let _ = sender.send(told.fetch_add(1, Ordering::Relaxed));
                    std::future::pending::<()>().await;
                    drop(gone);
                })
            });
        let project = ProjectId::new();
        let (mut one, mut other) = (hub.join(project), hub.join(project));
        assert_eq!(happenings.recv().await, Some("followed"));
        assert!(one.stands().now_or_never().is_none(), "it does not stand before there is a subscription");
        subscribed.notify_one();
        assert!(one.stands().await && other.stands().await);
        assert_eq!((one.next().await, other.next().await), (Ok(0), Ok(0)));
        drop(one);
        assert!(happenings.try_recv().is_err());
        drop(other);
        assert_eq!(happenings.recv().await, Some("left alone"));
        subscribed.notify_one();
        assert_eq!(hub.join(project).next().await, Ok(1));
    }
}
