//! Virtual time: the demo, and the world it plays in.
//!
//! Nothing here is a second implementation: publishing, serving, planning, agents and letters are the real ones, on
//! loopback HTTP and a clock that the simulation moves.
