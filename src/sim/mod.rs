//! Virtual time: the demo, and the world it plays in.
