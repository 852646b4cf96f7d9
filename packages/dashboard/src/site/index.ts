/**
 * What the pages of the dashboard stand on, for pages beside it: access, origin, forms, and HTML in which every value is text.
 *
 * @module @webhook-inbox/dashboard/site
 */

export type { Access, AccessFunction, Role } from "./access.ts";
export { Html, html, type Part } from "./html.ts";
export { pageOf, type Page } from "./layout.ts";
export type { FormToken } from "./origin.ts";
export type { Route } from "./routes.ts";
export { site, type SiteOptions } from "./site.ts";
export { Refusal, seeOther, type Place, type Visit } from "./visit.ts";
