//! [Shards](https://docs.discord.com/developers/events/gateway#sharding): a large bot divides the Discord servers among its
//! processes.

use super::snowflake::Snowflake;

/// The most shards that a bot can say it has.
pub const MAX_SHARDS: u32 = 65_536;

/// One of the shards of a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    count: u32,
}

impl Shard {
    /// Shard `number`, counted from 0, of `count`. `None` if there is no such shard.
    #[must_use]
    pub fn new(number: u32, count: u32) -> Option<Self> {
        (number < count && count <= MAX_SHARDS).then_some(Self { number, count })
    }

    /// Its number, from 0.
    #[must_use]
    pub fn number(self) -> i64 {
        self.number.into()
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> i64 {
        self.count.into()
    }

    /// Whether this Discord server is in it. One that is not known is in the first.
    #[must_use]
    pub fn has(self, guild: Option<Snowflake>) -> bool {
        (guild.map_or(0, |guild| guild.0) >> 22) % self.count() == self.number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_in_one_shard() {
        for guild in [None, Some(Snowflake(41_771_983_423_143_937)), Some(Snowflake(197_038_439_483_310_086))] {
            let shards: Vec<_> = (0..7).filter(|number| Shard::new(*number, 7).unwrap().has(guild)).collect();
            assert_eq!(shards.len(), 1, "{guild:?}");
        }
        assert!(Shard::new(0, 3).unwrap().has(None));
        assert!(
            Shard::new(((41_771_983_423_143_937_i64 >> 22) % 3) as u32, 3)
                .unwrap()
                .has(Some(Snowflake(41_771_983_423_143_937)))
        );
        assert_eq!((Shard::new(3, 3), Shard::new(0, 0), Shard::new(0, MAX_SHARDS + 1)), (None, None, None));
    }
}
