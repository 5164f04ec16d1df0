//! Who may see and change what a team keeps.
//!
//! What is private is its owner's. What is the project's is seen by every member and changed by every editor; taking it
//! away from the others, by deleting it or by making it private, is for its owner and for the project's admins. System
//! admins may do everything everywhere.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::ids::AccountId;

/// Who sees something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Its owner.
    Private,
    /// Every member of the project.
    Project,
}

impl Visibility {
    /// The name used in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Project => "project",
        }
    }
}

/// A visibility that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("unknown visibility `{0}`: use `private` or `project`")]
pub struct UnknownVisibility(pub String);

impl FromStr for Visibility {
    type Err = UnknownVisibility;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Private, Self::Project]
            .into_iter()
            .find(|visibility| visibility.as_str() == text)
            .ok_or_else(|| UnknownVisibility(text.to_owned()))
    }
}

/// Somebody in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub account: AccountId,
    /// What they may do there; system admins are owners everywhere.
    pub role: Role,
    /// Whether they have the system role, which sees also what is private.
    pub system: bool,
}

/// Whose something is, and who else sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `None`: their account is gone.
    pub owner: Option<AccountId>,
    /// Who sees it.
    pub visibility: Visibility,
}

impl Kept {
    /// Who sees both this and the other. What is private of two people is seen by nobody who is no system admin.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.visibility, other.visibility) {
            (Visibility::Project, _) => other,
            (Visibility::Private, Visibility::Project) => self,
            (Visibility::Private, Visibility::Private) => {
                Self { owner: self.owner.filter(|owner| other.owner == Some(*owner)), ..self }
            }
        }
    }
}

impl Member {
    /// Whether it is there for them.
    #[must_use]
    pub fn may_see(&self, kept: Kept) -> bool {
        self.system || kept.visibility == Visibility::Project || self.owns(kept)
    }

    /// Whether they may make something, to be kept for themselves or for the project.
    #[must_use]
    pub fn may_keep(&self) -> bool {
        self.role >= Role::Editor
    }

    /// Whether they may change what it says.
    #[must_use]
    pub fn may_change(&self, kept: Kept) -> bool {
        self.may_see(kept) && self.may_keep()
    }

    /// Whether they may take it away from those who see it, or show it to others.
    #[must_use]
    pub fn may_dispose_of(&self, kept: Kept) -> bool {
        self.may_change(kept) && (self.owns(kept) || self.role >= Role::Admin)
    }

    fn owns(&self, kept: Kept) -> bool {
        kept.owner == Some(self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 4] = [Role::Viewer, Role::Editor, Role::Admin, Role::Owner];

    /// See, change, dispose of; for a viewer, an editor, an admin, an owner.
    fn allowed(own: bool, visibility: Visibility) -> [&'static str; 4] {
        let me = AccountId::new();
        let kept = Kept { owner: Some(if own { me } else { AccountId::new() }), visibility };
        ROLES.map(|role| {
            let member = Member { account: me, role, system: false };
            match (member.may_see(kept), member.may_change(kept), member.may_dispose_of(kept)) {
                (true, true, true) => "all",
                (true, true, false) => "change",
                (true, false, false) => "see",
                (false, false, false) => "nothing",
                other => panic!("{other:?} makes no sense"),
            }
        })
    }

    #[test]
    fn the_table() {
        use Visibility::{Private, Project};
        assert_eq!(allowed(true, Private), ["see", "all", "all", "all"]);
        assert_eq!(allowed(true, Project), ["see", "all", "all", "all"]);
        assert_eq!(allowed(false, Private), ["nothing"; 4]);
        assert_eq!(allowed(false, Project), ["see", "change", "all", "all"]);
    }

    #[test]
    fn whoever_sees_two_things_sees_each_of_them() {
        let (ada, bob) = (AccountId::new(), AccountId::new());
        let every = [Visibility::Project, Visibility::Private]
            .into_iter()
            .flat_map(|visibility| [Some(ada), Some(bob), None].map(|owner| Kept { owner, visibility }));
        for (one, other) in every.clone().flat_map(|one| every.clone().map(move |other| (one, other))) {
            for account in [ada, bob] {
                let member = Member { account, role: Role::Viewer, system: false };
                let both = member.may_see(one) && member.may_see(other);
                assert_eq!(member.may_see(one.and(other)), both, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn what_an_account_left_behind_is_for_admins() {
        let kept = |visibility| Kept { owner: None, visibility };
        let system = Member { account: AccountId::new(), role: Role::Owner, system: true };
        let admin = Member { role: Role::Admin, system: false, ..system };
        assert!(system.may_dispose_of(kept(Visibility::Private)));
        assert!(!admin.may_see(kept(Visibility::Private)));
        assert!(admin.may_dispose_of(kept(Visibility::Project)));
    }
}
