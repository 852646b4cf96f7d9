import type { NextConfig } from "next";

const config: NextConfig = { serverExternalPackages: ["@webhook-inbox/core"] };

export default config;
