//! The schemas of what feeds send.

use std::collections::BTreeMap;

use strum::IntoEnumIterator as _;
use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};

use super::pascal_case;
use crate::api::asyncapi;
use crate::outputs::live::feed::Feed;

/// Adds a schema for each feed, for example `AlertsFeed`: that of the `data` of its messages, of whatever name.
pub(super) fn add(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let messages = asyncapi::messages();
    for feed in Feed::iter() {
        let is_sent = |name: &str| feed.messages().contains(&name) || name == "resync";
        let sent: Vec<_> = messages.iter().filter(|message| is_sent(message.name)).collect();
        let names: Vec<_> = sent.iter().map(|it| format!("`{}` has `{}`", it.name, it.schema)).collect();
        let description = format!("The `data` of a message; the name of the message says which: {}.", names.join(", "));
        let sent = sent.iter().map(|message| Ref::from_schema_name(message.schema));
        let schema = sent.fold(OneOfBuilder::new(), OneOfBuilder::item).description(Some(description));
        schemas.insert(format!("{}Feed", pascal_case(feed.name())), schema.into());
    }
}
