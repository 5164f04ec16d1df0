//! The login that asks statements of projects.

use tokio_postgres::{Client, Config, NoTls};

use crate::error::StorageError;

/// Makes the login of `url`, or gives it the password of `url`, and lets it see what projects may ask about. The schema must
/// be up to date. Done again, it changes nothing.
///
/// # Errors
/// [`StorageError::Refused`] when the login has rights of its own, and would not be kept from anything by this; otherwise
/// when the database fails, or whoever is connected may not make logins.
pub async fn provide_login(owner_url: &str, url: &str) -> Result<(), StorageError> {
    let config: Config = url.parse()?;
    let (Some(name), Some(password)) = (config.get_user(), config.get_password()) else {
        return Err(StorageError::Refused(
            "the address of the SQL login needs a user and a password".to_owned(),
        ));
    };
    let password = String::from_utf8_lossy(password).into_owned();
    let (mut client, connection) = owner_url.parse::<Config>()?.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    let provided = provide(&mut client, name, &password).await;
    driver.abort();
    provided
}

async fn provide(client: &mut Client, name: &str, password: &str) -> Result<(), StorageError> {
    let transaction = client.transaction().await?;
    // Logins belong to the server: two databases must not make the same one at once.
    transaction.batch_execute("SELECT pg_advisory_xact_lock(7205759403792793605)").await?;
    let rights = transaction
        .query_opt(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolname = current_user
                 OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid)
                 OR EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid)
             FROM pg_roles WHERE rolname = $1",
            &[&name],
        )
        .await?;
    let statement = match rights.map(|row| row.get::<_, bool>(0)) {
        Some(true) => {
            let reason = format!("the login {name} has rights of its own: name one that is for nothing else");
            return Err(StorageError::Refused(reason));
        }
        Some(false) => "ALTER ROLE %1$I LOGIN PASSWORD %2$L",
        None => "CREATE ROLE %1$I LOGIN NOINHERIT PASSWORD %2$L",
    };
    let grants = [
        statement,
        "GRANT CONNECT ON DATABASE %3$I TO %1$I",
        "ALTER ROLE %1$I IN DATABASE %3$I SET default_transaction_read_only = on",
        "ALTER ROLE %1$I IN DATABASE %3$I SET search_path = project_sql",
        "GRANT USAGE ON SCHEMA project_sql TO %1$I",
        "GRANT SELECT ON project_sql.events, project_sql.users TO %1$I",
        "GRANT EXECUTE ON FUNCTION project_sql.project() TO %1$I",
    ];
    for grant in grants {
        execute(&transaction, grant, name, password).await?;
    }
    // What spills to disk; only a superuser can bound it.
    let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
    if transaction.query_one(superuser, &[]).await?.get(0) {
        let bound = "ALTER ROLE %1$I IN DATABASE %3$I SET temp_file_limit = '1GB'";
        execute(&transaction, bound, name, password).await?;
    }
    Ok(transaction.commit().await?)
}

/// Runs a statement with the login's name, its password and the database's name, quoted by the server.
async fn execute(
    transaction: &tokio_postgres::Transaction<'_>,
    statement: &str,
    name: &str,
    password: &str,
) -> Result<(), StorageError> {
    let row = transaction
        .query_one(
            "SELECT format($1, $2::text, $3::text, current_database())",
            &[&statement, &name, &password],
        )
        .await?;
    Ok(transaction.batch_execute(row.get(0)).await?)
}
