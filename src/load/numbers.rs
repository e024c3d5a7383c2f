//! Sets of message numbers, a bit each: millions fit anywhere.

/// The greatest number that is taken: a set of all of them takes 128 MiB.
const MAX: u64 = 1 << 30;

/// A set of numbers that begin at 0 and have few gaps.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    words: Vec<u64>,
    count: u64,
}

impl Numbers {
    /// Whether it was not in there before. A number that no run reaches is not taken, nor is it new.
    pub fn insert(&mut self, number: u64) -> bool {
        let Some((index, bit)) = place(number) else { return false };
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        let is_new = self.words[index] & bit == 0;
        self.words[index] |= bit;
        self.count += u64::from(is_new);
        is_new
    }

    /// Whether it is in there.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        place(number).and_then(|(index, bit)| Some(self.words.get(index)? & bit != 0)).unwrap_or(false)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Those that `other` lacks, in order.
    pub fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u64> + 'a {
        let words = self.words.iter().enumerate();
        words.flat_map(|(index, word)| {
            let left = word & !other.words.get(index).copied().unwrap_or(0);
            (0..64).filter(move |bit| left >> bit & 1 == 1).map(move |bit| index as u64 * 64 + bit)
        })
    }
}

fn place(number: u64) -> Option<(usize, u64)> {
    let index = usize::try_from(number / 64).ok().filter(|_| number < MAX)?;
    Some((index, 1 << (number % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_once_and_compared() {
        let (mut some, mut others) = (Numbers::default(), Numbers::default());
        assert!([0, 63, 64, 1_000_000].into_iter().all(|number| some.insert(number)));
        assert!(!some.insert(64) && !some.insert(u64::MAX));
        assert!(others.insert(63) && others.insert(2));
        assert_eq!((some.count(), others.count()), (4, 2));
        assert!(some.contains(1_000_000) && !some.contains(999_999) && !some.contains(u64::MAX));
        assert_eq!(some.without(&others).collect::<Vec<_>>(), [0, 64, 1_000_000]);
        assert_eq!(others.without(&some).collect::<Vec<_>>(), [2]);
    }
}
