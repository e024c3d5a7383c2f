//! Swagger UI.

use super::chromium::in_chromium;
use crate::support::server::Server;

/// Collects what the policy of the page forbids.
const COLLECT: &str = "window.forbidden = []; document.addEventListener('securitypolicyviolation', \
    event => window.forbidden.push(`${event.violatedDirective} ${event.blockedURI}`))";

#[tokio::test]
async fn documentation_works_under_its_policy() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(COLLECT).await;
        page.open(&server.url("/docs/")).await;
        page.until("document.querySelectorAll('.opblock').length > 20").await;
        page.click("#operations-health-livez .opblock-summary-control").await;
        page.click("#operations-health-livez .try-out__btn").await;
        page.click("#operations-health-livez .execute").await;
        page.until(
            "document.querySelector('.live-responses-table tbody .response-col_status')?.innerText.includes('200')",
        )
        .await;
        let last = "[...document.querySelectorAll('.opblock-tag')].at(-1).dataset.tag";
        assert_eq!(page.eval(last).await, "callback");
        let schemas = "document.querySelector('.models').classList.contains('is-open')
            || document.querySelectorAll('.models .model-container').length > 0";
        assert_eq!(page.eval(schemas).await, false, "schemas are collapsed");
        let authorize = "ui.preauthorizeApiKey && ui.authActions.authorizeWithPersistOption({ token: {
            name: 'token', schema: ui.specSelectors.securityDefinitions().get('token'), value: 'showtime_kept' } })";
        page.eval(&format!("({authorize}, 1)")).await;
        page.reload().await;
        page.until("document.querySelector('.authorize.locked')").await;
        let forbidden = page.eval("window.forbidden").await;
        assert_eq!(forbidden, serde_json::json!([]));
    })
    .await;
    server.stop().await;
}
