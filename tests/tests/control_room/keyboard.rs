//! The control room without a mouse.

use crate::stage::{LAPTOP, Stage, VIEWS};
use fogline_tests::real::{ENTER, TAB};

const FOCUSED: &str = "const one = document.activeElement; return one.getAttribute('href') ?? one.id ?? one.tagName";

#[test]
fn every_view_is_reached_by_keys() {
    let Some(stage) = Stage::with_a_road() else { return };
    let browser = &stage.browser;
    browser.look(LAPTOP, "light");
    for (place, (view, title)) in VIEWS.iter().enumerate() {
        stage.open("");
        browser.act("document.activeElement.blur(); window.scrollTo(0, 0)");
        browser.press(&[TAB]);
        assert_eq!(browser.run(FOCUSED), "#view", "the first stop leads past the tabs");
        for _ in 0..=place {
            browser.press(&[TAB]);
        }
        assert_eq!(browser.run(FOCUSED), format!("#{view}"));
        let outline = "return getComputedStyle(document.activeElement).outlineStyle";
        assert_eq!(browser.run(outline), "solid", "{view}: the focus is to be seen");
        browser.press(&[ENTER]);
        browser.until_text("the view is shown", "main h1", |text| text == *title);
        browser.until_text("its tab says so", "[aria-current=page]", |text| text == *title);
        assert_eq!(browser.run("return document.title"), format!("{title} · Fogline control room"));
        let heard = browser.run("return document.activeElement.textContent");
        assert!(place == 0 || heard == *title, "{heard}: whoever chose a view is in it");
    }
}

/// What a screen reader goes by.
#[test]
fn the_page_says_what_its_parts_are() {
    let Some(stage) = Stage::with_a_road() else { return };
    for (view, _) in VIEWS {
        stage.open(view);
        let missing = stage.browser.run(
            "const missing = []; const shown = (one) => one.checkVisibility();
             for (const tag of ['header', 'nav', 'main', 'footer']) if (!document.querySelector(tag)) missing.push(tag);
             if ([...document.querySelectorAll('h1')].filter(shown).length !== 1) missing.push('one h1');
             for (const table of document.querySelectorAll('table')) if (!table.caption?.textContent) missing.push('a caption');
             for (const one of document.querySelectorAll('input')) if (one.labels.length === 0) missing.push('a label');
             for (const one of document.querySelectorAll('.chart')) {
               if (!one.getAttribute('aria-label')) missing.push('a name of a chart');
               if (!one.parentElement.querySelector('table')) missing.push('a table of a chart');
             }
             for (const one of document.querySelectorAll('.sign')) if (!one.getAttribute('aria-label')) missing.push('a sign');
             const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
             if (new Set(ids).size !== ids.length && !ids.some((id) => id.startsWith('clip'))) missing.push('an id twice');
             return missing.join()",
        );
        assert_eq!(missing, "", "{view}");
    }
}
