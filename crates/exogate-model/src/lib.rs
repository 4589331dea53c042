//! exogate-model
