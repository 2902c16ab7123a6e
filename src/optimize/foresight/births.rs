//! Units as trees of places, and what was born in them, and when.

/// A place in the tree of a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The place above; none for the root.
    pub parent: Option<u32>,
    /// How far below the root.
    pub depth: u8,
    /// What stays open where the place is kept whole, in the user's own measure.
    pub open: f64,
    /// The first day on which something below it was used, counted from the first day of the past.
    pub first: i32,
    /// What was used here itself, by day with how often; empty but at leaves. Ascending.
    pub uses: Vec<(i32, u32)>,
}

/// One thing that may be kept, narrowed or dropped.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unit {
    /// What it is like, from the widest to the nearest: units with an equal key are pooled.
    pub likes: Vec<u64>,
    /// Its places; a parent stands before its children. The first is the root. Empty where nothing was ever used.
    pub places: Vec<Place>,
    /// What it belongs to: where nothing of that was used, all of it may come into use at once.
    pub block: u32,
    /// Who would be denied, with their shares of it; they sum up to one.
    pub shares: Vec<(u32, f64)>,
    /// How many uses it may come to on the day that somebody begins.
    pub breadth: f64,
    /// What stays open where it is kept whole.
    pub open: f64,
    /// Whether it may be narrowed to places; else it is kept or dropped.
    pub narrows: bool,
    /// Whether nobody can use it, so that dropping it costs nothing.
    pub idle: bool,
    /// Whether it may be changed at all.
    pub free: bool,
}

impl Unit {
    /// The nearest of what it is like.
    #[must_use]
    pub fn nearest(&self) -> u64 {
        self.likes.last().copied().unwrap_or_default()
    }

    /// The first day on which it was used; none where it was not used before `until`.
    #[must_use]
    pub fn first(&self, until: i32) -> Option<i32> {
        self.places.first().map(|p| p.first).filter(|day| *day < until)
    }

    /// Uses by place before a day, each with all that is below it.
    #[must_use]
    pub fn counts(&self, until: i32) -> Vec<u32> {
        let mut counts: Vec<u32> = self
            .places
            .iter()
            .map(|p| p.uses.iter().take_while(|(day, _)| *day < until).map(|(_, n)| n).sum())
            .collect();
        for n in (1..self.places.len()).rev() {
            let own = counts.get(n).copied().unwrap_or_default();
            let parent = self.places.get(n).and_then(|p| p.parent);
            if let Some(above) = parent.and_then(|p| counts.get_mut(p as usize)) {
                *above += own;
            }
        }
        counts
    }

    /// By place, what followed its first use in at most `horizon` days: uses after that day, and the days on which they could come.
    #[must_use]
    pub fn follows(&self, until: i32, horizon: i32) -> Vec<(f64, f64)> {
        let window = |place: &Place| {
            let from = place.first.saturating_add(1);
            (from, until.min(from.saturating_add(horizon)))
        };
        let mut found: Vec<(f64, f64)> = self
            .places
            .iter()
            .map(|place| {
                let (from, to) = window(place);
                (0.0, f64::from((to - from).max(0)))
            })
            .collect();
        for (n, leaf) in self.places.iter().enumerate().filter(|(_, p)| !p.uses.is_empty()) {
            let mut above = Some(n);
            while let Some((place, sum)) = above.and_then(|n| Some((self.places.get(n)?, found.get_mut(n)?))) {
                let (from, to) = window(place);
                let uses = leaf.uses.iter().filter(|(day, _)| (from..to).contains(day));
                sum.0 += uses.map(|(_, n)| f64::from(*n)).sum::<f64>();
                above = place.parent.map(|p| p as usize);
            }
        }
        found
    }
}

/// Something that had been closed, and came into use all the same: nobody saw it in the past.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Missed {
    /// What its unit is like, as [`Unit::likes`].
    pub likes: Vec<u64>,
    /// How deep the place lies below which it was new; none where nothing of its unit was in use.
    pub below: Option<u8>,
}

/// What was born at one place, and what followed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Births {
    /// New children.
    pub born: f64,
    /// Uses of these after the one they were born with.
    pub uses: f64,
    /// Days on which these could be used after the one they were born on.
    pub days: f64,
}
