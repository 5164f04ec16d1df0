-- What an insight hides no alert tells: so it is kept whenever either is changed, and here for what is there already.
UPDATE alerts SET visibility = 'private', version = alerts.version + 1
  FROM insights
 WHERE insights.id = alerts.insight_id AND insights.visibility = 'private'
   AND alerts.visibility = 'project' AND alerts.owner_id = insights.owner_id;
UPDATE alerts SET enabled = false, version = alerts.version + 1
  FROM insights
 WHERE insights.id = alerts.insight_id AND insights.visibility = 'private'
   AND alerts.enabled AND alerts.owner_id IS DISTINCT FROM insights.owner_id;
UPDATE alert_states SET firing = false, holder = NULL
  FROM alerts
 WHERE alerts.id = alert_states.alert_id AND NOT alerts.enabled AND alert_states.firing;
