//! exogate-microsoft
