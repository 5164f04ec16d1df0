//! Identities of a provider, and the accounts that they sign in to.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_storage::accounts::{self, Account, NewAccount};
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::error::StorageError;
use millrace_storage::external_identities::{self, NewIdentity};
use millrace_storage::refresh_tokens::NewToken;
use millrace_storage::sessions::{self, Client};
use millrace_testkit::database::TestDatabase;

const ADA: NewIdentity<'_> =
    NewIdentity { issuer: "https://id.example.com", subject: "1815", email: "ada@example.com" };

async fn database() -> (TestDatabase, Connection, DateTime<Utc>) {
    let database = TestDatabase::create().await;
    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let conn = pool.connection().await.unwrap();
    (database, conn, DateTime::from_timestamp(1_800_000_000, 0).unwrap())
}

async fn registered(conn: &mut Connection, email_verified: bool) -> Account {
    let (email, password_hash) = (ADA.email, Some("x"));
    let new = NewAccount { email, password_hash, full_name: None, is_admin: false, email_verified };
    accounts::create(conn, new).await.unwrap()
}

#[tokio::test]
async fn an_identity_signs_in_to_one_account() {
    let (_database, mut conn, now) = database().await;
    assert!(external_identities::recognise(&mut conn, ADA.issuer, ADA.subject, now).await.unwrap().is_none());
    let ada = external_identities::create_account(&mut conn, ADA, Some("Ada"), now).await.unwrap();
    assert!(ada.password_hash.is_none() && ada.email_verified_at.is_some());
    let later = now + TimeDelta::days(1);
    let found =
        external_identities::recognise(&mut conn, ADA.issuer, ADA.subject, later).await.unwrap().unwrap();
    assert_eq!(found.id, ada.id);
    let linked = external_identities::of_account(&mut conn, ada.id).await.unwrap();
    assert_eq!((linked[0].created_at, linked[0].last_used_at), (now, later));
    let elsewhere =
        external_identities::recognise(&mut conn, "https://evil.example.com", ADA.subject, later).await;
    assert!(elsewhere.unwrap().is_none(), "a subject is its issuer's alone");

    let other = NewIdentity { email: "bob@example.com", ..ADA };
    let again = external_identities::create_account(&mut conn, other, None, later).await;
    assert!(matches!(again, Err(StorageError::Conflict(_))), "{again:?}");
    assert!(accounts::find_by_email(&mut conn, other.email).await.unwrap().is_none(), "all or nothing");
}

#[tokio::test]
async fn an_unproved_account_is_claimed_once_and_a_proved_one_never() {
    let (_database, mut conn, now) = database().await;
    let squatted = registered(&mut conn, false).await;
    let token = |hash| NewToken { hash, expires_at: now + TimeDelta::days(7) };
    let opened = sessions::open(&mut conn, &squatted, Client::default(), token(&[1; 32]), now).await;
    assert!(opened.unwrap().is_some());
    let ada = external_identities::claim(&mut conn, squatted.id, ADA, now).await.unwrap().unwrap();
    assert_eq!((ada.id, ada.password_hash.as_ref(), ada.email_verified_at), (squatted.id, None, Some(now)));
    assert!(sessions::of_account(&mut conn, ada.id, now).await.unwrap().is_empty());
    let opened = sessions::open(&mut conn, &squatted, Client::default(), token(&[2; 32]), now).await;
    assert!(opened.unwrap().is_none(), "the password that was proved is gone");
    let opened = sessions::open(&mut conn, &ada, Client::default(), token(&[3; 32]), now).await;
    assert!(opened.unwrap().is_some());

    let second = NewIdentity { subject: "1852", ..ADA };
    let again = external_identities::claim(&mut conn, ada.id, second, now).await.unwrap();
    assert!(again.is_none(), "its address is proved");
    assert_eq!(external_identities::of_account(&mut conn, ada.id).await.unwrap().len(), 1);
    assert_eq!(sessions::of_account(&mut conn, ada.id, now).await.unwrap().len(), 1);
}
