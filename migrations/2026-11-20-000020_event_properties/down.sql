DROP TABLE event_properties;
