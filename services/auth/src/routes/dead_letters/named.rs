//! The dead letter that a path names.

use std::future::Future;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use millrace_http::problem::{Code, Problem};
use millrace_messaging::dead_letters::letter::Letter;
use millrace_messaging::dead_letters::orders::Order;
use millrace_messaging::dead_letters::shelf;

use super::away;
use super::carrying_out::{Deed, Extent, carry_out};
use crate::caller::Caller;
use crate::project_access::admit;
use crate::state::State;

/// The letter `{id}`, and proof that the caller may see it.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) letter: Letter,
    caller: Caller,
}

impl Named {
    /// Does it to this letter; see [`carry_out`].
    pub(super) async fn carry_out(self, state: &State, deed: Deed) -> Result<(u64, bool), Problem> {
        let project = Some(self.letter.project);
        let extent = Extent::Named(Order::Named { project, ids: vec![self.letter.id] });
        carry_out(state, &self.caller, deed, extent, project).await
    }
}

impl FromRequest for Named {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = Caller::extract(&request).await?;
            let state = State::of(&request)?;
            let not_found =
                || Problem::new(Code::NotFound, "there is no such dead letter, or it is not yours to see");
            let id: u64 = request.match_info().query("id").parse().map_err(|_not_an_id| not_found())?;
            let letter = shelf::get(&state.broker, id).await.map_err(|error| away(&error))?;
            let letter = letter.ok_or_else(not_found)?;
            if !caller.claims.admin && !caller.claims.roles.contains_key(&letter.project) {
                return Err(not_found());
            }
            let caller = admit(state, caller, Some(letter.project), &request).await?;
            Ok(Self { letter, caller })
        })
    }
}
