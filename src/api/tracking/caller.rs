//! The bot that makes a request.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::api::error::Error;
use crate::tracking::authority::BotGrant;

/// The bot whose token the request has. A request that came by another path than those of bots has none.
#[derive(Debug)]
pub(super) struct Caller(pub(super) BotGrant);

impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(req.extensions().get::<BotGrant>().cloned().map(Self).ok_or(Error::BotTokenMissing))
    }
}
