//! Jobs, from the row to what came of it.

mod delete_user;
mod export;
mod import;
mod maintenance;
mod rebuild;
mod replay;

use std::process::Stdio;

use millrace_domain::ids::{JobId, ProjectId};
use millrace_domain::jobs::task::Task;
use millrace_domain::jobs::{Kind, Status};
use millrace_messaging::jobs::wake;
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::jobs::{self, Job};
use millrace_testkit::wait;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::bench_of_work::{Bench, Hired, fortnight};

impl Bench {
    /// The database, as the product has it.
    pub(crate) async fn store(&self) -> Connection {
        Database::new(&self.database.url(), PoolSettings::named("test")).unwrap().connection().await.unwrap()
    }

    /// Asks for a job of the shop.
    async fn ask(&self, kind: Kind, parameters: Value) -> JobId {
        let project = kind.started_by().map(|_| self.shop);
        self.ask_for(project, kind, parameters).await
    }

    async fn ask_for(&self, project: Option<ProjectId>, kind: Kind, parameters: Value) -> JobId {
        let task = Task::parse(kind, parameters).unwrap();
        let id = JobId::new();
        jobs::create(&mut *self.store().await, id, project, &task, None).await.unwrap();
        // Before the first worker there is no stream, and it looks for itself.
        let _ = wake(&self.broker, kind, id).await;
        id
    }

    async fn job(&self, id: JobId) -> Job {
        jobs::find(&mut *self.store().await, id).await.unwrap().unwrap()
    }

    async fn until_it_ends(&self, id: JobId) -> Job {
        wait::until("the job ends", async || self.job(id).await.status.has_ended()).await;
        self.job(id).await
    }

    /// What came of a job, which must have succeeded.
    async fn result_of(&self, id: JobId) -> Value {
        let job = self.until_it_ends(id).await;
        assert_eq!((job.status, job.error), (Status::Succeeded, None));
        job.result.unwrap()
    }

    /// A worker as operators run it, which can be killed.
    fn worker_process(&self) -> Child {
        let mut worker = Command::new(env!("CARGO_BIN_EXE_millrace-worker"));
        self.environment(&mut worker);
        worker.spawn().unwrap()
    }

    /// What such a worker is told.
    fn environment(&self, worker: &mut Command) {
        worker
            .env("DATABASE_URL", self.database.url())
            .env("NATS_URL", self.nats.url())
            .env("MILLRACE_BIND", "127.0.0.1:0")
            .env("MILLRACE_ACK_WAIT", "3s")
            .env("MILLRACE_STATEMENT_TIMEOUT", "2s")
            .env("MILLRACE_EVENTS_BYTES", "64MiB")
            .env("MILLRACE_DEAD_LETTERS_BYTES", "16MiB")
            .env("MILLRACE_EXPORTS", self.files.path())
            .env("MILLRACE_EXPORT_PART_ROWS", "100")
            .env("MILLRACE_JOB_LEASE", "1s")
            .env("MILLRACE_JOB_POLL", "100ms")
            .env("MILLRACE_MAINTENANCE", "0s")
            .env("MILLRACE_LOG", "warn")
            .stdout(Stdio::null())
            .kill_on_drop(true);
    }

    /// Lets workers come further with a job and kills them, so many times, and lets the last one finish it. It lives on.
    async fn finish_with_kills(&self, id: JobId, kills: usize) -> (Value, Child) {
        for _ in 0..kills {
            let before = self.job(id).await.progress.done;
            let mut worker = self.worker_process();
            wait::until("the job comes further", async || self.job(id).await.progress.done > before).await;
            worker.kill().await.unwrap();
            assert_eq!(self.job(id).await.status, Status::Running, "the kill came before the end");
        }
        let worker = self.worker_process();
        (self.result_of(id).await, worker)
    }

    /// Events of the shop, stored.
    async fn stocked(events: i64) -> (Self, Hired) {
        let bench = Self::new().await;
        let worker = Hired::with(bench.config()).await;
        for batch in fortnight(events).chunks(1_000) {
            bench.publish(batch).await;
        }
        bench.until_the_log_is_empty().await;
        (bench, worker)
    }
}
