//! The login that asks what projects ask in SQL. Logins belong to the server and not to a database, so whoever makes one
//! takes it away.

use millrace_storage::sql::provide_login;
use url::Url;

use crate::database::TestDatabase;

/// The login of one database.
pub struct SqlLogin {
    owner: tokio_postgres::Client,
    name: String,
    /// How to connect with it.
    pub url: String,
}

impl SqlLogin {
    /// How to connect with the login of a database, which is there when somebody makes it.
    #[must_use]
    pub fn url_of(database: &TestDatabase) -> String {
        let mut url: Url = database.url().parse().unwrap();
        let name = format!("sql_{}", url.path().trim_start_matches('/'));
        url.set_username(&name).unwrap();
        url.set_password(Some("it's \"secret\"")).unwrap();
        url.into()
    }

    /// Makes it.
    pub async fn made(database: &TestDatabase) -> Self {
        let url = Self::url_of(database);
        for _once_and_again in 0..2 {
            provide_login(&database.url(), &url).await.unwrap();
        }
        let name = url.parse::<Url>().unwrap().username().to_owned();
        Self { owner: database.client().await, name, url }
    }

    /// Takes it away.
    pub async fn gone(self) {
        let Self { owner, name, .. } = self;
        owner
            .batch_execute(&format!(
                "GRANT {name} TO CURRENT_USER WITH INHERIT TRUE; DROP OWNED BY {name}; DROP ROLE {name}"
            ))
            .await
            .unwrap();
    }
}
