//! Who may do what: users, projects, API keys.
