//! What happens in the demo show, and when.

use serde_json::{Value, json};

/// The display names of the people.
pub(super) const PEOPLE: [&str; 30] = [
    "AmberFinch",
    "BrassTuba",
    "CedarLynx",
    "DuskyPlum",
    "EmberNewt",
    "FernWalker",
    "GraniteGull",
    "HazelDrum",
    "IvoryTram",
    "JuniperJay",
    "KelpForest",
    "LimeComet",
    "MossyAnvil",
    "NimbusCat",
    "OpalRiver",
    "PaperKoala",
    "QuartzMole",
    "RustyPylon",
    "SableOrbit",
    "TealBadger",
    "UmberVole",
    "VelvetRook",
    "WillowByte",
    "XenonPear",
    "YarrowFox",
    "ZincOtter",
    "CopperFern",
    "DapperSnail",
    "LunarTurnip",
    "TinyGlacier",
];

/// Colours of names in the chat.
const COLORS: [&str; 6] = ["#1E90FF", "#FF69B4", "#00C853", "#FFB300", "#B388FF", "#FF7043"];

/// What happens. People are named by their number.
pub(super) enum Act {
    Online,
    Offline,
    /// The title of the stream.
    Title(&'static str),
    /// How many watch.
    Viewers(u32),
    Follows(usize),
    /// Subscribes.
    Subscribes(usize),
    /// Got a subscription as a gift.
    Given(usize),
    /// Subscribes again: months, and a text.
    Renews(usize, u32, &'static str),
    /// Gives subscriptions.
    Gives(usize, u32),
    /// Cheers: bits, and a text.
    Cheers(usize, u32, &'static str),
    /// Raids with so many viewers.
    Raids(usize, u32),
    /// Writes in the chat.
    Says(usize, &'static str),
    /// Redeems the reward of the sample, with a text.
    Redeems(usize, &'static str),
    /// A goal of followers begins.
    GoalBegins,
    /// How many followers there are.
    Goal(u32),
    PollBegins,
    /// The votes of a poll.
    Poll([u32; 2]),
    PollEnds([u32; 2]),
    /// A hype train begins: total and progress.
    TrainBegins(u32),
    /// Level, total, and progress of 1,800.
    Train(u32, u32, u32),
    TrainEnds(u32, u32),
}

use Act::{
    Cheers, Follows, Given, Gives, Goal, GoalBegins, Offline, Online, Poll, PollBegins, PollEnds, Raids, Redeems,
    Renews, Says, Subscribes, Title, Train, TrainBegins, TrainEnds, Viewers,
};

/// Milliseconds from the start, and what happens then. The end of the stream follows.
pub(super) const SCRIPT: &[(u64, Act)] = &[
    (0, Online),
    (500, Title("A minute of a show, made up by showtime")),
    (900, Viewers(12)),
    (1_500, Says(0, "hello! first!")),
    (2_500, Says(1, "good evening everyone")),
    (3_500, GoalBegins),
    (4_000, Follows(0)),
    (4_100, Goal(1)),
    (5_500, Says(2, "what are we building today?")),
    (6_500, Follows(3)),
    (6_600, Goal(2)),
    (7_500, Cheers(4, 100, "Cheer100 let's go")),
    (8_500, Viewers(31)),
    (9_000, Says(5, "this looks great already")),
    (10_000, PollBegins),
    (11_000, Subscribes(6)),
    (12_000, Says(6, "finally did it")),
    (12_500, Poll([4, 2])),
    (13_500, Follows(7)),
    (13_600, Goal(3)),
    (14_500, Redeems(8, "a big glass, please")),
    (15_500, Says(9, "hydrate! hydrate!")),
    (16_000, Poll([9, 11])),
    (17_000, Renews(10, 14, "Fourteen months and still my favourite place")),
    (18_500, Says(11, "what a streak")),
    (19_000, Viewers(48)),
    (19_500, Poll([17, 15])),
    (20_500, PollEnds([21, 16])),
    (21_500, Follows(12)),
    (21_600, Goal(4)),
    (22_500, Says(13, "forest it is!")),
    (23_500, Raids(14, 128)),
    (24_500, Viewers(173)),
    (25_000, Says(15, "raid! hello from the other side")),
    (25_600, Says(16, "we come in peace")),
    (26_200, Follows(15)),
    (26_300, Goal(5)),
    (27_000, Follows(16)),
    (27_100, Goal(6)),
    (27_800, Says(17, "welcome raiders!")),
    (29_000, Follows(18)),
    (29_100, Goal(7)),
    (30_000, Gives(19, 5)),
    (30_200, Given(20)),
    (30_400, Given(21)),
    (30_600, Given(22)),
    (30_800, Given(23)),
    (31_000, Given(24)),
    (32_500, Says(20, "thank you so much!")),
    (33_200, Says(25, "so generous")),
    (34_000, TrainBegins(2_500)),
    (35_500, Cheers(26, 500, "Cheer500 choo choo")),
    (36_000, Train(2, 3_000, 500)),
    (37_500, Says(27, "hype!")),
    (38_500, Subscribes(28)),
    (39_000, Train(2, 3_500, 1_000)),
    (40_500, Follows(29)),
    (40_600, Goal(8)),
    (41_500, Viewers(204)),
    (42_000, Cheers(14, 1_000, "Cheer1000 for the road")),
    (42_500, Train(3, 4_500, 200)),
    (43_500, Says(22, "level three!!")),
    (45_000, Says(2, "how do you do that so fast?")),
    (46_500, Follows(11)),
    (46_600, Goal(9)),
    (47_500, Title("Nearly done: one last look at the overlay")),
    (49_000, Renews(1, 3, "Three months of tuba")),
    (50_000, Train(3, 5_000, 700)),
    (51_000, Says(21, "can't believe it's almost over")),
    (52_500, Follows(5)),
    (52_600, Goal(10)),
    (53_500, TrainEnds(3, 5_000)),
    (54_500, Viewers(187)),
    (55_500, Says(29, "see you next time")),
    (56_500, Says(0, "good show, good night")),
    (58_000, Cheers(9, 50, "Cheer50 bye")),
];

impl Act {
    /// The type of its event.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Online => "stream.online",
            Offline => "stream.offline",
            Title(_) => "channel.update",
            Viewers(_) => "showtime.stream.viewers",
            Follows(_) => "channel.follow",
            Subscribes(_) | Given(_) => "channel.subscribe",
            Renews(..) => "channel.subscription.message",
            Gives(..) => "channel.subscription.gift",
            Cheers(..) => "channel.cheer",
            Raids(..) => "channel.raid",
            Says(..) => "channel.chat.message",
            Redeems(..) => "channel.channel_points_custom_reward_redemption.add",
            GoalBegins => "channel.goal.begin",
            Goal(_) => "channel.goal.progress",
            PollBegins => "channel.poll.begin",
            Poll(_) => "channel.poll.progress",
            PollEnds(_) => "channel.poll.end",
            TrainBegins(_) => "channel.hype_train.begin",
            Train(..) => "channel.hype_train.progress",
            TrainEnds(..) => "channel.hype_train.end",
        }
    }

    /// The number of the person who acts.
    pub(super) fn person(&self) -> Option<usize> {
        match self {
            Follows(number)
            | Subscribes(number)
            | Given(number)
            | Renews(number, ..)
            | Gives(number, _)
            | Cheers(number, ..)
            | Raids(number, _)
            | Says(number, _)
            | Redeems(number, _) => Some(*number),
            _ => None,
        }
    }

    /// The fields that differ from the sample of the type. What lasts for a while has one id for each stream.
    pub(super) fn edits(&self, stream: &str) -> Vec<(&'static str, Value)> {
        let id = |thing: &str| ("id", json!(format!("{stream}-{thing}")));
        match *self {
            Online | Offline => vec![("id", json!(stream))],
            Title(title) => vec![
                ("title", json!(title)),
                ("category_id", json!("509658")),
                ("category_name", json!("Just Chatting")),
                ("content_classification_labels", json!([])),
            ],
            Viewers(_) | Follows(_) => Vec::new(),
            Subscribes(_) => vec![("tier", json!("1000"))],
            Given(_) => vec![("tier", json!("1000")), ("is_gift", json!(true))],
            Renews(_, months, text) => vec![
                ("tier", json!("1000")),
                ("cumulative_months", json!(months)),
                ("message", json!({ "text": text, "emotes": [] })),
            ],
            Gives(_, total) => vec![("total", json!(total)), ("cumulative_total", json!(total))],
            Cheers(_, bits, text) => vec![("bits", json!(bits)), ("message", json!(text))],
            Raids(_, viewers) => vec![("viewers", json!(viewers))],
            Says(number, text) => {
                let fragment =
                    json!({ "type": "text", "text": text, "cheermote": null, "emote": null, "mention": null });
                vec![
                    ("message", json!({ "text": text, "fragments": [fragment] })),
                    ("color", json!(COLORS[number % COLORS.len()])),
                    ("badges", json!([])),
                ]
            }
            Redeems(_, text) => vec![("user_input", json!(text))],
            GoalBegins => goal(id("goal"), 0),
            Goal(current) => goal(id("goal"), current),
            PollBegins => vec![id("poll")],
            Poll(votes) | PollEnds(votes) => vec![id("poll"), ("choices", choices(votes))],
            TrainBegins(total) => train(id("train"), &[("total", total), ("progress", total % 1_600), ("level", 1)]),
            Train(level, total, progress) => {
                train(id("train"), &[("level", level), ("total", total), ("progress", progress), ("goal", 1_800)])
            }
            TrainEnds(level, total) => train(id("train"), &[("level", level), ("total", total)]),
        }
    }
}

fn goal(id: (&'static str, Value), current: u32) -> Vec<(&'static str, Value)> {
    vec![
        id,
        ("type", json!("follow")),
        ("description", json!("Ten new followers")),
        ("current_amount", json!(current)),
        ("target_amount", json!(10)),
    ]
}

fn choices(votes: [u32; 2]) -> Value {
    let choice = |(title, votes): (&str, u32)| json!({ "id": format!("choice-{title}"), "title": title, "bits_votes": 0, "channel_points_votes": 0, "votes": votes });
    ["Forest", "Desert"].into_iter().zip(votes).map(choice).collect()
}

fn train(id: (&'static str, Value), numbers: &[(&'static str, u32)]) -> Vec<(&'static str, Value)> {
    let numbers = numbers.iter().map(|(field, number)| (*field, json!(number)));
    [id, ("top_contributions", json!([]))].into_iter().chain(numbers).collect()
}
