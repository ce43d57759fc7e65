//! A site with an agent of each use case, and a browser that looks at its control room.

use fogline_tests::real::{Agent, AgentRecipe, Broker, Browser, Ingester, IngesterRecipe, Kind, Program, free_port};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Names of the views, as their addresses have them, and their titles.
pub(crate) const VIEWS: [(&str, &str); 7] = [
    ("fleet", "Fleet"),
    ("road", "Road"),
    ("weather", "Weather"),
    ("power", "Power"),
    ("garages", "Garages"),
    ("city", "City"),
    ("health", "Health"),
];

/// What the pill at the top says.
pub(crate) const CONNECTION: &str = "#connection";

/// A laptop's screen.
pub(crate) const LAPTOP: (u32, u32) = (1280, 900);
/// The narrowest phone.
pub(crate) const PHONE: (u32, u32) = (360, 740);
/// A screen on a wall.
pub(crate) const WALL: (u32, u32) = (1920, 1080);

/// All that runs. The browser ends first.
pub(crate) struct Stage {
    pub(crate) browser: Browser,
    pub(crate) agents: Vec<Agent>,
    /// What else there is, nodes of a city for example.
    pub(crate) others: Vec<Program>,
    pub(crate) ingester: Ingester,
    pub(crate) broker: Broker,
    folder: TempDir,
}

impl Stage {
    /// With no agents. None where there is no Chromium and need not be.
    pub(crate) fn empty() -> Option<Self> {
        Self::begin(IngesterRecipe::start)
    }

    /// The same, behind the tokens of a file.
    pub(crate) fn guarded(tokens: &Path) -> Option<Self> {
        Self::begin(|recipe| recipe.args(["--http-tokens".as_ref(), tokens.as_os_str()]).start_guarded())
    }

    fn begin(start: impl FnOnce(IngesterRecipe) -> Ingester) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let browser = Browser::start(folder.path())?;
        let broker = Broker::start(Kind::Embedded, folder.path())?;
        let recipe = IngesterRecipe::at(free_port(), "ingest-1", &[&broker], &folder.path().join("ingest"));
        Some(Self { browser, agents: Vec::new(), others: Vec::new(), ingester: start(recipe), broker, folder })
    }

    /// With one sensor on a road.
    pub(crate) fn with_a_road() -> Option<Self> {
        let mut stage = Self::empty()?;
        let road = stage.agent("lane-1").watches_a_road("20");
        stage.agents.push(road.start());
        Some(stage)
    }

    /// An agent of this site.
    pub(crate) fn agent(&self, name: &str) -> AgentRecipe {
        AgentRecipe::new(&self.broker, name, &self.path(name))
    }

    /// A file or folder of this site.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of a view.
    pub(crate) fn url(&self, view: &str) -> String {
        format!("http://{}/#{view}", self.ingester.http())
    }

    /// Opens a view, and waits until it is live.
    pub(crate) fn open(&self, view: &str) {
        // Another view of the same page would be no fresh start.
        self.browser.open("about:blank");
        self.browser.open(&self.url(view));
        self.browser.until_text("the connection is live", CONNECTION, |text| text == "Live");
    }

    /// Keeps a picture of what is on the screen.
    pub(crate) fn keep_picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("control_room");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        self.browser.picture(&file);
        eprintln!("picture: {}", file.display());
    }

    /// That the page has asked nobody else for anything, and that the console has nothing to complain about, but what
    /// is `expected`.
    pub(crate) fn assert_quiet(&self, expected: &[&str]) {
        let own = format!("http://{}/", self.ingester.http());
        for url in self.browser.requests() {
            // An image in an address asks nobody.
            assert!(url.starts_with(&own) || url.starts_with("data:"), "{url} is not of {own}");
        }
        let said = self.browser.console();
        let unexpected: Vec<_> = said.iter().filter(|line| !expected.iter().any(|part| line.contains(part))).collect();
        assert!(unexpected.is_empty(), "{unexpected:#?}");
    }
}
