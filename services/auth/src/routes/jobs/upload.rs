//! `POST /api/v1/jobs/import`.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, post, web};
use futures_util::StreamExt;
use millrace_domain::ids::JobId;
use millrace_domain::jobs::Kind;
use millrace_domain::jobs::task::Task;
use millrace_files::{FilesError, Writing};
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_http::query::Query;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::view::JobView;
use super::{accepted, no_files};
use crate::caller::Caller;
use crate::jobs::{start, task};
use crate::project_access::{AtLeastEditor, ProjectAccess, project_meant, unnamed};
use crate::routes::denials::{BadParameter, NoAccess};
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// What to call the file; its ending tells the format.
    #[param(nullable = false, example = "events.csv.gz")]
    name: Option<String>,
    /// `csv`, `jsonl` or `json`; if absent, what the name or the content says.
    #[param(nullable = false)]
    format: Option<String>,
    /// Which column gives which field, separated by commas.
    #[param(nullable = false, example = "ts=occurred_at,ref=properties.referrer")]
    map: Option<String>,
    /// `true`: CSV cells that look like numbers and booleans become such.
    #[param(nullable = false)]
    infer_types: Option<bool>,
}

impl Asked {
    fn task(&self, id: JobId) -> Result<Task, Problem> {
        let name = self.name.as_deref().unwrap_or("events");
        let map = self.map.as_deref().unwrap_or_default();
        let pairs = map.split(',').filter(|pair| !pair.is_empty());
        let map: BTreeMap<&str, &str> = pairs
            .map(|pair| {
                let unreadable =
                    || Problem::field("map", "invalid", "map: write it as column=field,column=field");
                pair.rsplit_once('=').ok_or_else(unreadable)
            })
            .collect::<Result<_, _>>()?;
        let mut parameters = json!({
            "file": format!("{id}/{name}"), "map": map, "infer_types": self.infer_types.unwrap_or_default(),
        });
        if let (Some(format), Some(fields)) = (&self.format, parameters.as_object_mut()) {
            fields.insert("format".to_owned(), json!(format));
        }
        task(Kind::Import, parameters)
    }
}

/// Import a file
///
/// The body is the file: CSV, JSON lines or JSON, plain or compressed with gzip or zstd. Rows without an `event_id` get
/// one from their place in the file and their content, so that the same file can be sent again without doubling
/// anything. Rows that are rejected can be downloaded from the job.
#[utoipa::path(
    operation_id = "import_file",
    tag = "jobs",
    params(("X-Project-Id" = Option<Uuid>, Header, description = "The project, for whoever has several"), Asked),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 202, description = "The job, which waits for a worker", body = JobView),
        (status = 413, description = "The file is larger than this installation takes", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
        BadParameter,
    ),
    security(("access_token" = [])),
)]
#[post("/api/v1/jobs/import")]
pub(super) async fn import(
    caller: Caller,
    Query(asked): Query<Asked>,
    body: web::Payload,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let project = project_meant(&caller, &request)?.ok_or_else(unnamed)?;
    let access = ProjectAccess::<AtLeastEditor>::of(&state, caller, project, &request).await?;
    let id = JobId::new();
    let task = asked.task(id)?;
    let Task::Import(import) = &task else { return Err(Problem::internal(&"an import is none")) };
    let files = state.files.as_ref().ok_or_else(no_files)?;
    let name = format!("imports/{project}/{}", import.file);
    let mut writing = files.create(&name).map_err(problem)?;
    if let Err(refusal) = receive(body, &mut writing, state.import_bytes).await {
        if let Err(error) = writing.abandon().await {
            tracing::debug!(%error, "a file that was not taken leaves something behind");
        }
        return Err(refusal);
    }
    writing.finish().await.map_err(problem)?;
    let job = start(&state, &access.caller, id, Some(project), &task).await?;
    Ok(accepted(job))
}

/// Writes the body, as it comes, to the file.
async fn receive(mut body: web::Payload, file: &mut Writing, limit: u64) -> Result<(), Problem> {
    while let Some(chunk) = body.next().await {
        let chunk = chunk
            .map_err(|error| Problem::new(Code::Malformed, format!("the file did not arrive: {error}")))?;
        let size = file.bytes().saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if size > limit {
            return Err(Problem::new(Code::TooLarge, format!("a file may have at most {limit} bytes here")));
        }
        file.write(&chunk).await.map_err(problem)?;
    }
    if file.bytes() == 0 {
        return Err(Problem::new(Code::Malformed, "the body is empty: send the file"));
    }
    Ok(())
}

fn problem(error: FilesError) -> Problem {
    match error {
        FilesError::Unavailable(cause) => Problem::unavailable("the file store", &cause),
        FilesError::Refused(_) | FilesError::Missing(_) => Problem::internal(&error),
    }
}
