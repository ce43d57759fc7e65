//! The all-in-one command: `fogline demo` shows the whole path in one process, `fogline bench` measures it in many, `fogline audit`
//! says whether anything was lost, `fogline analyst` asks for what a city measures, `fogline tls` makes certificates, and `fogline broker`, `fogline ingest` and `fogline agent`
//! are the programs of a site under one name.
//!
//! Nothing of the path itself is here: each part is its own crate, and is started through the same entry point as by its
//! own program.

pub mod agent_config;
pub mod analyst;
pub mod audit;
pub mod bench;
pub mod city;
pub mod cli;
pub mod dashboards;
pub mod demo;
pub mod directive;
pub mod doctor;
pub mod figures;
pub mod limit;
mod package_files;
pub mod parking;
mod ports;
mod store_file;
pub mod table;
pub mod tls;
pub mod top;
