DROP TABLE rebuild_sets;
DROP TABLE rebuild_counts;
DROP TABLE rebuilds;
