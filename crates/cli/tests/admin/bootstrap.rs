//! The first start and the ones after.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use millrace_domain::access::Scope;
use millrace_security::api_key::ApiKey;
use millrace_security::password::{Cost, Password, verify};
use millrace_storage::{accounts, api_keys};
use millrace_testkit::database::TestDatabase;

use crate::command::{Ended, admin, store};

const NAMES: [&str; 8] = [
    "MILLRACE_ADMIN_EMAIL",
    "MILLRACE_ADMIN_PASSWORD",
    "MILLRACE_DEMO_INGEST_KEY",
    "MILLRACE_DEMO_PROJECT_ID",
    "MILLRACE_DEMO_READ_KEY",
    "MILLRACE_INGEST_KEY",
    "MILLRACE_PROJECT_ID",
    "MILLRACE_READ_KEY",
];

/// A file to bootstrap into.
struct Installation {
    database: TestDatabase,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Installation {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { database: TestDatabase::create().await, file: folder.path().join("env"), _folder: folder }
    }

    fn bootstrap(&self) -> Ended {
        let ended = admin(&self.database, &["bootstrap", "--env-file", self.file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    fn drop_line(&self, name: &str) {
        let text = fs::read_to_string(&self.file).unwrap();
        let kept: String =
            text.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\n")).collect();
        fs::write(&self.file, kept).unwrap();
    }

    async fn count(&self, table: &str) -> i64 {
        let client = self.database.client().await;
        client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
    }

    /// Everything in the file opens what it says.
    async fn assert_sound(&self) {
        let values = values(&self.file);
        let mut store = store(&self.database).await;
        let admin =
            accounts::find_by_email(&mut store, &values["MILLRACE_ADMIN_EMAIL"]).await.unwrap().unwrap();
        assert!(
            admin.is_admin
                && verify(&values["MILLRACE_ADMIN_PASSWORD"], admin.password_hash.as_ref().unwrap())
        );
        for (key, project, scope) in [
            ("MILLRACE_INGEST_KEY", "MILLRACE_PROJECT_ID", Scope::Ingest),
            ("MILLRACE_READ_KEY", "MILLRACE_PROJECT_ID", Scope::Read),
            ("MILLRACE_DEMO_INGEST_KEY", "MILLRACE_DEMO_PROJECT_ID", Scope::Ingest),
            ("MILLRACE_DEMO_READ_KEY", "MILLRACE_DEMO_PROJECT_ID", Scope::Read),
        ] {
            let hash = ApiKey::parse(&values[key]).unwrap().hash();
            let grant = api_keys::grant(&mut store, &hash.0).await.unwrap().unwrap();
            assert_eq!((grant.project_id.to_string(), grant.scopes), (values[project].clone(), vec![scope]));
        }
        assert_eq!(fs::metadata(&self.file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

fn values(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[tokio::test]
async fn the_first_time_makes_everything_and_the_second_nothing() {
    let here = Installation::new().await;
    fs::write(&here.file, "# by hand\nMILLRACE_URL=http://127.0.0.1:8080\n").unwrap();
    let first = here.bootstrap();
    here.assert_sound().await;
    let written = fs::read_to_string(&here.file).unwrap();
    assert!(written.starts_with("# by hand\nMILLRACE_URL=http://127.0.0.1:8080\n"), "{written}");
    let values = values(&here.file);
    assert!(NAMES.iter().all(|name| values.contains_key(*name)), "{values:?}");
    for secret in ["MILLRACE_ADMIN_PASSWORD", "MILLRACE_INGEST_KEY", "MILLRACE_DEMO_READ_KEY"] {
        assert!(!format!("{first:?}").contains(&values[secret]), "{secret} is in the file and nowhere else");
    }

    let second = here.bootstrap();
    assert_eq!(second.stdout.lines().count(), 1, "{second:?}");
    assert_eq!(fs::read_to_string(&here.file).unwrap(), written);
    assert_eq!(
        (here.count("accounts").await, here.count("projects").await, here.count("api_keys").await),
        (1, 2, 4)
    );
}

#[tokio::test]
async fn a_lost_file_is_made_anew_for_the_same_projects() {
    let here = Installation::new().await;
    here.bootstrap();
    let before = values(&here.file);
    fs::remove_file(&here.file).unwrap();
    let again = here.bootstrap();
    assert!(again.stdout.contains("new one"), "{again:?}");
    here.assert_sound().await;
    let after = values(&here.file);
    for name in NAMES {
        let same = name.ends_with("_ID") || name.ends_with("_EMAIL");
        assert_eq!(before[name] == after[name], same, "{name}");
    }
    assert_eq!(
        (here.count("accounts").await, here.count("projects").await, here.count("api_keys").await),
        (1, 2, 8)
    );
}

#[tokio::test]
async fn a_lost_database_is_filled_anew() {
    let mut here = Installation::new().await;
    here.bootstrap();
    let before = values(&here.file);
    here.database = TestDatabase::create().await;
    here.bootstrap();
    here.assert_sound().await;
    let after = values(&here.file);
    assert!(NAMES.iter().all(|name| (before[*name] == after[*name]) == (*name == "MILLRACE_ADMIN_EMAIL")));
}

#[tokio::test]
async fn a_revoked_key_is_replaced_and_no_other() {
    let here = Installation::new().await;
    here.bootstrap();
    let before = values(&here.file);
    let client = here.database.client().await;
    let hash = ApiKey::parse(&before["MILLRACE_READ_KEY"]).unwrap().hash().0;
    client
        .execute("UPDATE api_keys SET revoked_at = now() WHERE hash = $1", &[&hash.as_slice()])
        .await
        .unwrap();
    here.bootstrap();
    here.assert_sound().await;
    let after = values(&here.file);
    assert!(NAMES.iter().all(|name| (before[*name] != after[*name]) == (*name == "MILLRACE_READ_KEY")));
}

#[tokio::test]
async fn a_password_that_a_person_chose_is_left_alone() {
    let here = Installation::new().await;
    here.bootstrap();
    let mut store = store(&here.database).await;
    let admin = accounts::first_admin(&mut store).await.unwrap().unwrap();
    let chosen = Password::parse("chosen by hand").unwrap().hash(Cost::default()).unwrap();
    accounts::set_password(&mut store, admin.id, &chosen).await.unwrap();
    let before = fs::read_to_string(&here.file).unwrap();

    let warned = here.bootstrap();
    assert!(warned.stderr.contains("warning"), "{warned:?}");
    assert_eq!(fs::read_to_string(&here.file).unwrap(), before);
    let after = accounts::first_admin(&mut store).await.unwrap().unwrap();
    assert_eq!(after.password_hash, Some(chosen));

    here.drop_line("MILLRACE_ADMIN_PASSWORD");
    here.bootstrap();
    here.assert_sound().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named() {
    let database = TestDatabase::create().await;
    let ended = admin(&database, &["bootstrap", "--env-file", "/no/such/folder/env"]);
    assert!(ended.code == Some(2) && ended.stderr.contains("/no/such/folder/env"), "{ended:?}");
}
