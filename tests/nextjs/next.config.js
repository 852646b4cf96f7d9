/** Otherwise Next redirects paths that end in a slash, and calls its own host `localhost`. */
const config = { skipTrailingSlashRedirect: true, skipProxyUrlNormalize: true };

export default config;
