//! exogate-engine
