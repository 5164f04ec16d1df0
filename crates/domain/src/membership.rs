//! Who may change whose role.

use crate::access::Role;

/// Why a role stays what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody gives or takes a role above their own.
    #[error("the role `{}` is above yours", .0.as_str())]
    AboveYours(Role),
    /// A project without an owner could never get one again.
    #[error("the last owner of a project stays: make somebody else an owner first")]
    LastOwner,
}

/// Whether somebody with the role `actor` may give `to` to somebody who has no role yet.
///
/// # Errors
/// [`Refusal::AboveYours`].
pub fn may_add(actor: Role, to: Role) -> Result<(), Refusal> {
    if to > actor { Err(Refusal::AboveYours(to)) } else { Ok(()) }
}

/// Whether somebody with the role `actor` may give `to` to a member with the role `from`, or take `from` away, in a
/// project with so many `owners`.
///
/// # Errors
/// Says why not.
pub fn may_change(actor: Role, from: Role, to: Option<Role>, owners: i64) -> Result<(), Refusal> {
    if from > actor {
        return Err(Refusal::AboveYours(from));
    }
    to.map_or(Ok(()), |to| may_add(actor, to))?;
    let leaves_no_owner = from == Role::Owner && to != Some(Role::Owner) && owners <= 1;
    if leaves_no_owner { Err(Refusal::LastOwner) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 4] = [Role::Viewer, Role::Editor, Role::Admin, Role::Owner];

    #[test]
    fn nobody_reaches_above_themselves() {
        for actor in ROLES {
            for from in ROLES {
                for to in ROLES.map(Some).into_iter().chain([None]) {
                    let within = from <= actor && to.is_none_or(|to| to <= actor);
                    assert_eq!(may_change(actor, from, to, 2).is_ok(), within, "{actor:?} {from:?} {to:?}");
                }
            }
        }
        assert_eq!(may_add(Role::Admin, Role::Owner), Err(Refusal::AboveYours(Role::Owner)));
        assert_eq!(may_add(Role::Admin, Role::Admin), Ok(()));
    }

    #[test]
    fn a_project_keeps_an_owner() {
        for to in [None, Some(Role::Admin), Some(Role::Viewer)] {
            assert_eq!(may_change(Role::Owner, Role::Owner, to, 1), Err(Refusal::LastOwner));
            assert_eq!(may_change(Role::Owner, Role::Owner, to, 2), Ok(()));
        }
        assert_eq!(may_change(Role::Owner, Role::Owner, Some(Role::Owner), 1), Ok(()));
        assert_eq!(may_change(Role::Owner, Role::Admin, None, 1), Ok(()));
    }
}
