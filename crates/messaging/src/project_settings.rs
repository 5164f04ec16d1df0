//! Changing what a project has in the tables of [`crate::project_tables`], all of it in one go.

use millrace_domain::audit::Details;
use millrace_domain::ids::ProjectId;
use millrace_domain::origins::AllowedOrigins;
use millrace_domain::rate::Limit;
use millrace_domain::text::ShortText;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::project_tables::{API_LIMITS, EVENT_LIMITS, EVENT_ORIGINS};

/// What a project has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectSettings {
    /// How many events it may send.
    pub event_limit: Limit,
    /// How many questions may be asked of it.
    pub api_limit: Limit,
    /// The origins whose pages may send events.
    pub event_origins: AllowedOrigins,
}

/// What is to be another.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// See [`ProjectSettings::event_limit`].
    pub event_limit: Option<Limit>,
    /// See [`ProjectSettings::api_limit`].
    pub api_limit: Option<Limit>,
    /// See [`ProjectSettings::event_origins`].
    pub event_origins: Option<AllowedOrigins>,
}

/// What a project has.
///
/// # Errors
/// When the broker is away.
pub async fn read(broker: &Broker, project: ProjectId) -> Result<ProjectSettings, MessagingError> {
    Ok(ProjectSettings {
        event_limit: Limit(EVENT_LIMITS.get(broker, project).await?),
        api_limit: Limit(API_LIMITS.get(broker, project).await?),
        event_origins: EVENT_ORIGINS.get(broker, project).await?.unwrap_or(AllowedOrigins::Any),
    })
}

impl Change {
    /// Makes it, for all services that run and all that will.
    ///
    /// # Errors
    /// When the broker is away. Part of it may have been made.
    pub async fn make(&self, broker: &Broker, project: ProjectId) -> Result<(), MessagingError> {
        if let Some(Limit(rate)) = &self.event_limit {
            EVENT_LIMITS.set(broker, project, rate.as_ref()).await?;
        }
        if let Some(Limit(rate)) = &self.api_limit {
            API_LIMITS.set(broker, project, rate.as_ref()).await?;
        }
        if let Some(origins) = &self.event_origins {
            let listed = (*origins != AllowedOrigins::Any).then_some(origins);
            EVENT_ORIGINS.set(broker, project, listed).await?;
        }
        Ok(())
    }

    /// For the audit log.
    #[must_use]
    pub fn details(&self) -> Details {
        let limit = |limit: Option<Limit>| limit.and_then(|limit| ShortText::cut(&limit.to_string()));
        Details {
            event_limit: limit(self.event_limit),
            api_limit: limit(self.api_limit),
            event_origins: self.event_origins.as_ref().and_then(|origins| {
                match origins.to_string().as_str() {
                    "" => ShortText::cut("none"),
                    listed => ShortText::cut(listed),
                }
            }),
            ..Details::default()
        }
    }
}
