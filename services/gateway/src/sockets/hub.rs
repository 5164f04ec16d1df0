//! One subscription for each project, whatever the number of its sockets. It begins with the first and ends with the
//! last of them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use millrace_domain::ids::ProjectId;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;

/// How many items a socket may be behind the others; then it is too slow.
const BEHIND: usize = 32;

/// What brings the items of a project to its sockets, for as long as there is one.
type Follow<T> =
    dyn Fn(ProjectId, broadcast::Sender<T>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The projects that somebody looks at. Cheap to clone.
pub struct Hub<T> {
    rooms: Arc<Mutex<HashMap<ProjectId, Weak<Room<T>>>>>,
    follow: Arc<Follow<T>>,
    runtime: Handle,
}

#[derive(Debug)]
struct Room<T> {
    items: broadcast::Sender<T>,
    _followed: AbortOnDropHandle<()>,
}

/// A place from which one project is looked at.
#[derive(Debug)]
pub struct Seat<T> {
    items: broadcast::Receiver<T>,
    _room: Arc<Room<T>>,
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
        follow: impl Fn(ProjectId, broadcast::Sender<T>) -> Pin<Box<dyn Future<Output = ()> + Send>>
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
            let followed = self.runtime.spawn((self.follow)(project, items.clone()));
            let room = Arc::new(Room { items, _followed: AbortOnDropHandle::new(followed) });
            rooms.retain(|_, room| room.strong_count() > 0);
            rooms.insert(project, Arc::downgrade(&room));
            room
        });
        Seat { items: room.items.subscribe(), _room: room }
    }
}

impl<T: Clone> Seat<T> {
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

    use tokio::sync::mpsc;

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
        let told = Arc::new(AtomicUsize::new(0));
        let hub = Hub::new(Handle::current(), move |_, sender: broadcast::Sender<usize>| {
            let (gone, told) = (Gone(happened.clone()), Arc::clone(&told));
            Box::pin(async move {
                gone.0.send("followed").unwrap();
                let _ = sender.send(told.fetch_add(1, Ordering::Relaxed));
                std::future::pending::<()>().await;
                drop(gone);
            })
        });
        let project = ProjectId::new();
        let (mut one, mut other) = (hub.join(project), hub.join(project));
        assert_eq!((one.next().await, other.next().await), (Ok(0), Ok(0)));
        drop(one);
        assert_eq!(happenings.recv().await, Some("followed"));
        assert!(happenings.try_recv().is_err());
        drop(other);
        assert_eq!(happenings.recv().await, Some("left alone"));
        assert_eq!(hub.join(project).next().await, Ok(1));
    }
}
