/**
 * The dashboard: what was kept, what failed and why, and the acts that put it right.
 *
 * @module @webhook-inbox/dashboard
 */

export { dashboard, type DashboardOptions } from "./dashboard.ts";
export type { Access, AccessFunction, Role } from "./site/access.ts";
export type { SiteOptions } from "./site/site.ts";
