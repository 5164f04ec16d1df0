//! `GET /api/v1/jobs/{id}/download`.

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::header::{CONTENT_DISPOSITION, LOCATION};
use actix_web::{HttpResponse, get, web};
use futures_util::{StreamExt, TryStreamExt, stream};
use millrace_domain::jobs::task::{ExportFormat, Task};
use millrace_files::FilesError;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_http::query::Query;
use millrace_storage::jobs::Job;
use serde::Deserialize;
use utoipa::IntoParams;

use super::no_files;
use super::seen::Seen;
use crate::routes::denials::NoAccess;
use crate::state::State;

/// How long a link to the bucket itself is good for.
const LINK_GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// The files of a job, as its result lists them.
#[derive(Debug, Deserialize)]
pub(super) struct Files {
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct File {
    name: String,
}

impl Files {
    /// Those of a job that has any.
    pub(super) fn of(job: &Job) -> Option<Self> {
        let result = job.result.as_ref()?;
        if !job.status.has_ended() || result.get("files_deleted_at").is_some() {
            return None;
        }
        let files: Self = serde_json::from_value(result.clone()).ok()?;
        (!files.files.is_empty()).then_some(files)
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// One of the job's files, counted from 0; all of them, one after the other, if absent.
    #[param(value_type = Option<u32>, nullable = false)]
    part: Option<String>,
}

/// Download what a job has written
///
/// An export's events, or the rows that an import rejected. Files of CSV and NDJSON come as one; Parquet files come one
/// at a time, by `part`. A single part that is in a bucket is answered with a link to it, which is good for a quarter of
/// an hour.
#[utoipa::path(
    operation_id = "download_job",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job"), Part),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 307, description = "`Location` has the part"),
        (status = 409, description = "There is nothing to download: the job has not ended, has no files, or they are deleted by now", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "There is no such part, or one must be named", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
    ),
    security(("access_token" = [])),
)]
#[get("/api/v1/jobs/{id}/download")]
pub(super) async fn download(
    seen: Seen,
    Query(part): Query<Part>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let job = seen.job;
    let store = state.files.as_ref().ok_or_else(no_files)?;
    let Some(Files { files }) = Files::of(&job) else {
        return Err(Problem::new(Code::Conflict, nothing(&job)));
    };
    let format = match Task::parse(job.kind, job.parameters.clone()) {
        Ok(Task::Export(export)) => Some(export.format),
        _ => None,
    };
    let wanted = match part.part.as_deref().map(|text| (text, text.parse::<usize>())) {
        None if files.len() > 1 && !format.is_none_or(ExportFormat::joins) => {
            let message = format!("part must name one of the {} files, counted from 0", files.len());
            return Err(Problem::field("part", "required", message));
        }
        None => files,
        Some((text, number)) => {
            let file = number.ok().and_then(|number| files.into_iter().nth(number));
            let missing = || Problem::field("part", "invalid", format!("there is no part {text}"));
            let file = file.ok_or_else(missing)?;
            if let Some(link) = store.link(&file.name, LINK_GOOD_FOR).await.map_err(problem)? {
                return Ok(HttpResponse::TemporaryRedirect()
                    .insert_header((LOCATION, String::from(link)))
                    .finish());
            }
            vec![file]
        }
    };
    let mut size = 0;
    for file in &wanted {
        size += store.size(&file.name).await.map_err(problem)?;
    }
    let name = attachment(&job, wanted.first().map_or("", |file| &file.name));
    let store = store.clone();
    let content = stream::iter(wanted)
        .then(move |file| {
            let store = store.clone();
            async move { store.open(&file.name).await.map(|reading| reading.content) }
        })
        .try_flatten()
        .inspect_err(|error| tracing::warn!(%error, "a download ended early"));
    Ok(HttpResponse::Ok()
        .content_type(format.map_or("text/csv; charset=utf-8", ExportFormat::media_type))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(SizedStream::new(size, content)))
}

fn nothing(job: &Job) -> &'static str {
    if !job.status.has_ended() {
        "the job has not ended yet"
    } else if job.result.as_ref().is_some_and(|result| result.get("files_deleted_at").is_some()) {
        "the job's files are deleted: start it again"
    } else {
        "the job has written no files"
    }
}

/// What a browser calls the file: letters, digits, dots and dashes alone.
fn attachment(job: &Job, stored: &str) -> String {
    let file = stored.rsplit('/').next().unwrap_or_default();
    let extension = file.split_once('.').map_or("", |(_, extension)| extension);
    format!("{}-{}.{extension}", job.kind, job.id)
}

fn problem(error: FilesError) -> Problem {
    match error {
        FilesError::Missing(_) => Problem::new(Code::Conflict, "the job's files are deleted: start it again"),
        FilesError::Unavailable(cause) => Problem::unavailable("the file store", &cause),
        FilesError::Refused(cause) => Problem::internal(&cause),
    }
}
