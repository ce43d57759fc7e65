//! Light and dark, a phone and a wall.

use crate::stage::{LAPTOP, PHONE, Stage, VIEWS, WALL};

#[test]
fn it_is_light_or_dark_as_the_person_wishes() {
    let Some(stage) = Stage::with_a_road() else { return };
    let browser = &stage.browser;
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.look(LAPTOP, scheme);
        stage.open("road");
        let chart = "#view-road .main-svg";
        browser.until_text("the chart is drawn", chart, |_| true);
        let ground = browser.run("return getComputedStyle(document.documentElement).backgroundColor");
        let ink = browser.run("return getComputedStyle(document.body).color");
        assert_ne!(ground, ink);
        grounds.push((ground, ink));
        // What is least legible of all that is read: small grey type on its ground.
        let contrast = browser.run(CONTRAST).as_f64().unwrap();
        assert!(contrast >= 4.5, "{scheme}: {contrast}, less than WCAG 2.2 asks for (1.4.3)");
    }
    assert_ne!(grounds[0], grounds[1]);
}

/// The lowest contrast of all texts that are shown, as WCAG 2.2 defines it. Charts and signs have colours of their own.
const CONTRAST: &str = "
    const parts = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (text) => {
      const [r, g, b] = parts(text).map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (one) => {
      const colour = getComputedStyle(one).backgroundColor;
      return parts(colour)[3] === 0 && one.parentElement ? ground(one.parentElement) : colour;
    };
    let lowest = 21;
    for (const one of document.querySelectorAll('body *')) {
      const read = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
      if (!read || !one.checkVisibility() || one.closest('svg, .sign, .skip, noscript')) continue;
      const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
      lowest = Math.min(lowest, (a + 0.05) / (b + 0.05));
    }
    return lowest";

#[test]
fn nothing_is_wider_than_the_screen() {
    let Some(stage) = Stage::with_a_road() else { return };
    for (name, screen) in [("phone", PHONE), ("wall", WALL)] {
        stage.browser.look(screen, "light");
        for (view, _) in VIEWS {
            stage.open(view);
            let width = stage.browser.run("return document.documentElement.scrollWidth");
            assert_eq!(width, screen.0, "{view} on a {name}");
            let wide = stage.browser.run(
                "return [...document.querySelectorAll('main *')]
                   .filter((one) => one.checkVisibility() && !one.closest('svg, .only-heard, thead, .scroll'))
                   .filter((one) => one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.className).join()",
            );
            assert_eq!(wide, "", "{view} on a {name}");
            stage.keep_picture(&format!("{name}-{view}"));
        }
    }
}
