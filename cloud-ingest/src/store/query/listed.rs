//! Pages of a list by the key of their last item: what is added or removed meanwhile moves nothing twice, and nothing out.

use super::{PAGE_MAX, QueryError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to give as `after` for the next page. Null: this was the last one.
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    limit: u32,
    after: Option<String>,
}

impl After {
    /// At most `limit` items (above [`PAGE_MAX`] it is that), after what a page before gave as [`Listed::next`]; from the beginning
    /// if that is nothing, or empty.
    #[must_use]
    pub fn new(limit: u32, after: Option<String>) -> Self {
        Self { limit: limit.min(PAGE_MAX), after: after.filter(|after| !after.is_empty()) }
    }

    /// How many items to read: one more than the page has tells whether there is a next one.
    pub(super) const fn reads(&self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// The key after which it begins, in its `N` parts.
    pub(super) fn key<const N: usize>(&self) -> Result<Option<[String; N]>, QueryError> {
        let Some(after) = &self.after else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(after).ok().and_then(|json| serde_json::from_slice::<Vec<String>>(&json).ok());
        match key.map(<[String; N]>::try_from) {
            Some(Ok(key)) => Ok(Some(key)),
            _ => Err(QueryError::After(after.chars().take(SHOWN_CHARS).collect())),
        }
    }

    /// The same for keys that are one number.
    pub(super) fn number(&self) -> Result<Option<i64>, QueryError> {
        let Some([number]) = self.key()? else { return Ok(None) };
        number.parse().map(Some).map_err(|_| QueryError::After(number.chars().take(SHOWN_CHARS).collect()))
    }

    /// The same for keys that are two numbers.
    pub(super) fn numbers(&self) -> Result<Option<(i64, i64)>, QueryError> {
        let Some([first, second]) = self.key()? else { return Ok(None) };
        match (first.parse(), second.parse()) {
            (Ok(first), Ok(second)) => Ok(Some((first, second))),
            _ => Err(QueryError::After(first.chars().take(SHOWN_CHARS).collect())),
        }
    }

    /// The page, of [`Self::reads`] items or fewer, and where the next one begins.
    pub(super) fn page<T, const N: usize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> [String; N]) -> Listed<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        // Texts: nothing in them that JSON cannot say.
        let encode = |item| URL_SAFE_NO_PAD.encode(serde_json::to_vec(&key(item).as_slice()).unwrap_or_default());
        let next = items.last().filter(|_| more).map(encode);
        Listed { items, next }
    }
}

/// So much of a text that is no key is shown again.
const SHOWN_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let first = After::new(2, None);
        let key = |n: &u32| [n.to_string(), "é/\"".to_owned()];
        let page = first.page(vec![1, 2, 3], key);
        assert_eq!(page.items, [1, 2]);
        let second = After::new(2, page.next);
        assert_eq!(second.key().unwrap(), Some(["2".to_owned(), "é/\"".to_owned()]));
        assert_eq!(second.page(vec![3, 4], key), Listed { items: vec![3, 4], next: None });
        assert_eq!(After::new(u32::MAX, None).reads(), PAGE_MAX + 1);
    }

    #[test]
    fn what_no_page_said_is_refused() {
        assert_eq!(After::new(1, Some(String::new())), After::new(1, None));
        for wrong in ["7", "W10", "WyIxIiwiMiJd", "é"] {
            let after = After::new(1, Some(wrong.to_owned()));
            assert!(matches!(after.key::<1>(), Err(QueryError::After(shown)) if shown == wrong), "{wrong}");
        }
    }
}
