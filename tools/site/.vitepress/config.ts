/** The documentation as a site: the pages of `docs`, the security page, and the reference that typedoc makes of the docstrings. */

import { defineConfig, type DefaultTheme, type MarkdownOptions } from "vitepress";

/** Where the repository can be looked at, such as `https://<host>/<owner>/<name>`. Without it, what leads there is no link. */
const repository = process.env["REPOSITORY"];

const pages = (...pairs: readonly (readonly [text: string, page: string])[]) =>
  pairs.map(([text, page]): DefaultTheme.SidebarItem => ({ text, link: `/${page}` }));

const sidebar: DefaultTheme.SidebarItem[] = [
  {
    text: "Begin",
    items: pages(
      ["Quick start", "quick-start"],
      ["Concepts", "concepts"],
      ["Guarantees", "guarantees"],
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

/** Links are those of the repository's files: those that leave the site lead to the repository, or nowhere. */
const markdown: MarkdownOptions = {
  config(md) {
    const { render } = { render: md.renderer.rules.link_open };
    md.core.ruler.push("links-of-the-repository", ({ tokens, env }) => {
      const path = String((env as { readonly relativePath: string }).relativePath);
      for (const token of tokens.flatMap(({ children }) => children ?? [])) {
        const href = token.type === "link_open" ? token.attrGet("href") : null;
        if (href === null || /^(?:[a-z]+:|#|\/)/.test(href)) continue;
        token.attrSet("href", linkOf(path, href));
      }
    });
    md.renderer.rules.link_open = (tokens, index, options, env, self) => {
      const token = tokens[index];
      if (token?.attrGet("href") === "") return "<span>";
      return (
        render?.(tokens, index, options, env, self) ?? self.renderToken(tokens, index, options)
      );
    };
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
  description: "The inbox that every Node application puts in front of its webhooks.",
  srcDir: "../..",
  srcExclude: [
    "*.md",
    "!SECURITY.md",
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
