//! The one rule of which value holds where several were seen: that seen last, and of two at one time, or where no time counts, the
//! one that means more. Nothing depends on the order in which they come.

use std::cmp::Ordering;

/// The value that was seen last, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Best<T> {
    value: Option<T>,
    time: i64,
}

impl<T: PartialEq> Best<T> {
    /// Before anything was seen.
    pub const NONE: Self = Self {
        value: None,
        time: i64::MIN,
    };

    /// A value, if there was one, and when it was seen: `i64::MIN` where no entry tells.
    pub const fn seen(value: Option<T>, time: i64) -> Self {
        Self { value, time }
    }

    /// The value.
    pub const fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// When it was seen.
    pub const fn time(&self) -> i64 {
        self.time
    }

    /// Takes over what was seen, of which `meaning` says what it stands for.
    pub fn see(&mut self, seen: Self, meaning: impl FnOnce(&T, &T) -> Ordering) {
        if seen.value.is_none() {
            return;
        }
        if self.value.is_none() || self.time < seen.time {
            *self = seen;
        } else if self.time == seen.time {
            greatest(&mut self.value, seen.value, meaning);
        }
    }
}

/// Takes over a value, if there is one, that means more than the present one.
pub fn greatest<T: PartialEq>(value: &mut Option<T>, seen: Option<T>, meaning: impl FnOnce(&T, &T) -> Ordering) {
    let Some(new) = &seen else { return };
    if value
        .as_ref()
        .is_none_or(|known| known != new && meaning(known, new).is_lt())
    {
        *value = seen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_seen_last_holds_in_whatever_order_it_comes(
            seen in prop::collection::vec((prop::option::of(0_usize..5), 0_i64..4), 0..12),
            turn in any::<prop::sample::Index>(),
        ) {
            let meaning = |number: usize| [3, 1, 4, 0, 2][number];
            let of = |seen: &[(Option<usize>, i64)]| {
                let (mut best, mut great) = (Best::NONE, None);
                for (number, time) in seen.iter().copied() {
                    let by = |a: &usize, b: &usize| meaning(*a).cmp(&meaning(*b));
                    best.see(Best::seen(number, time), by);
                    greatest(&mut great, number, by);
                }
                (best.value().map(|number| (best.time(), meaning(*number))), great.map(meaning))
            };
            let there = || seen.iter().filter_map(|(number, time)| Some((*time, meaning((*number)?))));
            let want = (there().max(), there().map(|(_, meaning)| meaning).max());
            let mut turned = seen.clone();
            turned.rotate_left(turn.index(seen.len() + 1).min(seen.len()));
            prop_assert_eq!(of(&seen), want);
            prop_assert_eq!(of(&turned), want);
        }
    }
}
