//! exogate-store
