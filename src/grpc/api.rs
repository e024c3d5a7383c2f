//! What both services share: the bot that calls.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::status::{missing_token, refused_token, too_many_failures};
use crate::access::Access;
use crate::tracking::Tracking;
use crate::tracking::authority::{AuthError, BotGrant};

/// Serves both services.
#[derive(Clone, Debug)]
pub(super) struct GrpcApi {
    pub(super) tracking: Arc<Tracking>,
    access: Arc<Access>,
}

impl GrpcApi {
    pub(super) fn new(tracking: &Arc<Tracking>, access: &Arc<Access>) -> Self {
        Self { tracking: Arc::clone(tracking), access: Arc::clone(access) }
    }

    /// The bot whose token a call has.
    pub(super) async fn admit(&self, metadata: &MetadataMap) -> Result<BotGrant, Status> {
        let given = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let (scheme, token) = given.and_then(|given| given.split_once(' ')).ok_or_else(missing_token)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing_token());
        }
        self.tracking.authority.admit(token.trim()).await.map_err(refused_token)
    }

    /// Gives a bot a token. Wrong secrets are counted by address.
    pub(super) async fn issue<T>(
        &self,
        request: &Request<T>,
        name: &str,
        shard: u16,
        secret: &str,
    ) -> Result<String, Status> {
        match self.tracking.authority.issue(name, shard.into(), SecretString::from(secret)).await {
            Ok(token) => Ok(token.expose_secret().to_owned()),
            Err(AuthError::WrongSecret) => {
                let peer = request.remote_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
                self.access.count_failure(peer).map_err(too_many_failures)?;
                Err(refused_token(AuthError::WrongSecret))
            }
            Err(error) => Err(refused_token(error)),
        }
    }
}
