DROP TABLE insight_results;
