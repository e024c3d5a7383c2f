//! What concerns users and applications rather than a channel.

use super::fields::Fields;
use super::words::{count, noted, said};

pub(super) fn sentence(kind: &str, it: &Fields<'_>) -> Option<String> {
    Some(match kind {
        "user.authorization.grant" => format!("{} authorized the application", it.user()),
        "user.authorization.revoke" => format!("{} revoked the authorization", it.user()),
        "user.update" => format!("{} changed the account", it.user()),
        "user.whisper.message" => {
            let (from, to) = (it.named("from_user", "A user"), it.named("to_user", "a user"));
            said(format!("{from} whispered to {to}"), it.object("whisper").text("text"))
        }
        "extension.bits_transaction.create" => {
            let product = it.object("product");
            let name = product.text("name").unwrap_or_else(|| "an extension".to_owned());
            format!("{} used {} on {name}", it.user(), count(product.number("bits"), "bit"))
        }
        "conduit.shard.disabled" => {
            let shard = it.text("shard_id").map(|id| format!(" {id}")).unwrap_or_default();
            said(format!("Shard{shard} of a conduit was disabled"), it.words("status"))
        }
        _ => return None,
    })
}

/// `drop.entitlement.grant`, which carries several events.
pub(super) fn drops(events: &[Fields<'_>]) -> String {
    let category = events.first().and_then(|it| it.object("data").text("category_name"));
    match events {
        [it] => noted(format!("{} got a drop", it.object("data").user()), category),
        _ => noted(format!("{} were granted", count(i64::try_from(events.len()).ok(), "drop")), category),
    }
}
