DROP TABLE dashboard_shares;
DROP TABLE tiles;
DROP TABLE dashboards;
