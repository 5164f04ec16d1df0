//! Mails that wait, and the tokens that they carry.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use millrace_domain::ids::AccountId;
use millrace_storage::accounts;
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::error::StorageError;
use millrace_storage::mail_tokens::{self, NewMailToken, Proved};
use millrace_storage::mails::{self, Kind, MOST_WAITING, Waiting, Wish};
use millrace_testkit::database::TestDatabase;

const MINUTE: TimeDelta = TimeDelta::minutes(1);
const RESET: Wish<'_> = Wish { kind: Kind::Reset, address: "ada@example.com", account: None };

struct Office {
    database: TestDatabase,
    pool: Database,
    conn: Connection,
    then: DateTime<Utc>,
}

impl Office {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
        let conn = pool.connection().await.unwrap();
        Self { database, pool, conn, then: DateTime::from_timestamp(1_800_000_000, 0).unwrap() }
    }

    async fn account(&self, email: &str) -> AccountId {
        let id = AccountId::new();
        let sql = "INSERT INTO accounts (id, email, password_hash) VALUES ($1, $2, 'x')";
        self.database.client().await.execute(sql, &[&id.0, &email]).await.unwrap();
        id
    }

    async fn take(&mut self, after: TimeDelta) -> Option<Waiting> {
        mails::take(&mut self.conn, self.then + after, MINUTE).await.unwrap()
    }

    async fn put(&mut self, account: AccountId, kind: Kind, hash: u8, address: &str) {
        let expires_at = self.then + TimeDelta::hours(1);
        let new = NewMailToken { account, kind, hash: &[hash; 32], address, expires_at };
        mail_tokens::put(&mut self.conn, new).await.unwrap();
    }

    async fn verify(&mut self, hash: u8) -> Result<Option<Proved>, StorageError> {
        mail_tokens::verify(&mut self.conn, &[hash; 32], self.then).await
    }
}

#[tokio::test]
async fn one_hand_at_a_time_has_a_mail_and_lets_go_of_it() {
    let mut office = Office::open().await;
    assert!(mails::ask(&mut office.conn, RESET, office.then).await.unwrap());
    let hands = join_all((0..4).map(|_| office.pool.connection())).await;
    let taken = join_all(hands.into_iter().map(async |conn| {
        mails::take(&mut conn.unwrap(), office.then, MINUTE).await.unwrap().map(|mail| mail.id)
    }))
    .await;
    assert_eq!(taken.iter().flatten().count(), 1, "{taken:?}");
    assert!(office.take(MINUTE / 2).await.is_none());

    let again = office.take(MINUTE).await.unwrap();
    assert_eq!((again.kind, again.address.as_str(), again.attempts), (Kind::Reset, "ada@example.com", 2));
    mails::postpone(&mut office.conn, again.id, office.then + MINUTE * 5).await.unwrap();
    assert!(office.take(MINUTE * 3).await.is_none());
    let again = office.take(MINUTE * 5).await.unwrap();
    mails::forget(&mut office.conn, again.id).await.unwrap();
    assert!(office.take(MINUTE * 60).await.is_none());
}

#[tokio::test]
async fn what_is_asked_for_twice_waits_once() {
    let mut office = Office::open().await;
    let ada = office.account("ada@example.com").await;
    let verify = Wish { kind: Kind::Verify, account: Some(ada), ..RESET };
    for after in [TimeDelta::zero(), MINUTE] {
        for wish in [RESET, verify] {
            assert!(mails::ask(&mut office.conn, wish, office.then + after).await.unwrap());
        }
    }
    let (one, other) = (office.take(MINUTE).await.unwrap(), office.take(MINUTE).await.unwrap());
    assert_ne!(one.kind, other.kind);
    assert_eq!((one.asked_at, other.asked_at), (office.then + MINUTE, office.then + MINUTE));
    assert!(office.take(MINUTE).await.is_none());
}

#[tokio::test]
async fn no_more_wait_than_there_is_room_for() {
    let mut office = Office::open().await;
    let sql = "INSERT INTO mails (id, kind, address, asked_at, due_at)
               SELECT gen_random_uuid(), 'reset', n || '@example.com', now(), now() FROM generate_series(1, $1::bigint) n";
    office.database.client().await.execute(sql, &[&(MOST_WAITING - 1)]).await.unwrap();
    assert!(mails::ask(&mut office.conn, RESET, office.then).await.unwrap());
    let another = Wish { address: "bob@example.com", ..RESET };
    assert!(!mails::ask(&mut office.conn, another, office.then).await.unwrap());
}

#[tokio::test]
async fn an_account_has_one_token_of_a_kind() {
    let mut office = Office::open().await;
    let ada = office.account("ada@example.com").await;
    office.put(ada, Kind::Verify, 1, "ada@example.com").await;
    office.put(ada, Kind::Reset, 2, "ada@example.com").await;
    office.put(ada, Kind::Verify, 3, "ada@example.com").await;
    assert_eq!(office.verify(1).await.unwrap(), None, "3 replaced it");
    assert_eq!(office.verify(2).await.unwrap(), None, "it is for something else");
    let late = office.then + TimeDelta::hours(1);
    assert_eq!(mail_tokens::verify(&mut office.conn, &[3; 32], late).await.unwrap(), None);
    assert_eq!(office.verify(3).await.unwrap(), Some(Proved::Present(ada)));
    assert_eq!(office.verify(3).await.unwrap(), None, "it is used");
    let found = accounts::find(&mut office.conn, ada).await.unwrap().unwrap();
    assert_eq!(found.email_verified_at, Some(office.then));
}

#[tokio::test]
async fn an_address_that_is_proved_later_is_proved_since_the_first_time() {
    let mut office = Office::open().await;
    let ada = office.account("ada@example.com").await;
    office.put(ada, Kind::Verify, 1, "ada@example.com").await;
    office.verify(1).await.unwrap();
    office.put(ada, Kind::Reset, 2, "ada@example.com").await;
    let later = office.then + MINUTE;
    assert_eq!(mail_tokens::reset(&mut office.conn, &[2; 32], "y", later).await.unwrap(), Some(ada));
    let found = accounts::find(&mut office.conn, ada).await.unwrap().unwrap();
    assert_eq!(found.email_verified_at, Some(office.then));
}

#[tokio::test]
async fn an_address_that_is_taken_leaves_everything_as_it_was() {
    let mut office = Office::open().await;
    let ada = office.account("ada@example.com").await;
    office.put(ada, Kind::Change, 1, "bob@example.com").await;
    let bob = office.account("bob@example.com").await;
    assert!(matches!(office.verify(1).await, Err(StorageError::Conflict(_))));
    assert!(office.take(MINUTE).await.is_none(), "nobody is told of a change that did not happen");
    office.database.client().await.execute("DELETE FROM accounts WHERE id = $1", &[&bob.0]).await.unwrap();
    assert_eq!(office.verify(1).await.unwrap(), Some(Proved::New(ada)), "the token is still good");
    let notice = mails::take(&mut office.conn, office.then, MINUTE).await.unwrap().unwrap();
    assert_eq!((notice.kind, notice.address.as_str()), (Kind::Changed, "ada@example.com"));
}
