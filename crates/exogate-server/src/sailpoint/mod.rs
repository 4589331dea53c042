//! SailPoint connector commands as lines of JSON.
