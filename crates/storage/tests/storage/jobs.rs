use std::time::Duration;

use millrace_domain::ids::{JobId, ProjectId};
use millrace_domain::jobs::task::Task;
use millrace_domain::jobs::{Kind, Progress, Status};
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::error::StorageError;
use millrace_storage::jobs::holding::{self, Held, Holding, Note};
use millrace_storage::jobs::{self, Job};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::story::project;
use millrace_testkit::wait;
use serde_json::json;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(60);

async fn connect(database: &TestDatabase) -> Connection {
    Database::new(&database.url(), PoolSettings::named("test")).unwrap().connection().await.unwrap()
}

async fn ask(conn: &mut Connection, project: Option<ProjectId>, task: &Task) -> JobId {
    jobs::create(conn, JobId::new(), project, task, None).await.unwrap().id
}

async fn take(conn: &mut Connection, lease: Duration) -> Option<(Job, Holding)> {
    let holder = Uuid::now_v7();
    let job = holding::take(conn, holder, lease).await.unwrap()?;
    let holding = Holding { job: job.id, holder };
    Some((job, holding))
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_look_at_once_each_job_is_taken_once() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database).await;
    let mut asked = Vec::new();
    for _ in 0..20 {
        asked.push(ask(&mut conn, None, &Task::Maintenance(Kind::Statistics)).await);
    }
    let looking = (0..8).map(|_| {
        let url = database.url();
        tokio::spawn(async move {
            let database = Database::new(&url, PoolSettings::named("test")).unwrap();
            let mut conn = database.connection().await.unwrap();
            let mut taken = Vec::new();
            while let Some((job, _)) = take(&mut conn, LONG).await {
                taken.push(job.id);
            }
            taken
        })
    });
    let mut taken = Vec::new();
    for looked in looking.collect::<Vec<_>>() {
        taken.extend(looked.await.unwrap());
    }
    taken.sort_unstable();
    assert_eq!(taken, asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_not_heard_of_has_no_say_any_more() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database).await;
    let id = ask(&mut conn, None, &Task::Maintenance(Kind::Cleanup)).await;
    let (_, lost) = take(&mut conn, Duration::from_millis(50)).await.unwrap();
    let (job, held) = {
        let database = &database;
        wait::until_some("the hold lapses", async || take(&mut connect(database).await, LONG).await).await
    };
    assert_eq!((job.id, job.attempts), (id, 2));

    let (checkpoint, progress) = (json!({"at": 1}), Progress { done: 1, total: None });
    let note = |held| Note { held, checkpoint: &checkpoint, progress };
    assert!(matches!(note(lost).write(&mut conn).await, Err(StorageError::NotHeld)));
    assert_eq!(holding::renew(&mut conn, lost, LONG).await.unwrap(), Held::No);
    assert!(!holding::finish(&mut conn, lost, Status::Succeeded, None, None).await.unwrap());
    assert!(!holding::postpone(&mut conn, lost, LONG, None).await.unwrap());

    note(held).write(&mut conn).await.unwrap();
    jobs::cancel(&mut conn, id).await.unwrap().unwrap();
    assert_eq!(holding::renew(&mut conn, held, LONG).await.unwrap(), Held::Cancelling);
    assert!(holding::finish(&mut conn, held, Status::Cancelled, None, None).await.unwrap());
    let job = jobs::find(&mut conn, id).await.unwrap().unwrap();
    assert_eq!((job.status, job.checkpoint, job.attempts), (Status::Cancelled, Some(checkpoint), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_jobs_that_write_roll_ups_a_project_has_one_at_a_time() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database).await;
    let (shop, mill) = (project(&database.url(), "UTC").await, project(&database.url(), "UTC").await);
    let first = ask(&mut conn, Some(shop), &Task::Rebuild).await;
    let user = Task::parse(Kind::DeleteUser, json!({"user_id": "ada"})).unwrap();
    let second = ask(&mut conn, Some(shop), &user).await;
    let elsewhere = ask(&mut conn, Some(mill), &Task::Rebuild).await;

    let (job, held) = take(&mut conn, LONG).await.unwrap();
    assert_eq!(job.id, first);
    assert_eq!(take(&mut conn, LONG).await.unwrap().0.id, elsewhere);
    assert!(take(&mut conn, LONG).await.is_none(), "the shop's other job waits");
    assert!(holding::finish(&mut conn, held, Status::Succeeded, None, None).await.unwrap());
    let (job, held) = take(&mut conn, LONG).await.unwrap();
    assert_eq!((job.id, &job.parameters["user_id"]), (second, &json!("ada")));
    assert!(holding::finish(&mut conn, held, Status::Succeeded, Some(&json!({})), None).await.unwrap());
    let job = jobs::find(&mut conn, second).await.unwrap().unwrap();
    assert!(job.parameters["user_id"].is_null(), "who is deleted is forgotten");
}
