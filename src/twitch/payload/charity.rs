//! Charity campaigns.

use serde::Deserialize;

use super::user::{Broadcaster, CampaignBroadcaster, UserFields};
use super::{Ident, User};
use crate::twitch::tolerant::{optional, text};

/// `channel.charity_campaign.donate` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CharityDonation {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The donor.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// The donation.
    pub amount: Money,
    /// The charity.
    #[serde(flatten)]
    pub charity: Charity,
}

/// `channel.charity_campaign.start`, `.progress` and `.stop` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CharityCampaign {
    /// The channel, under a prefix that only these types have.
    #[serde(flatten, with = "CampaignBroadcaster")]
    pub broadcaster: User,
    /// The campaign's id.
    pub id: Ident,
    /// The charity.
    #[serde(flatten)]
    pub charity: Charity,
    /// What was donated.
    pub current_amount: Money,
    /// What is to be donated.
    pub target_amount: Money,
}

/// The fields that describe a charity.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Charity {
    /// Its name.
    #[serde(rename = "charity_name", default, deserialize_with = "optional")]
    pub name: String,
    /// What it does.
    #[serde(rename = "charity_description", default, deserialize_with = "text")]
    pub description: Option<String>,
    /// The URL of its logo.
    #[serde(rename = "charity_logo", default, deserialize_with = "text")]
    pub logo: Option<String>,
    /// The URL of its website.
    #[serde(rename = "charity_website", default, deserialize_with = "text")]
    pub website: Option<String>,
}

/// An amount of money.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Money {
    /// In the currency's smallest unit, such as cents.
    pub value: i64,
    /// The number of decimal places of the value.
    pub decimal_places: i64,
    /// ISO 4217, such as `USD`.
    pub currency: String,
}
