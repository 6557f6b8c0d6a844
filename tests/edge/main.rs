//! The edge as its users meet it: the real program on ports of its own, asked from outside.

mod support;

mod access_log;
mod admin;
mod answers;
mod audit;
mod demo;
mod descriptors;
mod desync;
mod drop_folder;
mod faults;
mod forwarded;
mod gate;
mod handshake_log;
mod http2;
mod http2_pulse;
mod http2_streams;
mod imports;
mod inspect;
mod inspect_strength;
mod library;
mod limits;
mod names;
mod openapi;
mod plain;
mod reload;
mod routes;
mod secrets;
mod serve;
mod start;
mod stopping;
mod tls;
mod tokens;
mod trusted_roots;
mod uploads;
mod well_known;
