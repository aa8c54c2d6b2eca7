//! todo
pub(super) const DOCUMENT_PATH: &str = "/api/v1/openapi.json";
pub(super) fn routes() -> utoipa_axum::router::OpenApiRouter<std::sync::Arc<super::App>> {
    utoipa_axum::router::OpenApiRouter::new()
}
