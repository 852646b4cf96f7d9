/** The documentation as a site: the pages of `docs`, the security page, and the reference that typedoc makes of the docstrings. */

import { fileURLToPath } from "node:url";
import { defineConfig, type DefaultTheme, type MarkdownOptions, type UserConfig } from "vitepress";

/** Where the repository can be looked at, such as `https://<host>/<owner>/<name>`. Without it, what leads there is no link. */
const repository = process.env["REPOSITORY"];

/** The path below which it is served. */
const base = process.env["BASE"] ?? "/";

/** A tray with a letter that has come to rest in it. */
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#0969da" stroke-width="2.5"><path d="M4 18v9h24v-9h-7a5 5 0 0 1-10 0z"/><path d="M16 3v9m-4-4 4 4 4-4"/></svg>`;

const here = fileURLToPath(import.meta.url);

/** Pages lie outside of this package, and are modules that import it. */
const fromHere: NonNullable<UserConfig["vite"]>["plugins"] = [
  {
    name: "vue-of-this-package",
    enforce: "pre",
    async resolveId(id, importer) {
      const isOfPage = /^vue(?:\/|$)/.test(id) && importer?.includes("/node_modules/") === false;
      return isOfPage ? await this.resolve(id, here, { skipSelf: true }) : undefined;
    },
  },
];

const pages = (...pairs: readonly (readonly [text: string, page: string])[]) =>
  pairs.map(([text, page]) => ({ text, link: `/${page}` }));

const sidebar: DefaultTheme.SidebarItem[] = [
  {
    text: "Begin",
    items: pages(
      ["Quick start", "quick-start"],
      ["Concepts", "concepts"],
      ["Guarantees", "guarantees"],
      ["When something does not work", "troubleshooting"],
    ),
  },
  {
    text: "Providers",
    items: pages(
      ["All providers", "providers"],
      ["SocialData", "providers/socialdata"],
      ["Audata", "providers/audata"],
      ["Captain Data", "providers/captain-data"],
      ["Setting up the others", "providers/others"],
      ["Secrets", "secrets"],
      ["When one is refused", "refusals"],
      ["Those that do not come", "missed-webhooks"],
      ["Customers by the thousand", "customers"],
    ),
  },
  {
    text: "Use",
    items: pages(
      ["Frameworks", "frameworks"],
      ["Handlers", "handlers"],
      ["Options, signals, errors", "options"],
      ["Stores", "stores"],
      ["A queue behind it", "queues"],
      ["Testing handlers", "testing"],
      ["Moving from routes", "moving"],
    ),
  },
  {
    text: "Run",
    items: pages(
      ["Deployment", "deployment"],
      ["Operations", "operations"],
      ["The dashboard", "dashboard"],
      ["The command line", "cli"],
      ["Looking and steering", "steering"],
      ["Security", "security"],
      ["Performance", "performance"],
      ["Scaling", "scaling"],
    ),
  },
  {
    text: "Extend",
    items: pages(
      ["A provider", "writing-a-provider"],
      ["A store", "writing-a-store"],
      ["An adapter", "writing-an-adapter"],
      ["Reference", "reference/"],
    ),
  },
];

/** Links are those of the repository's files: those that leave the site lead to the repository, or are none. */
const markdown: MarkdownOptions = {
  // Headings have the names that they have in the repository.
  anchor: {
    slugify: (text) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(/\s/g, "-"),
  },
  config(md) {
    md.core.ruler.push("links-of-the-repository", ({ tokens, env }) => {
      const { relativePath } = env as { readonly relativePath: string };
      for (const token of tokens) {
        let isNone = false;
        token.children = (token.children ?? []).filter((child) => {
          if (child.type === "link_close") return !isNone;
          const href = child.type === "link_open" ? child.attrGet("href") : null;
          if (href === null) return true;
          const to = /^(?:[a-z]+:|#|\/)/.test(href) ? href : linkOf(relativePath, href);
          child.attrSet("href", to);
          isNone = to === "";
          return !isNone;
        });
      }
    });
  },
};

function linkOf(page: string, href: string): string {
  const [file = "", anchor] = href.split("#");
  const from = new URL(page === "security.md" ? "repo:///SECURITY.md" : `repo:///docs/${page}`);
  const { pathname } = new URL(file, from);
  const at = anchor === undefined ? "" : `#${anchor}`;
  if (page.startsWith("reference/")) return href;
  if (pathname === "/SECURITY.md") return `/security${at}`;
  if (pathname.startsWith("/docs/"))
    return `${pathname.slice("/docs".length).replace(/\.md$/, "")}${at}`;
  return repository === undefined ? "" : `${repository}/blob/main${pathname}${at}`;
}

export default defineConfig({
  title: "webhook-inbox",
  description: "An inbox for the webhooks of a Node application: a 200 means it is on disk.",
  base,
  srcDir: "../..",
  srcExclude: [
    "{README,CONTRIBUTING,CODE_OF_CONDUCT}.md",
    "{packages,examples,tests,bench,.github,.changeset}/**",
    "tools/*/*.md",
  ],
  rewrites: {
    "docs/:rest*": ":rest*",
    "SECURITY.md": "security.md",
    "tools/site/reference/:rest*": "reference/:rest*",
  },
  outDir: "dist",
  cacheDir: "node_modules/.vitepress",
  cleanUrls: true,
  head: [["link", { rel: "icon", href: `data:image/svg+xml,${encodeURIComponent(icon)}` }]],
  vite: { plugins: fromHere, build: { chunkSizeWarningLimit: 4000 } },
  markdown,
  themeConfig: {
    nav: pages(
      ["Quick start", "quick-start"],
      ["Providers", "providers"],
      ["Guarantees", "guarantees"],
      ["Reference", "reference/"],
    ),
    sidebar,
    search: { provider: "local" },
    outline: "deep",
    ...(repository === undefined ? {} : { socialLinks: [{ icon: "github", link: repository }] }),
  },
});
