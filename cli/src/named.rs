//! Which one is meant: an id, the beginning of it, or `last`.

/// What a name found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<T> {
    /// The one that is meant.
    One(T),
    /// Nothing has that name.
    None,
    /// So many have it.
    Several(usize),
}

/// Finds the one whose id begins so. Nothing begins with no letter.
pub fn beginning<T>(
    text: &str,
    all: impl IntoIterator<Item = T>,
    id: impl Fn(&T) -> String,
) -> Named<T> {
    let mut found = all.into_iter().filter(|one| !text.is_empty() && id(one).starts_with(text));
    match (found.next(), found.next()) {
        (Some(one), None) => Named::One(one),
        (None, _) => Named::None,
        (Some(_), Some(_)) => Named::Several(2 + found.count()),
    }
}

/// Finds the one whose id begins so, or the last one of all, which stand in the order of their making.
pub fn beginning_or_last<T>(
    text: &str,
    all: impl IntoIterator<Item = T>,
    id: impl Fn(&T) -> String,
) -> Named<T> {
    if text == "last" {
        return all.into_iter().last().map_or(Named::None, Named::One);
    }
    beginning(text, all, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_found_by_its_beginning_if_it_is_the_only_one() {
        let all = ["01a2", "01b3", "02c4"];
        let find = |text| beginning_or_last(text, all, ToString::to_string);
        assert_eq!(find("01b"), Named::One("01b3"));
        assert_eq!(find("02c4"), Named::One("02c4"));
        assert_eq!(find("last"), Named::One("02c4"));
        assert_eq!(find("01"), Named::Several(2));
        assert_eq!((find(""), find("zz")), (Named::None, Named::None));
        assert_eq!(beginning("last", all, ToString::to_string), Named::None);
    }
}
