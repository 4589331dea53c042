//! A walk through nested groups, level by level, that remembers how it came to each place.
//!
//! Pure: the caller looks neighbours up and feeds them in. Members of a group or groups of a
//! member, the walk is the same. Every place is visited once, so cycles end and of several ways
//! the shortest is kept.

use std::collections::HashMap;

/// A walk from one place.
#[derive(Debug)]
pub struct Walk {
    start: String,
    /// From where each place was first reached.
    came_from: HashMap<String, String>,
    reached: Vec<Step>,
    frontier: Vec<String>,
}

/// A place that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its id.
    pub id: String,
    /// Whether it is a group, through which the walk goes on.
    pub is_group: bool,
    /// How many memberships lie between it and the start.
    pub depth: u32,
}

impl Walk {
    /// A walk that stands at `start`.
    pub fn new(start: impl Into<String>) -> Self {
        let start = start.into();
        Self { frontier: vec![start.clone()], start, came_from: HashMap::new(), reached: Vec::new() }
    }

    /// Takes the places whose neighbours the walk needs next; empty when it has been everywhere.
    pub fn take_frontier(&mut self) -> Vec<String> {
        std::mem::take(&mut self.frontier)
    }

    /// Feeds the neighbours of `place`: `(id, is a group)`. Fed in a fixed order, the walk is the
    /// same every time.
    pub fn feed(&mut self, place: &str, neighbours: impl IntoIterator<Item = (String, bool)>) {
        let depth = self.depth(place) + 1;
        for (id, is_group) in neighbours {
            if id == self.start || self.came_from.contains_key(&id) {
                continue;
            }
            self.came_from.insert(id.clone(), place.to_owned());
            if is_group {
                self.frontier.push(id.clone());
            }
            self.reached.push(Step { id, is_group, depth });
        }
    }

    /// Every place reached so far, the nearest first.
    pub fn reached(&self) -> &[Step] {
        &self.reached
    }

    /// Whether the walk has been there.
    pub fn has_reached(&self, id: &str) -> bool {
        self.came_from.contains_key(id)
    }

    /// The way from the start to `id`, both left out.
    pub fn between(&self, id: &str) -> Vec<String> {
        let mut way = Vec::new();
        let mut at = id;
        while let Some(before) = self.came_from.get(at) {
            if *before != self.start {
                way.push(before.clone());
            }
            at = before;
        }
        way.reverse();
        way
    }

    fn depth(&self, id: &str) -> u32 {
        let mut depth = 0;
        let mut at = id;
        while let Some(before) = self.came_from.get(at) {
            depth += 1;
            at = before;
        }
        depth
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    type Graph = BTreeMap<u8, BTreeSet<u8>>;

    fn walk(graph: &Graph, start: u8) -> Walk {
        let mut walk = Walk::new(start.to_string());
        loop {
            let frontier = walk.take_frontier();
            if frontier.is_empty() {
                return walk;
            }
            for place in frontier {
                let neighbours = graph.get(&place.parse().unwrap()).cloned().unwrap_or_default();
                walk.feed(&place, neighbours.into_iter().map(|n| (n.to_string(), true)));
            }
        }
    }

    #[test]
    fn a_diamond_keeps_one_way_and_a_cycle_ends() {
        let graph = Graph::from([(0, [1, 2].into()), (1, [3].into()), (2, [3].into()), (3, [0, 4].into())]);
        let walk = walk(&graph, 0);
        assert_eq!(walk.between("4"), ["1", "3"]);
        assert_eq!(walk.between("1"), [""; 0]);
        let steps: Vec<_> = walk.reached().iter().map(|s| (s.id.as_str(), s.depth)).collect();
        assert_eq!(steps, [("1", 1), ("2", 1), ("3", 2), ("4", 3)]);
        assert!(!walk.has_reached("0"), "a cycle does not make a group its own member");
    }

    #[test]
    fn the_walk_goes_on_through_groups_only() {
        let mut walk = Walk::new("g");
        assert_eq!(walk.take_frontier(), ["g"]);
        walk.feed("g", [("kim".to_owned(), false), ("h".to_owned(), true)]);
        assert_eq!(walk.take_frontier(), ["h"]);
    }

    proptest! {
        /// Reaches exactly what naive closure reaches, by ways that exist and are shortest.
        #[test]
        fn agrees_with_naive_closure(edges in proptest::collection::vec((0u8..12, 0u8..12), 0..40)) {
            let mut graph = Graph::new();
            for (from, to) in edges {
                graph.entry(from).or_default().insert(to);
            }
            let mut distance: BTreeMap<u8, u32> = BTreeMap::from([(0, 0)]);
            loop {
                let before = distance.clone();
                for (from, to) in graph.iter().flat_map(|(f, ts)| ts.iter().map(move |t| (*f, *t))) {
                    if let Some(d) = before.get(&from) {
                        let entry = distance.entry(to).or_insert(d + 1);
                        *entry = (*entry).min(d + 1);
                    }
                }
                if before == distance {
                    break;
                }
            }
            distance.remove(&0);
            let walk = walk(&graph, 0);
            let reached: BTreeMap<u8, u32> =
                walk.reached().iter().map(|s| (s.id.parse().unwrap(), s.depth)).collect();
            prop_assert_eq!(&reached, &distance);
            for (id, depth) in reached {
                let way = walk.between(&id.to_string());
                prop_assert_eq!(way.len() as u32, depth - 1);
                let mut at = 0u8;
                for next in way.iter().map(|w| w.parse().unwrap()).chain([id]) {
                    prop_assert!(graph[&at].contains(&next));
                    at = next;
                }
            }
        }
    }
}
