DROP TABLE activity;
DROP SEQUENCE activity_part;
DROP TABLE event_counts;
