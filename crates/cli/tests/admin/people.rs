//! Migrations, accounts, projects.

use millrace_security::password::verify;
use millrace_storage::accounts;
use millrace_testkit::database::TestDatabase;

use crate::command::{admin, admin_hearing, result, store};

#[tokio::test]
async fn migrating_says_what_it_did() {
    let database = TestDatabase::empty().await;
    let first = admin(&database, &["migrate", "--chunk-interval", "1d"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(
        first.stdout.lines().count() > 3 && first.stdout.lines().all(|line| line.starts_with("applied "))
    );
    let second = admin(&database, &["migrate"]);
    assert_eq!(result(&second), "the schema is up to date");
    assert_eq!(admin(&database, &["migrate", "--chunk-interval", "5s"]).code, Some(2));
}

#[tokio::test]
async fn an_account_gets_a_random_password_or_the_one_it_is_given() {
    let database = TestDatabase::create().await;
    let created = admin(&database, &["create-user", "Ada@Example.com", "--admin"]);
    let password = result(&created);
    assert!(!created.stderr.contains(password), "a secret goes to standard output alone");
    let mut store = store(&database).await;
    let ada = accounts::find_by_email(&mut store, "ada@example.com").await.unwrap().unwrap();
    assert!(ada.is_admin && verify(password, &ada.password_hash));

    let bob = admin_hearing(
        &database,
        "correct horse\r\n",
        &["create-user", "bob@example.com", "--password-stdin"],
    );
    assert_eq!((bob.code, bob.stdout.as_str()), (Some(0), ""), "{bob:?}");
    let bob = accounts::find_by_email(&mut store, "bob@example.com").await.unwrap().unwrap();
    assert!(!bob.is_admin && verify("correct horse", &bob.password_hash));
}

#[tokio::test]
async fn an_account_that_cannot_be_is_not_made() {
    let database = TestDatabase::create().await;
    assert_eq!(admin(&database, &["create-user", "ada@example.com"]).code, Some(0));
    let again = admin(&database, &["create-user", "ADA@example.com"]);
    assert!(again.code == Some(2) && again.stderr.contains("has an account already"), "{again:?}");
    let short = admin_hearing(&database, "short\n", &["create-user", "bob@example.com", "--password-stdin"]);
    assert!(short.code == Some(2) && short.stderr.contains("at least 8 bytes"), "{short:?}");
    assert_eq!(admin(&database, &["create-user", "not an address"]).code, Some(2));
}

#[tokio::test]
async fn projects_are_created_and_listed() {
    let database = TestDatabase::create().await;
    let shop = admin(&database, &["create-project", "Ada's shop", "--timezone", "Asia/Kolkata"]);
    let id = result(&shop);
    assert_eq!(result(&admin(&database, &["list-projects"])), format!("{id}  Asia/Kolkata  Ada's shop"));
    for bad in [["create-project", "x", "--timezone", "Nowhere"].as_slice(), &["create-project", " "]] {
        assert_eq!(admin(&database, bad).code, Some(2), "{bad:?}");
    }
}
