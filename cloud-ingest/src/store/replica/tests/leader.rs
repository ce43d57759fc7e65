//! A leader whose commits are drawn by lot.

use super::*;

/// Makes commits at random, as a cloud node might.
pub(super) struct Leader {
    pub(super) store: SqliteStore,
    rng: Rng,
    id: u64,
    through: BTreeMap<(AgentId, StreamId), u64>,
    newest: BTreeMap<(AgentId, &'static str), DecisionRecord>,
    inside: Vec<Stay>,
    directed: BTreeMap<Target, Directive>,
}

impl Leader {
    pub(super) fn new(store: SqliteStore, seed: u64) -> Self {
        Self {
            store,
            rng: Rng::new(seed),
            id: 0,
            through: BTreeMap::new(),
            newest: BTreeMap::new(),
            inside: Vec::new(),
            directed: BTreeMap::new(),
        }
    }

    pub(super) fn agent(&mut self) -> AgentId {
        agent("north", ["r1", "r2", "r3"][self.pick(3)])
    }

    pub(super) fn pick(&mut self, of: u64) -> usize {
        usize::try_from(self.rng.below(of)).unwrap()
    }

    pub(super) fn step(&mut self) -> Commit {
        self.id += 1;
        let mut commit = Commit { run: 1, id: self.id, term: 3, ..Commit::default() };
        for _ in 0..self.pick(3) {
            commit.progress.push(self.progress());
        }
        for _ in 0..self.pick(4) {
            commit.folds.push(self.fold());
        }
        if self.pick(2) == 0 {
            self.decide(&mut commit.decisions);
        }
        if self.pick(2) == 0 {
            commit.statuses.push(self.status());
        }
        for _ in 0..self.pick(3) {
            commit.latest.push(self.latest());
        }
        self.park(&mut commit.bills);
        self.direct(&mut commit.directives);
        self.store.commit(&commit).unwrap();
        commit
    }

    pub(super) fn progress(&mut self) -> StreamProgress {
        let (agent, stream) = (self.agent(), StreamId::from_bits(u64::MAX - self.rng.below(2)));
        let grown = self.rng.below(5);
        let through = self.through.entry((agent.clone(), stream)).or_default();
        *through += grown;
        let through = *through;
        let ranges = if self.pick(2) == 0 { vec![] } else { vec![Range::new(through + 3, through + 5)] };
        let gaps = self.rng.below(3);
        let new_gaps = (0..gaps).map(|_| self.rng.below(60) + 1).map(|first| Range::new(first, first + gaps)).collect();
        StreamProgress { agent, stream, progress: Progress { through, ranges }, new_gaps }
    }

    pub(super) fn fold(&mut self) -> Fold {
        let scope = match self.pick(4) {
            0 => Scope::Region(self.agent().region),
            1 => Scope::Group(self.agent().agent),
            _ => Scope::Agent(self.agent()),
        };
        let (kind, field) = [("road", "speed_kmh"), ("power", "power_w")][self.pick(2)];
        let width_s = STORED_WIDTHS_S[self.pick(3)];
        let start = EPOCH_US + i64::try_from(self.rng.below(3)).unwrap() * i64::from(width_s) * 1_000_000;
        let mut aggregate = Aggregate::default();
        for _ in 0..self.rng.below(4) {
            aggregate.add(f64::from(u32::try_from(self.rng.below(1_000_000)).unwrap()) / 7.0);
        }
        Fold { scope, kind, field, width_s, start: Wall::from_us(start), aggregate }
    }

    /// A decision is answered, or a new one takes its place.
    pub(super) fn decide(&mut self, into: &mut Vec<DecisionRecord>) {
        let (agent, key) = (self.agent(), ["limit", "notice/ice"][self.pick(2)]);
        let fates = [Fate::Acknowledged(Outcome::Applied), Fate::Expired, Fate::Replaced, Fate::Replaced];
        let fate = fates[self.pick(4)];
        let seq = self.newest.get(&(agent.clone(), key)).map_or(1, |last| last.decision.seq + 1);
        if let Some(last) = self.newest.get_mut(&(agent.clone(), key)).filter(|last| last.fate == Fate::Outstanding) {
            last.fate = fate;
            into.push(last.clone());
            if fate != Fate::Replaced {
                return;
            }
        }
        let mut next = decision(agent.agent.as_str(), seq);
        next.decision.key = key.to_owned();
        into.push(next.clone());
        self.newest.insert((agent, key), next);
    }

    pub(super) fn status(&mut self) -> AgentStatus {
        let (agent, n) = (self.agent(), self.rng.below(1000));
        let status = Status {
            online: n % 2 == 0,
            connection: (1, n),
            ts_us: 5,
            queued: n,
            queued_bytes: 9,
            oldest_us: (n % 3 == 0).then_some(7),
            dropped: n / 2,
            damaged: 0,
        };
        AgentStatus { agent, status, heard: Wall::from_us(EPOCH_US + 1) }
    }

    pub(super) fn latest(&mut self) -> Latest {
        self.id += 1;
        Latest {
            owner: (&self.agent()).into(),
            kind: "parking".to_owned(),
            sensor: ["east", "west"][self.pick(2)].to_owned(),
            ts_us: i64::try_from(self.id).unwrap(),
            clock: 1,
            stream: StreamId::from_bits(9),
            seq: self.id,
            flags: 2,
            fields: serde_json::from_str(r#"{"occupied":7.0}"#).unwrap(),
        }
    }

    /// A car drives in, one that is in drives out, or something has to be clarified.
    pub(super) fn park(&mut self, bills: &mut Bills) {
        self.id += 1;
        let (owner, seq, stream) = (Owner::from(&self.agent()), self.id, StreamId::from_bits(9));
        let (garage, plate, plate_hash) = ("east".to_owned(), format!("B-FG {seq}"), "ab".to_owned());
        match self.pick(4) {
            0 => {
                let (entered_us, tariff_cents) = (5, 250);
                let (left, unresolved) = (None, false);
                let stay =
                    Stay { owner, garage, stream, seq, plate, plate_hash, entered_us, tariff_cents, left, unresolved };
                self.inside.push(stay.clone());
                bills.stays.push(stay);
            }
            1 if !self.inside.is_empty() => {
                let at = self.pick(self.inside.len() as u64);
                let stay = self.inside.remove(at);
                let left = Departure { stream, seq, left_us: 9, hours: 1, cents: 250 };
                bills.stays.push(Stay { left: Some(left), ..stay });
            }
            2 => {
                let (what, ts_us) = (Unclear::ExitWithoutEntry, 7);
                bills.clarifications.push(Clarification { owner, garage, stream, seq, what, ts_us, plate, plate_hash });
            }
            _ => {}
        }
    }

    /// An operator sets something, which ends what he had set before, or takes it back.
    pub(super) fn direct(&mut self, into: &mut Vec<Directive>) {
        let AgentId { region, agent } = self.agent();
        let agent = (self.pick(2) == 0).then_some(agent);
        let target = Target { region, agent, key: "limit".to_owned() };
        let (pick, id) = (self.pick(4), self.id);
        let how = if pick == 0 { End::Replaced } else { End::Cleared };
        if pick < 2
            && let Some(before) = self.directed.remove(&target)
        {
            into.push(Directive { ended: Some(Ended { at_us: 8, how, by: None }), ..before });
        }
        if pick == 0 {
            let (body, by) = (serde_json::json!({ "limit_kmh": 80 }), Some("anna".to_owned()));
            let set = Directive { id, target: target.clone(), body, by, set_us: 7, until_us: Some(9), ended: None };
            self.directed.insert(target, set.clone());
            into.push(set);
        }
    }

    /// What a log says of a commit. Of the decisions of a register the last.
    pub(super) fn named(&mut self, commit: &Commit) -> Rows {
        let streams = commit.progress.iter().map(|change| (change.agent.clone(), change.stream)).collect();
        let mut rows = self.store.export(&Export::Named { streams, windows: commit.folds.clone() }).unwrap().rows;
        let newest: BTreeMap<_, _> = commit
            .decisions
            .iter()
            .map(|record| ((record.agent.clone(), record.decision.key.clone()), record))
            .collect();
        rows.decisions = newest.into_values().map(DecisionRow::new).collect();
        rows.statuses = commit.statuses.iter().map(StatusRow::new).collect();
        rows.latest.clone_from(&commit.latest);
        rows.directives.clone_from(&commit.directives);
        rows.stays.clone_from(&commit.bills.stays);
        rows.clarifications.clone_from(&commit.bills.clarifications);
        rows
    }
}
