//! Each page: what it answers, page by page, and what it says when it is asked wrongly.

mod dead_letters;
mod directives;
mod documents;
mod events;
mod lists;
mod readings;
mod refusals;
mod use_cases;
