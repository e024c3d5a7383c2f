//! Rules: what happens, when, and what is done then.
//!
//! Rules are read ([`read`], [`check`]) and compiled ([`compiled`]). Planning ([`plan`]) is a pure function from the rules,
//! what is known and an event to the actions that follow. The reactor ([`reactor`]) reads what is known, plans, and writes what
//! was decided, in one transaction.

pub mod acting;
pub mod batch;
pub mod changes;
pub mod check;
pub mod check_step;
pub mod command;
pub mod compiled;
pub mod export;
pub mod filter;
pub mod judge;
pub mod known;
pub mod language;
pub mod links;
pub mod missing;
pub mod needs;
pub mod occurrence;
pub mod pace;
pub mod plan;
pub mod planned;
pub mod problem;
pub mod react;
pub mod reactor;
pub mod read;
pub mod resolve;
pub mod role;
pub mod rule;
pub mod rule_step;
pub mod scopes;
pub mod service;
mod short_form;
pub mod span;
pub mod state;
pub mod template;
pub mod text;
pub mod timer;
pub mod trial;
pub mod values;
pub mod verdict;
pub mod vocabulary;
pub mod when;
pub mod write;

#[cfg(test)]
mod tests;
