//! The settings of the small overlays that are saved.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::{AlertType, Within};
use crate::api::body::Line;

/// The overlay with the bar of a goal.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GoalOverlay {
    /// Only goals of this kind, such as `follow`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 50)]
    kind: Option<Line<1, 50>>,
    /// The text above the bar; without it, how the goal is called.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    text: Option<Line<1, 200>>,
}

/// The overlay that names who it was last.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LabelOverlay {
    /// Of what; `follower` by default.
    of: Option<LabelSubject>,
    /// The text, with the placeholders of such alerts, such as `{user}`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    text: Option<Line<1, 200>>,
}

/// Who is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LabelSubject {
    Follower,
    /// Also one whose subscription was renewed.
    Subscriber,
    /// Who gave subscriptions.
    Gift,
    Cheer,
    Raid,
}

/// The overlay with the last alerts.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EventsOverlay {
    /// The types that are listed.
    #[schema(value_type = Option<Vec<String>>)]
    types: Option<Vec<AlertType>>,
    /// How many are shown; 5 by default.
    #[schema(value_type = Option<f64>, minimum = 1, maximum = 20)]
    max: Option<Within<1, 20>>,
}

/// The overlay with a clock.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClockOverlay {
    /// What it shows; `uptime` by default.
    show: Option<ClockSubject>,
    /// When a countdown ends: `20:15` where the overlay is shown, or a date with a time.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 40)]
    to: Option<Line<1, 40>>,
    /// The text before the time.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    text: Option<Line<1, 200>>,
}

/// What a clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClockSubject {
    /// How long the stream has been on.
    Uptime,
    /// The time that is left.
    Countdown,
    /// How many watch; requires one channel.
    Viewers,
}
