//! Sessions and their refresh tokens.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use millrace_domain::ids::{AccountId, SessionId};
use millrace_storage::accounts::{self, Account, NewAccount};
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::refresh_tokens::{self, GRACE, NewToken, Shown};
use millrace_storage::sessions::{self, Client};
use millrace_testkit::database::TestDatabase;

const WEEK: TimeDelta = TimeDelta::days(7);

/// Ada, signed in at `then` with the token `[0; 32]`.
struct SignedIn {
    _database: TestDatabase,
    pool: Database,
    conn: Connection,
    account: Account,
    ada: AccountId,
    session: SessionId,
    then: DateTime<Utc>,
}

impl SignedIn {
    async fn set() -> Self {
        let database = TestDatabase::create().await;
        let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
        let mut conn = pool.connection().await.unwrap();
        let new = NewAccount {
            email: "ada@example.org",
            password_hash: Some("x"),
            full_name: None,
            is_admin: false,
            email_verified: true,
        };
        let account = accounts::create(&mut conn, new).await.unwrap();
        let ada = account.id;
        let then = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let token = NewToken { hash: &[0; 32], expires_at: then + WEEK };
        let client = Client { user_agent: Some("curl"), address: Some("192.0.2.1") };
        let session = sessions::open(&mut conn, &account, client, token, then).await.unwrap().unwrap();
        Self { _database: database, pool, conn, account, ada, session, then }
    }

    /// Shows the token `shown` and gets `next` for it.
    async fn show(&mut self, shown: u8, next: u8, after: TimeDelta) -> Shown {
        let now = self.then + after;
        let token = NewToken { hash: &[next; 32], expires_at: now + WEEK };
        refresh_tokens::replace(&mut self.conn, &[shown; 32], token, now).await.unwrap()
    }

    fn replaced(&self) -> Shown {
        Shown::Replaced(self.ada, self.session)
    }

    fn stolen(&self) -> Shown {
        Shown::Stolen(self.ada, self.session)
    }

    async fn is_open(&mut self) -> bool {
        sessions::account(&mut self.conn, self.session, self.ada).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn each_token_is_replaced_by_the_next() {
    let mut story = SignedIn::set().await;
    for use_no in 0..5u8 {
        let day = TimeDelta::days(6) * i32::from(use_no);
        assert_eq!(story.show(use_no, use_no + 1, day).await, story.replaced());
    }
    let now = story.then + TimeDelta::days(24);
    let open = sessions::of_account(&mut story.conn, story.ada, now).await.unwrap();
    assert_eq!((open.len(), open[0].id, open[0].user_agent.as_deref()), (1, story.session, Some("curl")));
    assert_eq!(open[0].address.as_deref(), Some("192.0.2.1"));
    assert_eq!((open[0].created_at, open[0].last_used_at), (story.then, now));
    assert_eq!(open[0].expires_at, now + WEEK);
}

#[tokio::test]
async fn a_token_that_was_replaced_ends_the_session_for_everybody() {
    let mut story = SignedIn::set().await;
    story.show(0, 1, TimeDelta::zero()).await;
    assert!(story.is_open().await);
    assert_eq!(story.show(0, 2, GRACE + TimeDelta::milliseconds(1)).await, story.stolen());
    assert!(!story.is_open().await);
    for token in [0, 1, 2] {
        assert_eq!(story.show(token, 9, TimeDelta::seconds(20)).await, Shown::Unknown, "{token}");
    }
}

#[tokio::test]
async fn a_client_whose_answers_are_lost_may_try_again() {
    let mut story = SignedIn::set().await;
    story.show(0, 1, TimeDelta::zero()).await;
    assert_eq!(story.show(0, 2, TimeDelta::seconds(3)).await, story.replaced());
    assert_eq!(story.show(0, 3, TimeDelta::seconds(6)).await, story.replaced());
    assert_eq!(story.show(3, 4, TimeDelta::seconds(9)).await, story.replaced());
}

#[tokio::test]
async fn trying_again_does_not_hide_a_thief() {
    // Both hold token 0. Whoever comes second within the grace period leaves the first with a replaced token.
    let mut story = SignedIn::set().await;
    story.show(0, 1, TimeDelta::zero()).await;
    assert_eq!(story.show(0, 2, TimeDelta::seconds(5)).await, story.replaced());
    assert_eq!(story.show(1, 3, TimeDelta::minutes(15)).await, story.stolen());
    assert_eq!(story.show(2, 4, TimeDelta::minutes(15)).await, Shown::Unknown);
}

#[tokio::test]
async fn once_its_successor_was_used_a_token_has_no_grace() {
    let mut story = SignedIn::set().await;
    story.show(0, 1, TimeDelta::zero()).await;
    story.show(1, 2, TimeDelta::seconds(1)).await;
    assert_eq!(story.show(0, 3, TimeDelta::seconds(2)).await, story.stolen());
}

#[tokio::test]
async fn a_token_shown_twice_at_once_has_one_good_successor() {
    let mut story = SignedIn::set().await;
    let (pool, then) = (story.pool.clone(), story.then);
    let uses = join_all((1..=4u8).map(async |next| {
        let mut conn = pool.connection().await.unwrap();
        let token = NewToken { hash: &[next; 32], expires_at: then + WEEK };
        refresh_tokens::replace(&mut conn, &[0; 32], token, then).await.unwrap()
    }))
    .await;
    assert_eq!(uses, [story.replaced(); 4]);
    let late = TimeDelta::minutes(15);
    let mut good = Vec::new();
    for token in 1..=4u8 {
        match story.show(token, 10 + token, late).await {
            Shown::Replaced(..) => good.push(token),
            _ => assert!(!story.is_open().await),
        }
    }
    assert!(good.len() <= 1, "{good:?}");
}

#[tokio::test]
async fn nothing_outlives_its_week() {
    let mut story = SignedIn::set().await;
    assert_eq!(story.show(0, 1, WEEK).await, Shown::Unknown);
    assert_eq!(story.show(7, 1, TimeDelta::zero()).await, Shown::Unknown, "it was never issued");
    let later = story.then + WEEK;
    assert!(sessions::of_account(&mut story.conn, story.ada, later).await.unwrap().is_empty());

    let token = NewToken { hash: &[8; 32], expires_at: later + WEEK };
    sessions::open(&mut story.conn, &story.account, Client::default(), token, later).await.unwrap();
    assert!(!story.is_open().await, "the next sign-in sweeps up");
}

#[tokio::test]
async fn sessions_end_one_by_one_or_all_but_one() {
    let mut story = SignedIn::set().await;
    let mut more = Vec::new();
    for hash in [1u8, 2, 3] {
        let token = NewToken { hash: &[hash; 32], expires_at: story.then + WEEK };
        more.push(
            sessions::open(&mut story.conn, &story.account, Client::default(), token, story.then)
                .await
                .unwrap()
                .unwrap(),
        );
    }
    assert!(!sessions::end(&mut story.conn, AccountId::new(), more[0]).await.unwrap(), "it is Ada's");
    assert!(sessions::end(&mut story.conn, story.ada, more[0]).await.unwrap());
    assert!(!sessions::end(&mut story.conn, story.ada, more[0]).await.unwrap());
    assert_eq!(sessions::end_all(&mut story.conn, story.ada, Some(more[1])).await.unwrap(), 2);
    let left = sessions::of_account(&mut story.conn, story.ada, story.then).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [more[1]]);
    assert_eq!(sessions::end_all(&mut story.conn, story.ada, None).await.unwrap(), 1);
}

#[tokio::test]
async fn a_browsers_session_goes_on_until_it_ends() {
    let SignedIn { _database, mut conn, account, ada, then, .. } = SignedIn::set().await;
    let session = sessions::open_for_browser(&mut conn, &account, Client::default(), then + WEEK, then)
        .await
        .unwrap()
        .unwrap();
    let later = then + TimeDelta::days(6);
    assert!(sessions::extend(&mut conn, session, later + WEEK, later).await.unwrap());
    let open = sessions::of_account(&mut conn, ada, then + TimeDelta::days(12)).await.unwrap();
    assert_eq!(
        open.iter().map(|session| session.id).collect::<Vec<_>>(),
        [session],
        "the other one has expired"
    );
    assert_eq!((open[0].created_at, open[0].last_used_at, open[0].expires_at), (then, later, later + WEEK));

    assert!(sessions::end(&mut conn, ada, session).await.unwrap());
    assert!(!sessions::extend(&mut conn, session, later + WEEK, later).await.unwrap());
    assert!(sessions::account(&mut conn, session, ada).await.unwrap().is_none());
}
