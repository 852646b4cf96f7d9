/** What the service is protected with. */
export const secrets = {
  path: "canary-path-token",
  query: "canary-query-token",
  bearer: "canary-bearer",
  signing: "canary-signing-secret",
  password: "canary-password",
  header: "canary-api-key",
  database: "canary-database-password",
} as const;
