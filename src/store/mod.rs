//! Every SQL statement of the program, as functions on a connection.

pub mod local;
