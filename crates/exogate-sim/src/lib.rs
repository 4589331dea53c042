//! exogate-sim
