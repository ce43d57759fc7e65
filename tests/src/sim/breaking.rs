//! How things break.

use super::agenda::{Event, Party};
use super::checks::Check;
use super::faults::Fault;
use super::options::SECOND_US;
use super::world::World;
use fogline_protocol::queue::QueueFault;
use fogline_protocol::store::StoreFault;

impl World {
    /// Something breaks, or is mended.
    pub(super) fn fault(&mut self, fault: Fault) -> Check {
        if self.healed {
            return Ok(());
        }
        let text = format!("{fault:?}");
        self.trace.note(self.now_us, "fault", &text, b"");
        self.coverage.count(fault.name());
        let now_us = self.now_us;
        match fault {
            Fault::CutOff(ways, for_us) => {
                self.network.cut_off(ways, now_us, &mut self.agenda);
                self.agenda.at(now_us + for_us, Event::Fault(Fault::Rejoin(ways)));
            }
            Fault::Rejoin(ways) => self.network.rejoin(ways),
            Fault::Disconnect(party) => {
                for client in self.network.disconnect_all(party, now_us, &mut self.agenda) {
                    self.lost_connection(client)?;
                }
            }
            Fault::BrokerStop(broker, for_us) => {
                self.network.stop_broker(broker, now_us, &mut self.agenda);
                self.agenda.at(now_us + for_us, Event::Fault(Fault::BrokerStart(broker)));
            }
            Fault::BrokerStart(broker) => self.network.start_broker(broker),
            Fault::Leave(site, down_us) => self.leave(site, down_us)?,
            Fault::Pause(party, for_us) => {
                self.paused.insert(party, now_us + for_us);
            }
            Fault::Crash(party, down_us) => self.crash(party, down_us)?,
            Fault::DiskFull(index, for_us) => {
                self.disk_fails(index, QueueFault::DiskFull("simulated".to_owned()), for_us)
            }
            Fault::DiskBroken(index, for_us) => self.disk_fails(index, QueueFault::Io("simulated".to_owned()), for_us),
            Fault::DiskWhole(index) => self.edges[index].port().set_trouble(None),
            Fault::CopyDisk(index) => self.edges[index].port().copy(),
            Fault::DamageDisk(index, part) => {
                let struck = self.edges[index].port().damage(part);
                self.ledger.struck(index, &struck);
                self.coverage.add("reading damaged", struck.len() as u64);
            }
            Fault::RestoreDisk(index) => self.exchange_disk(index, true)?,
            Fault::LoseDisk(index) => self.exchange_disk(index, false)?,
            Fault::StoreDown(for_us) => self.store_fails(StoreFault::Transient("simulated".to_owned()), for_us),
            Fault::StoreRefuses(for_us) => self.store_fails(StoreFault::Operator("simulated".to_owned()), for_us),
            Fault::StoreUp => self.store.set_trouble(None),
            Fault::LoseState(site) => {
                self.crash(Party::Cloud(site), SECOND_US)?;
                let (store, _, mut books) = self.store_and_books();
                store.lose_state(site, &mut books);
            }
            Fault::TimeServer(index) => self.time_server(index),
            Fault::PowerCut(index, down_us) => {
                self.crash(Party::Agent(index), down_us)?;
                self.ledger.clocks[index].lost();
                self.clocks.entry(Party::Agent(index)).and_modify(|clock| clock.power_cut(now_us));
            }
            Fault::SetClock(party, by_us) => {
                self.clocks.entry(party).and_modify(|clock| clock.jump(by_us));
                if let Party::Agent(index) = party {
                    self.ledger.clocks[index].leaped = true;
                }
                if matches!(party, Party::Cloud(_)) {
                    self.operator.clock_set = true;
                    self.limits.clock_set();
                }
            }
        }
        Ok(())
    }

    fn time_server(&mut self, index: usize) {
        let Some(clock) = self.clocks.get_mut(&Party::Agent(index)) else { return };
        clock.set_right(self.now_us);
        if clock.running(self.now_us) < self.options.clock_hold {
            self.ledger.clocks[index].set_in_time(clock.start().0);
        }
    }

    fn disk_fails(&mut self, index: usize, fault: QueueFault, for_us: u64) {
        self.edges[index].port().set_trouble(Some(fault));
        self.agenda.at(self.now_us + for_us, Event::Fault(Fault::DiskWhole(index)));
    }

    fn store_fails(&mut self, fault: StoreFault, for_us: u64) {
        self.store.set_trouble(Some(fault));
        self.agenda.at(self.now_us + for_us, Event::Fault(Fault::StoreUp));
    }

    fn exchange_disk(&mut self, index: usize, restore: bool) -> Check {
        self.crash(Party::Agent(index), SECOND_US / 2)?;
        let port = self.edges[index].port();
        if restore && !port.restore() {
            return Ok(());
        }
        if !restore {
            port.lose();
        }
        self.limits.disk_exchanged(index);
        Ok(())
    }
}
