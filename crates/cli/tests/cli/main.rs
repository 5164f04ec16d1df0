//! The `millrace` command as its users have it: the program itself, against a server on a socket.

mod command;
mod demo;
mod far_end;
mod import;
mod load;
mod sender;
