//! What the browsers' SDKs ask before they send anything: which other products to load, and which extras to turn on.
//! There are none. Keys are not looked at: they are the page's own, and checked when it sends.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

/// Segment: what the browser's SDK asks when it starts
///
/// Send every event here, and load nothing else.
#[utoipa::path(
    get, path = "/v1/projects/{write_key}/settings", tag = "SDKs", operation_id = "segment_settings",
    params(("write_key" = String, Path, description = "A key; it is not looked at")),
    responses((status = 200, description = "The settings of a source", body = serde_json::Value)),
    security(()),
)]
pub(super) async fn segment(write_key: web::Path<String>) -> HttpResponse {
    let all = json!({"__default": {"enabled": true, "integrations": {}}});
    HttpResponse::Ok().json(json!({
        "integrations": {"Segment.io": {
            "apiKey": *write_key,
            "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
        }},
        "plan": {"track": all, "identify": all, "group": all},
        "edgeFunction": {},
        "analyticsNextEnabled": true,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
    }))
}

/// A question of RudderStack's SDK.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SourceQuestion {
    write_key: String,
}

/// RudderStack: what the browser's SDK asks when it starts
///
/// Send every event here, load nothing else, and report nothing about the SDK itself.
#[utoipa::path(
    get, path = "/sourceConfig/", tag = "SDKs", operation_id = "rudderstack_source",
    params(("writeKey" = Option<String>, Query, description = "A key; it is not looked at")),
    responses((status = 200, description = "A source without destinations", body = serde_json::Value)),
    security(()),
)]
pub(super) async fn rudderstack(question: web::Query<SourceQuestion>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"source": {
        "id": "millrace", "name": "Millrace", "writeKey": question.write_key, "enabled": true,
        "workspaceId": "millrace",
        "config": {"statsCollection": {"errors": {"enabled": false}, "metrics": {"enabled": false}}},
        "destinations": [],
        "dataplanes": {},
    }}))
}

/// PostHog: what the browser's SDK asks when it starts
#[utoipa::path(
    get, path = "/array/{token}/config", tag = "SDKs", operation_id = "posthog_config",
    params(("token" = String, Path, description = "A key; it is not looked at")),
    responses((status = 200, description = "Events only, gzip welcome", body = serde_json::Value)),
    security(()),
)]
pub(super) async fn posthog(_token: web::Path<String>) -> HttpResponse {
    HttpResponse::Ok().json(posthog_config())
}

/// PostHog: the same as a script
#[utoipa::path(
    get, path = "/array/{token}/config.js", tag = "SDKs", operation_id = "posthog_config_script",
    params(("token" = String, Path, description = "A key: letters, digits, `_` and `-`")),
    responses(
        (status = 200, description = "Leaves the configuration where the SDK looks for it", body = String, content_type = "application/javascript"),
        (status = 404, description = "Nothing that could be a key"),
    ),
    security(()),
)]
pub(super) async fn posthog_script(token: web::Path<String>) -> HttpResponse {
    // It becomes part of a script.
    if !token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return HttpResponse::NotFound().finish();
    }
    let entry = json!({"config": posthog_config(), "siteApps": []});
    let script = format!(
        "(function(){{window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{{}};\
         window._POSTHOG_REMOTE_CONFIG['{token}']={entry};}})();\n"
    );
    HttpResponse::Ok().content_type("application/javascript").body(script)
}

fn posthog_config() -> serde_json::Value {
    json!({
        "supportedCompression": ["gzip", "gzip-js"], "hasFeatureFlags": false, "sessionRecording": false,
        "surveys": false, "heatmaps": false, "autocaptureExceptions": false, "capturePerformance": false,
        "captureDeadClicks": false, "autocapture_opt_out": false, "defaultIdentifiedOnly": true,
        "isAuthenticated": false, "toolbarParams": {}, "siteApps": [],
    })
}

/// PostHog: feature flags
///
/// There are none: every flag is off. Also at `/decide/`, where older SDKs ask for them together with the
/// configuration.
#[utoipa::path(
    post, path = "/flags/", tag = "SDKs", operation_id = "posthog_flags",
    responses((status = 200, description = "No flags", body = serde_json::Value)),
    security(()),
)]
pub(super) async fn flags() -> HttpResponse {
    HttpResponse::Ok().json(no_flags())
}

/// PostHog: flags and configuration in one
#[utoipa::path(
    post, path = "/decide/", tag = "SDKs", operation_id = "posthog_decide",
    responses((status = 200, description = "No flags, and events only", body = serde_json::Value)),
    security(()),
)]
pub(super) async fn decide() -> HttpResponse {
    let (mut answer, config) = (no_flags(), posthog_config());
    if let (Some(answer), serde_json::Value::Object(config)) = (answer.as_object_mut(), config) {
        answer.extend(config);
    }
    HttpResponse::Ok().json(answer)
}

fn no_flags() -> serde_json::Value {
    json!({
        "flags": {}, "featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": false,
        "quotaLimited": [],
    })
}
