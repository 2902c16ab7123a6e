//! What is expected of a unit: wrong denials of each of its forms, and how that is known.

/// Expected wrong denials of a unit's forms.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expected {
    /// Of dropping it; nothing where it is in use, and cannot be dropped.
    pub drop: Option<f64>,
    /// By place, of narrowing there to the children that were used.
    pub narrow: Vec<f64>,
    /// Uses by place so far.
    pub counts: Vec<u32>,
    /// Units like this one that were not used at first, and how many of them came into use.
    pub like: (u32, u32),
    /// New places that came below it, and the days in which that was watched.
    pub born: (u32, i32),
    /// The mean of what follows one birth (itself included): how much one surprise costs.
    pub burst: f64,
    /// First uses or new places that were counted of what is like it: how well its rate is known.
    pub known: f64,
    /// Of what is like it, what was closed and missed.
    pub missed: u32,
}
