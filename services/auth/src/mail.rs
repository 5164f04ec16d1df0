//! Mail: how a person proves to read it at an address.
//!
//! A request notes a wish in the database and is answered ([`outbox`]). Behind its back ([`sending`]) the wish is looked
//! at again: whose address is it, may they have the mail. If so a token is made, written into a letter ([`letter`]) and
//! handed to the mail server ([`relay`], at [`smtp_url`]), as often as it takes. So the answer to a request tells nobody
//! who has an account, not even by its time; a wish outlives a restart; and no secret waits in the database.

pub mod letter;
pub mod outbox;
pub mod relay;
pub mod sending;
pub mod smtp_url;
