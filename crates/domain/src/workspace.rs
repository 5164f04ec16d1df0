//! What a team keeps: insights, and dashboards that show them.

pub mod alert;
pub mod layout;
pub mod question;
pub mod sharing;
pub mod templates;
pub mod text;
