//! The lists of policies that a change is compared on: those that each holder has or had, since a token that is out keeps its own, and
//! those that somebody may have whom nobody saw.

use super::joined::Joined;
use crate::policy::compare::Holder;

/// The lists, each with who has it.
pub fn lists(joined: &Joined) -> impl Iterator<Item = Holder> + '_ {
    let had = joined.holders.iter().flat_map(|holder| {
        holder.sets.iter().map(|set| Holder {
            name: holder.display().to_owned(),
            policies: set.policies.to_vec(),
            identity: Some(holder.identity.clone()),
        })
    });
    let may_have = joined.unseen.lists.iter().map(|one| Holder {
        name: one.name.clone(),
        policies: one.policies.clone(),
        identity: Some(one.identity.clone()),
    });
    had.chain(may_have)
}

/// What is to be said of lists that are too many to be compared; none where all are.
#[must_use]
pub fn left_out(joined: &Joined) -> Option<String> {
    let more = joined.unseen.more;
    (more > 0).then(|| {
        format!(
            "{more} more lists of policies that entities may have, depending on the role they log in by, are too many to be compared one by one"
        )
    })
}
