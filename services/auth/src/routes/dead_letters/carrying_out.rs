//! Having the workers do something with dead letters, order by order, and telling the audit log what was done.

use std::time::{Duration, Instant};

use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, Target};
use millrace_domain::ids::ProjectId;
use millrace_http::problem::Problem;
use millrace_messaging::dead_letters::filter::Filter;
use millrace_messaging::dead_letters::orders::{self, Order};
use millrace_messaging::dead_letters::shelf;
use millrace_messaging::error::MessagingError;

use super::away;
use crate::audit::record;
use crate::caller::Caller;
use crate::state::State;

/// How long one request goes on ordering. What is left then is told to its sender.
const LONGEST: Duration = Duration::from_secs(10);

/// What is done with dead letters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// They are put back into the log.
    Replay,
    /// They are deleted.
    Drop,
}

impl Deed {
    fn action(self) -> Action {
        match self {
            Self::Replay => Action::DeadLettersReplayed,
            Self::Drop => Action::DeadLettersDropped,
        }
    }
}

/// How many of them.
#[derive(Debug)]
pub(super) enum Extent {
    /// Those that one order names.
    Named(Order),
    /// All that there are at this moment.
    Found(Filter),
}

/// Does it, and returns to how many letters, and whether to all. What was done before something failed is recorded, too.
pub(super) async fn carry_out(
    state: &State,
    caller: &Caller,
    deed: Deed,
    extent: Extent,
    project: Option<ProjectId>,
) -> Result<(u64, bool), Problem> {
    let mut letters = 0;
    let outcome = orders(state, deed, extent, &mut letters).await;
    if letters > 0 {
        let mut event = caller.did(deed.action());
        if let Some(project) = project {
            event = event.on(Target::Project(project)).within(project);
        }
        record(state, event.with(Details { dead_letters: Some(letters), ..Details::default() })).await;
    }
    let complete = outcome.map_err(|error| away(&error))?;
    Ok((letters, complete))
}

async fn orders(
    state: &State,
    deed: Deed,
    extent: Extent,
    letters: &mut u64,
) -> Result<bool, MessagingError> {
    let started = Instant::now();
    let (filter, until) = match extent {
        Extent::Named(order) => {
            *letters += order_once(state, deed, &order).await?.letters;
            return Ok(true);
        }
        Extent::Found(filter) => (filter, shelf::newest(&state.broker).await?),
    };
    let mut after = None;
    loop {
        let done = order_once(state, deed, &Order::Found { filter: filter.clone(), after, until }).await?;
        *letters += done.letters;
        after = done.next;
        if after.is_none() || started.elapsed() > LONGEST {
            return Ok(after.is_none());
        }
    }
}

async fn order_once(state: &State, deed: Deed, order: &Order) -> Result<orders::Done, MessagingError> {
    match deed {
        Deed::Replay => orders::replay(&state.broker, order).await,
        Deed::Drop => orders::drop(&state.broker, order).await,
    }
}
